"""Idempotency-Key: a POST that is sent again gives its first answer again, and has no second effect."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import ROOT, campaign_url, faults, not_editable
from campaigns.tests.conftest import TokenPrincipal
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, step_body, stored
from messaging_project.api.models import IdempotentAnswer

pytestmark = pytest.mark.django_db
KEY = "3f2c0a4e-9d5b-4c1e-8a55-5a0a4c2f3b11"


def post(client: APIClient, path: str, body: Any = None, key: str = KEY, **headers: str) -> Any:
    """A text for a body is sent as it is."""
    as_it_is: dict[str, Any] = {"content_type": "application/json"} if isinstance(body, str) else {}
    return client.post(path, body, headers={"Idempotency-Key": key, **headers}, **as_it_is)


def replayed(answer: Any) -> bool:
    return bool(answer.get("Idempotent-Replayed") == "true")


CALLS: dict[str, tuple[str, str, Any]] = {
    "createCampaign": ("draft", "", {"name": "New", "steps": [step_body(0)]}),
    "duplicateCampaign": ("draft", "/{id}/duplicate", None),
    "addStep": ("draft", "/{id}/steps", step_body(5, variables={"name": "Zoë", "n": 2**70})),
    "addStep, shifting": ("draft", "/{id}/steps?on_conflict=shift", step_body(0)),
    "addSteps": ("draft", "/{id}/steps/bulk", {"steps": [step_body(5), step_body(6)]}),
    "activateCampaign": ("draft", "/{id}/activate", None),
    "pauseCampaign": ("active", "/{id}/pause", None),
    "completeCampaign": ("active", "/{id}/complete", None),
    "archiveCampaign": ("paused", "/{id}/archive", None),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_post_is_answered_again_byte_for_byte_and_has_one_effect(client: APIClient, name: str) -> None:
    status, path, body = CALLS[name]
    campaign = make_campaign(status=status, steps=2)
    address = ROOT + path.format(id=campaign.id)
    first = post(client, address, body)
    assert first.status_code in {200, 201}, first.content
    assert not replayed(first)
    after = stored()
    second = post(client, address, body)

    assert replayed(second)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    own = {"Idempotent-Replayed", "X-Request-ID"}
    assert {k: v for k, v in second.items() if k not in own} == {k: v for k, v in first.items() if k not in own}
    assert stored() == after


def test_the_answer_stays_the_first_one_whatever_happens_meanwhile(client: APIClient) -> None:
    campaign = make_campaign()
    first = post(client, campaign_url(campaign, "/steps"), step_body(0))
    CampaignStep.objects.update(position=9)
    Campaign.objects.update(status="archived")
    again = post(client, campaign_url(campaign, "/steps"), step_body(0))
    assert (again.status_code, again.content) == (201, first.content)
    Campaign.objects.all().delete()
    assert post(client, campaign_url(campaign, "/steps"), step_body(0)).content == first.content


@pytest.mark.parametrize("name", [name for name in CALLS if name != "createCampaign"])
def test_an_answer_is_given_again_before_if_match_is_judged(client: APIClient, name: str) -> None:
    """The first success itself has made the tag an old one."""
    status, path, body = CALLS[name]
    campaign = make_campaign(status=status, steps=2)
    condition = {"If-Match": client.get(campaign_url(campaign, "/steps"))["ETag"]}
    first = post(client, ROOT + path.format(id=campaign.id), body, **condition)
    make_step(campaign, 77)
    again = post(client, ROOT + path.format(id=campaign.id), body, **condition)
    assert first.status_code in {200, 201}
    assert replayed(again)
    assert (again.status_code, again.content) == (first.status_code, first.content)


@pytest.mark.parametrize(
    "other",
    [TokenPrincipal(subject="other"), TokenPrincipal(issuer="https://other.example/")],
    ids=["another subject", "the same subject of another issuer"],
)
def test_a_key_belongs_to_its_caller(client: APIClient, other: TokenPrincipal) -> None:
    post(client, ROOT, {"name": "One"})
    client.force_authenticate(other)  # type: ignore[arg-type]  # as in conftest
    second = post(client, ROOT, {"name": "Two"})
    assert (second.status_code, replayed(second)) == (201, False)
    assert list(Campaign.objects.order_by("id").values_list("name", flat=True)) == ["One", "Two"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/steps", step_body(0), {}),
        ("/steps/", step_body(0), {}),
        ("/steps", {"template_version_id": "t0-v1", "position": 0, "template_id": "t0"}, {}),
        ("/steps", step_body(0), {"Idempotency-Key": f'"{KEY}"'}),
        ("/steps", step_body(0), {"Idempotency-Key": f" {KEY} "}),
        ("/steps", {**step_body(0), "position": 0.0}, {}),
        ("/steps", step_body(0), {"Prefer": "handling=lenient"}),
    ],
    ids=[
        "the same",
        "a trailing slash",
        "properties in another order",
        "the key in quotes",
        "spaces around the key",
        "an integer as 0.0",
        "another preference",
    ],
)
def test_what_is_the_same_request(client: APIClient, path: str, body: Any, headers: dict[str, str]) -> None:
    campaign = make_campaign()
    post(client, campaign_url(campaign, "/steps"), step_body(0))
    assert replayed(post(client, campaign_url(campaign, path), body, **headers))
    assert positions(campaign) == [0]


def as_text(fields: str) -> str:
    """A step's body with some fields spelled as they are."""
    return f'{{"template_id": "t", "template_version_id": "v", {fields}}}'


