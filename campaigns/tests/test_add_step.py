"""POST /v1/messaging/campaigns/{id}/steps: the published contract."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.serializers import CampaignStepSerializer
from campaigns.steps import add_step
from campaigns.tests.factories import ACTOR, history_of, make_campaign, positions, step_body, step_fields, stored

pytestmark = pytest.mark.django_db
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def steps_url(campaign: Campaign) -> str:
    return f"/v1/messaging/campaigns/{campaign.id}/steps"


@pytest.mark.postgresql
def test_postgresql_plans_it_once_for_all_sizes_of_its_values(client: APIClient) -> None:
    campaign = make_campaign()
    for position in (1, 100_000, 2_147_483_647):
        assert client.post(steps_url(campaign), step_body(position, delay_minutes=position)).status_code == 201

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        adding = [sql for (sql,) in cursor.fetchall() if "INSERT INTO campaigns_campaignstep" in sql]
    assert len(adding) == int(settings.DATABASE_PREPARE)  # off behind an old PgBouncer
    assert positions(campaign) == [1, 100_000, 2_147_483_647]


@pytest.mark.parametrize(
    ("more", "headers"),
    [
        ({}, {}),
        ({"unknown": 1}, {}),
        ({"delay_minutes": 0, "variables": {}}, {"Prefer": "handling=strict"}),
    ],
)
def test_a_faultless_step_is_checked_and_shown_without_a_serializer(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], headers: dict[str, str]
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a serializer is made")

    campaign = make_campaign()
    client.post(steps_url(campaign), step_body(0))
    monkeypatch.setattr(CampaignStepSerializer, "to_internal_value", fail)
    assert client.post(f"{steps_url(campaign)}/bulk", {"steps": [step_body(1)]}).status_code == 201
    monkeypatch.setattr(CampaignStepSerializer, "__init__", fail)
    assert client.post(steps_url(campaign), step_body(2, **more), headers=headers).status_code == 201


def test_what_is_returned_has_the_times_that_are_stored() -> None:
    campaign = make_campaign()
    added = add_step(campaign.id, step_fields(0), actor=ACTOR)
    step = CampaignStep.objects.get()
    assert (added, added.created_at, added.updated_at) == (step, step.created_at, step.updated_at)


def test_the_answer_has_the_seven_keys_of_the_contract_and_is_what_was_stored(client: APIClient) -> None:
    campaign = make_campaign()
    body = {
        "position": 2,
        "template_id": "welcome",
        "template_version_id": "welcome-v7",
        "delay_minutes": 1440,
        "variables": {"name": "Ada", "tags": ["a", None, True, 1.5], "nested": {"deep": {}}},
    }
    answer = client.post(steps_url(campaign), body)

    step = CampaignStep.objects.get()
    assert answer.status_code == 201
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {"id": str(step.id), "campaign_id": str(campaign.id), **body}
    assert (step.campaign_id, step.fields._asdict(), step.version) == (campaign.id, body, 1)
    assert UUID7.fullmatch(answer.json()["id"])


def test_delay_and_variables_have_defaults(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(
        steps_url(campaign), {"position": 0, "template_id": "welcome", "template_version_id": "welcome-v1"}
    )
    step = CampaignStep.objects.get()
    assert answer.json() == {
        "id": str(step.id),
        "campaign_id": str(campaign.id),
        "position": 0,
        "template_id": "welcome",
        "template_version_id": "welcome-v1",
        "delay_minutes": 0,
        "variables": {},
    }
    assert (step.delay_minutes, step.variables) == (0, {})


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_path_works_with_and_without_a_slash_and_never_redirects(client: APIClient, slash: str) -> None:
    campaign = make_campaign()
    answer = client.post(steps_url(campaign) + slash, step_body(1))
    assert (answer.status_code, positions(campaign)) == (201, [1])


@pytest.mark.parametrize("spelling", [str, lambda campaign_id: str(campaign_id).upper()], ids=["lower", "upper"])
def test_the_campaign_id_is_a_uuid_in_either_case(client: APIClient, spelling: Any) -> None:
    campaign = make_campaign()
    answer = client.post(f"/v1/messaging/campaigns/{spelling(campaign.id)}/steps", step_body())
    assert (answer.status_code, answer.json()["campaign_id"]) == (201, str(campaign.id))


def test_location_names_the_new_step(client: APIClient) -> None:
    campaign = make_campaign()
    for slash in ("", "/"):
        answer = client.post(steps_url(campaign) + slash, step_body(len(slash)))
        assert answer["Location"] == f"http://testserver{steps_url(campaign)}/{answer.json()['id']}"


def test_every_answer_has_a_request_id(client: APIClient) -> None:
    campaign = make_campaign()
    created = client.post(steps_url(campaign), step_body())
    refused = client.post(steps_url(campaign), step_body(), headers={"X-Request-ID": "retry-1"})
    assert (created.status_code, refused.status_code) == (201, 412)
    assert UUID7.fullmatch(created["X-Request-ID"])
    assert refused["X-Request-ID"] == "retry-1"


@pytest.mark.parametrize("sent", ["3.0", "3", "3e0", "0.3E1"])
def test_a_whole_number_is_an_integer_however_it_is_spelled(client: APIClient, sent: str) -> None:
    campaign = make_campaign()
    text = f'{{"position": {sent}, "template_id": "t", "template_version_id": "v", "delay_minutes": {sent}}}'
    answer = client.post(steps_url(campaign), text, content_type="application/json")
    assert answer.status_code == 201
    assert b'"position":3,' in answer.content
    assert b'"delay_minutes":3,' in answer.content
    assert positions(campaign) == [3]


def test_the_limits_themselves_are_allowed(client: APIClient) -> None:
    campaign = make_campaign()
    body = {
        "position": 2_147_483_647,
        "template_id": "t" * 255,
        "template_version_id": "✉" * 255,
        "delay_minutes": 2_147_483_647,
        "variables": {"text": "é" * ((64 * 1024 - len('{"text":""}')) // 2)},
    }
    answer = client.post(steps_url(campaign), body)
    step = CampaignStep.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"id": str(step.id), "campaign_id": str(campaign.id), **body}
    assert step.fields._asdict() == body


@pytest.mark.parametrize(
    "text",
    [
        '{"n":123456789012345678901234567890}',
        '{"n":-9223372036854775809}',
        '{"n":18446744073709551616}',
        '{"n":' + "7" * 4_300 + "}",
        '{"n":0.1,"m":-1.5,"z":0}',
        '{"":"an empty name"," ":1,"a.b":2,"Ünïcødé":"日本語 🎉"}',
        '{"tab":"a\\tb","newline":"a\\nb","escape":"\\u001b"}',
        '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}' + "}" * 19,
    ],
    ids=lambda text: text[:24],
)
def test_variables_keep_their_meaning_exactly(client: APIClient, text: str) -> None:
    campaign = make_campaign()
    body = f'{{"position": 0, "template_id": "t", "template_version_id": "v", "variables": {text}}}'
    answer = client.post(steps_url(campaign), body, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["variables"] == json.loads(text)
    listed = client.get(steps_url(campaign))
    assert listed.json()["results"] == [answer.json()]


def test_ids_are_taken_as_they_are_without_trimming(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(steps_url(campaign), step_body(template_id=" é/ ", template_version_id="  5"))
    assert (answer.json()["template_id"], answer.json()["template_version_id"]) == (" é/ ", "  5")


def test_unknown_properties_are_ignored(client: APIClient) -> None:
    campaign = make_campaign()
    foreign = str(uuid4())
    answer = client.post(steps_url(campaign), step_body(id=foreign, campaign_id=foreign, version=9, note="hello"))
    step = CampaignStep.objects.get()
    assert answer.json() == {
        "id": str(step.id),
        "campaign_id": str(campaign.id),
        **step_body(),
        "delay_minutes": 0,
        "variables": {},
    }
    assert (str(step.id) != foreign, step.version) == (True, 1)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_parameters_of_the_media_type_do_not_matter(client: APIClient, content_type: str) -> None:
    campaign = make_campaign()
    answer = client.post(steps_url(campaign), json.dumps(step_body()), content_type=content_type)
    assert (answer.status_code, positions(campaign)) == (201, [0])


@pytest.mark.parametrize("status", ["draft", "paused"])
def test_steps_are_added_to_drafts_and_paused_campaigns(client: APIClient, status: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    answer = client.post(steps_url(campaign), step_body(1))
    assert (answer.status_code, positions(campaign)) == (201, [0, 1])


@pytest.mark.parametrize("status", ["active", "completed", "archived"])
def test_the_campaigns_state_can_forbid_the_step(client: APIClient, status: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    before = stored()
    answer = client.post(steps_url(campaign), step_body(0))
    message = {
        "active": f"Pause the campaign first: POST /v1/messaging/campaigns/{campaign.id}/pause",
        "completed": f"Duplicate it and change the copy: POST /v1/messaging/campaigns/{campaign.id}/duplicate",
        "archived": f"Duplicate it and change the copy: POST /v1/messaging/campaigns/{campaign.id}/duplicate",
    }
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "bad_state",
        "message": f"The steps of a campaign that is {status} can't be changed. {message[status]}",
        "details": {
            "reason": "campaign_not_editable",
            "status": status,
            "editable_statuses": ["draft", "paused"],
        },
    }
    assert stored() == before


def test_a_campaign_that_does_not_exist_is_not_found(client: APIClient) -> None:
    make_campaign()
    before, unknown = stored(), uuid4()
    answer = client.post(f"/v1/messaging/campaigns/{unknown}/steps", step_body())
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "not_found",
        "message": "There is no campaign with this id.",
        "details": {"resource": "campaign", "id": str(unknown)},
    }
    assert stored() == before


def test_history_tells_who_added_what(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(steps_url(campaign), step_body(4, variables={"name": "Ada"}))
    assert history_of(campaign) == [
        {
            "actor_type": "token",
            "actor_issuer": "https://issuer.example/",
            "actor_id": "writer",
            "actor_name": "writer",
            "action": "step.added",
            "step_id": UUID(answer.json()["id"]),
            "before": None,
            "after": {**step_body(4), "delay_minutes": 0, "variables": {"name": "Ada"}},
        }
    ]


def test_adding_a_step_leaves_the_campaigns_row_alone(client: APIClient) -> None:
    campaign = make_campaign()
    row = Campaign.objects.values().get()
    client.post(steps_url(campaign), step_body())
    assert Campaign.objects.values().get() == row


@pytest.mark.postgresql
@pytest.mark.parametrize("steps", [0, 1, 200])
def test_a_201_costs_one_statement_whatever_the_number_of_steps(client: APIClient, steps: int) -> None:
    campaign = make_campaign(steps=steps)
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(steps_url(campaign), step_body(steps))
    assert answer.status_code == 201
    assert len(queries) == 1, [query["sql"] for query in queries]
    assert positions(campaign) == list(range(steps + 1))


def test_what_a_step_costs_does_not_grow_with_the_number_of_steps(client: APIClient) -> None:
    small, large = make_campaign(steps=1), make_campaign(steps=200)
    costs = []
    for campaign, position in ((small, 1), (large, 200)):
        with CaptureQueriesContext(connection) as queries:
            client.post(steps_url(campaign), step_body(position))
        costs.append(len(queries))
    assert costs[0] == costs[1]