def test_ids_and_integers_spelled_otherwise_are_the_same_request(client: APIClient) -> None:
    campaign = make_campaign()
    path = campaign_url(campaign, "/steps/bulk")
    first = post(client, path, f"""{{"steps": [{as_text('"position": 9, "delay_minutes": 100')}]}}""")
    other = path.replace(str(campaign.id), str(campaign.id).upper())
    again = post(client, other, f"""{{"steps": [{as_text('"position": 9.0, "delay_minutes": 1e2')}]}}""")
    assert first.status_code == 201
    assert (replayed(again), again.content) == (True, first.content)


def test_inside_variables_they_are_another(client: APIClient) -> None:
    path = campaign_url(make_campaign(), "/steps")
    post(client, path, as_text('"position": 9, "variables": {"n": 9}'))
    again = post(client, path, as_text('"position": 9, "variables": {"n": 9.0}'))
    assert (again.status_code, again.json()["error"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_body_where_none_is_taken_is_ignored_with_a_key_as_without(client: APIClient, content_type: str) -> None:
    campaign = make_campaign(steps=1)
    headers = {"Idempotency-Key": KEY}
    path = campaign_url(campaign, "/activate")
    first = client.post(path, "{", content_type=content_type, headers=headers)
    again = client.post(path, headers=headers)
    assert (first.status_code, replayed(again), again.content) == (200, True, first.content)


@pytest.mark.parametrize("name", CALLS)
def test_keys_that_the_version_before_kept_are_still_given_again(client: APIClient, name: str) -> None:
    """It made its digest of the request as that was spelled."""
    status, path, body = CALLS[name]
    path = ROOT + path.format(id=make_campaign(status=status, steps=2).id)
    prefer, data = "wait=5", json.loads(json.dumps(body or {}))
    first = post(client, path, body, Prefer=prefer)
    address, _, query = path.partition("?")
    parts = ["POST", address, json.dumps(sorted([name, [value]] for name, value in parse_qsl(query))), prefer]
    digest = hashlib.sha256(json.dumps([*parts, json.dumps(data, sort_keys=True)]).encode()).digest()
    assert bytes(IdempotentAnswer.objects.get().request_digest) != digest
    IdempotentAnswer.objects.update(request_digest=digest)
    again = post(client, path, body, Prefer=prefer)
    assert (replayed(again), again.content) == (True, first.content)
    other = {**data, "name": "other", "position": 8}
    assert post(client, path, other, Prefer=prefer).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/steps", step_body(1), {}),
        ("/steps", step_body(0, variables={}), {}),
        ("/steps", step_body(0, extra=1), {}),
        ("/steps?on_conflict=shift", step_body(0), {}),
        ("/steps/bulk", step_body(0), {}),
        ("/steps", step_body(0), {"Prefer": "handling=strict"}),
    ],
    ids=["another field", "a property more", "an unknown property", "another query", "another path", "another Prefer"],
)
def test_the_same_key_with_another_request_is_refused(
    client: APIClient, path: str, body: Any, headers: dict[str, str]
) -> None:
    campaign = make_campaign()
    post(client, campaign_url(campaign, "/steps"), step_body(0))
    before = stored()
    answer = post(client, campaign_url(campaign, path), body, **headers)
    assert (answer.status_code, answer.json()) == (
        422,
        {
            "error": "idempotency_mismatch",
            "message": "This Idempotency-Key was used for another request: use a new key for a new request.",
        },
    )
    assert stored() == before


def test_a_refusal_is_not_kept_but_judged_anew(client: APIClient) -> None:
    campaign = make_campaign(status="active")
    address = campaign_url(campaign, "/steps")
    refused = post(client, address, step_body(0))
    assert (refused.status_code, refused.json()) == (412, not_editable(campaign, "active"))
    assert not IdempotentAnswer.objects.exists()

    Campaign.objects.update(status="paused")
    assert post(client, address, step_body(0)).status_code == 201


@pytest.mark.parametrize(
    ("body", "path", "status"),
    [
        ({"position": -1}, "/steps", 400),
        (step_body(0), "/steps", 412),
        (step_body(1), "/nothing", 404),
        ({"steps": [step_body(1), step_body(0)]}, "/steps/bulk", 412),
    ],
)
def test_after_a_refusal_the_key_may_carry_another_request(
    client: APIClient, body: Any, path: str, status: int
) -> None:
    campaign = make_campaign(steps=1)
    assert post(client, campaign_url(campaign, path), body).status_code == status
    assert post(client, campaign_url(campaign, "/steps"), step_body(1)).status_code == 201
    assert positions(campaign) == [0, 1]


@pytest.mark.parametrize(("hours", "again"), [(23.9, True), (24.1, False)])
def test_a_key_is_kept_for_24_hours(client: APIClient, hours: float, again: bool) -> None:
    post(client, ROOT, {"name": "Old"})
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=hours))
    answer = post(client, ROOT, {"name": "Old"})
    assert (answer.status_code, replayed(answer)) == (201, again)
    assert Campaign.objects.count() == (1 if again else 2)
    assert replayed(post(client, ROOT, {"name": "Old"}))  # and once more from then on


def test_an_old_key_may_carry_another_request(client: APIClient) -> None:
    post(client, ROOT, {"name": "Old"})
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert post(client, ROOT, {"name": "New"}).json()["name"] == "New"


def test_the_command_removes_what_is_no_longer_given_again(
    client: APIClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, hours in enumerate((0, 23.9, 24.1, 48)):
        post(client, ROOT, {"name": f"Campaign {number}"}, key=f"key-{number}")
        newest = IdempotentAnswer.objects.latest("id")
        IdempotentAnswer.objects.filter(pk=newest.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    call_command("prune_idempotency_keys")
    assert capsys.readouterr().out == "2 idempotency keys deleted\n"
    assert IdempotentAnswer.objects.count() == 2
    assert [replayed(post(client, ROOT, {"name": f"Campaign {n}"}, key=f"key-{n}")) for n in range(4)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "key",
    ["", " ", '""', "two words", "schlüssel", "k" * 256, '"' + "k" * 256 + '"', '"open', 'qu"ote', '"back\\slash"'],
)
def test_a_key_that_is_none_is_refused(client: APIClient, key: str) -> None:
    answer = post(client, ROOT, {"name": "New"}, key=key)
    assert faults(answer) == [("Idempotency-Key", "invalid")]
    assert not Campaign.objects.exists()
    assert faults(post(client, ROOT, {"name": 5}, key=key)) == [("Idempotency-Key", "invalid")]  # before the body


@pytest.mark.parametrize("key", ["k", "k" * 255, '"two words"', "~!#$%&'()*+,-./:;<=>?@[]^_`{|}"])
def test_a_key_is_1_to_255_visible_characters(client: APIClient, key: str) -> None:
    assert post(client, ROOT, {"name": "New"}, key=key).status_code == 201
    assert replayed(post(client, ROOT, {"name": "New"}, key=key))
    assert not replayed(post(client, ROOT, {"name": "New"}, key=f"{key}x"))


def test_a_key_on_another_method_means_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    for name in ("One", "Two"):
        answer = client.patch(campaign_url(campaign), {"name": name}, headers={"Idempotency-Key": KEY})
        assert answer.json()["name"] == name
    assert not IdempotentAnswer.objects.exists()


def test_the_answer_and_its_effect_are_kept_together_or_not_at_all(client: APIClient, failing_update: None) -> None:
    campaign = make_campaign()
    before = stored()
    answer = post(client, campaign_url(campaign, "/steps"), step_body(0))
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert stored() == before
    assert not IdempotentAnswer.objects.exists()


@pytest.fixture
def failing_update() -> Iterator[None]:
    """The database refuses to store the answer, after the effect."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "messaging_api_idempotentanswer"'):
            raise RuntimeError("refused")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


def test_without_the_header_it_costs_no_statement(client: APIClient) -> None:
    campaign = make_campaign()
    with CaptureQueriesContext(connection) as queries:
        client.post(campaign_url(campaign, "/steps"), step_body(0))
    assert not [query["sql"] for query in queries if "idempotent" in query["sql"]]
    assert len(queries) == {"postgresql": 1, "sqlite": 6}[connection.vendor]


def test_a_deep_body_is_refused_with_a_key_too(client: APIClient) -> None:
    campaign = make_campaign()
    for depth in (100, *range(890, 920), 5_000):  # from "too deep for the field" to "too deep to parse"
        body = '{"position": 0, "variables": {"a": ' + "[" * depth + "]" * depth + "}}"
        address = campaign_url(campaign, "/steps")
        headers = {"Idempotency-Key": KEY}
        assert client.post(address, body, content_type="application/json", headers=headers).status_code == 400


def test_history_tells_of_the_effect_once(client: APIClient) -> None:
    campaign = make_campaign()
    make_step(campaign, 0)
    for _ in range(3):
        post(client, campaign_url(campaign, "/activate"))
    assert [entry["action"] for entry in history_of(campaign)] == ["campaign.activated"]
