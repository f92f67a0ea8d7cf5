"""Prefer: handling=strict (RFC 7240): what would else be ignored is a fault."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns import history
from campaigns.models import Action
from campaigns.revisions import freeze_all
from campaigns.tests.api import ROOT, campaign_url, faults
from campaigns.tests.documented import DOCUMENTED
from campaigns.tests.factories import ACTOR, make_campaign, positions, step_body, stored
from campaigns.views import CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet
from messaging_project.api import query_parameters

pytestmark = pytest.mark.django_db
STRICT = {"Prefer": "handling=strict"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("post", "/steps", step_body(5, delay_minute=5), "delay_minute"),
        ("post", "/steps/bulk", {"steps": [step_body(5), step_body(6, delay_minute=5)]}, "steps[1].delay_minute"),
        ("post", "/steps/bulk", {"steps": [step_body(5)], "stepz": 1}, "stepz"),
        ("put", "/steps", {"steps": [step_body(5, delay_minute=5)]}, "steps[0].delay_minute"),
        ("put", "/steps/order", {"step_ids": [], "step_id": 1}, "step_id"),
        ("patch", "/steps/{id}", {"delay_minute": 5}, "delay_minute"),
        ("patch", "", {"nam": "x"}, "nam"),
        ("patch", "", {"steps": []}, "steps"),
        ("post", None, {"name": "x", "steps": [step_body(0, delay_minute=5)]}, "steps[0].delay_minute"),
        ("post", "/steps", step_body(5, **{"a b": 1}), '["a b"]'),
    ],
)
def test_an_unknown_property_is_refused_on_request_and_else_ignored(
    client: APIClient, method: str, path: str | None, body: Any, expected: str
) -> None:
    campaign = make_campaign(steps=0 if path == "/steps/order" else 1)
    step_id = campaign.steps.values_list("id", flat=True).first()
    address = ROOT if path is None else campaign_url(campaign, path.format(id=step_id))
    before = stored()
    refused = getattr(client, method)(address, body, headers=STRICT)
    assert faults(refused) == [(expected, "unknown")]
    assert refused["Preference-Applied"] == "handling=strict"
    assert stored() == before
    taken = getattr(client, method)(address, body)
    assert taken.status_code in {200, 201}
    assert "Preference-Applied" not in taken


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("delay_minute", "Unknown property; did you mean delay_minutes?"),
        ("Position", "Unknown property; did you mean position?"),
        ("templateId", "Unknown property; did you mean template_id?"),
        (
            "zzz",
            "Unknown property; known are position, template_id, template_version_id, delay_minutes, variables.",
        ),
    ],
)
def test_the_nearest_known_name_is_suggested(client: APIClient, name: str, message: str) -> None:
    answer = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, **{name: 1}), headers=STRICT)
    assert answer.json()["details"]["errors"] == [{"field": name, "code": "unknown", "message": message}]


# Every operation, and a body with which it would pass.
OPERATIONS: dict[str, tuple[str, str, Any]] = {
    "listCampaigns": ("get", ROOT, None),
    "createCampaign": ("post", ROOT, {"name": "x"}),
    "getCampaign": ("get", "", None),
    "changeCampaign": ("patch", "", {"name": "x"}),
    "deleteCampaign": ("delete", "", None),
    "duplicateCampaign": ("post", "/duplicate", None),
    "listSteps": ("get", "/steps", None),
    "addStep": ("post", "/steps", step_body(5)),
    "replaceSteps": ("put", "/steps", {"steps": []}),
    "addSteps": ("post", "/steps/bulk", {"steps": [step_body(5)]}),
    "reorderSteps": ("put", "/steps/order", {"step_ids": ["{step_id}"]}),
    "getStep": ("get", "/steps/{step_id}", None),
    "changeStep": ("patch", "/steps/{step_id}", {"delay_minutes": 5}),
    "deleteStep": ("delete", "/steps/{step_id}", None),
    "activateCampaign": ("post", "/activate", None),
    "pauseCampaign": ("post", "/pause", None),
    "completeCampaign": ("post", "/complete", None),
    "archiveCampaign": ("post", "/archive", None),
    "getReadiness": ("get", "/readiness", None),
    "getTimeline": ("get", "/timeline", None),
    "listHistory": ("get", "/history", None),
    "listRevisions": ("get", "/revisions", None),
    "getRevision": ("get", "/revisions/latest", None),
    "getChanges": ("get", "/changes", None),
    "listEvents": ("get", "/v1/messaging/events", None),
}
STARTS_FROM = {"pauseCampaign": "active", "completeCampaign": "active"}


class Call:
    """One of OPERATIONS, on a campaign of one step."""

    def __init__(self, client: APIClient, name: str) -> None:
        self.method, path, self.body = OPERATIONS[name]
        campaign = make_campaign(steps=1, status=(STARTS_FROM | {"getRevision": "active"}).get(name, "draft"))
        history.record(ACTOR, Action.CAMPAIGN_CREATED, campaign.id)
        list(freeze_all())
        step_id = str(campaign.steps.get().id)
        self.client = client
        self.address = path if path.startswith("/v1") else campaign_url(campaign, path.format(step_id=step_id))
        if name == "reorderSteps":
            self.body = {"step_ids": [step_id]}

    def __call__(self, query: str = "", body: Any = None, **headers: str) -> Any:
        return getattr(self.client, self.method)(self.address + query, body or self.body, headers=headers)


def test_every_operation_is_among_the_calls() -> None:
    views = (CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet)
    of_views = {name for view in views for name in view.operation_ids.values()}
    assert of_views == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_unknown_parameter_is_refused_on_request_and_else_ignored(client: APIClient, name: str) -> None:
    call = Call(client, name)
    before = stored()
    refused = call("?page=2", **STRICT)
    assert faults(refused) == [("page", "unknown")]
    assert refused.json() in DOCUMENTED[name].examples(400)
    assert refused["Preference-Applied"] == "handling=strict"
    assert stored() == before
    taken = call("?page=2")
    assert taken.status_code in {200, 201, 204}
    assert "Preference-Applied" not in taken


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_faults_strictness_changes_no_more_than_a_header(client: APIClient, name: str) -> None:
    answer = Call(client, name)(**STRICT)
    assert (answer.status_code in {200, 201, 204}, answer["Preference-Applied"]) == (True, "handling=strict")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?stauts=active", "Unknown parameter; did you mean status?"),
        ("?status=active&status=draft&limit=1&limit=2", "Is given more than once: send it once."),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said(client: APIClient, query: str, message: str) -> None:
    (fault,) = client.get(ROOT + query, headers=STRICT).json()["details"]["errors"]
    assert fault["message"] == message


@pytest.mark.parametrize("headers", [{}, STRICT], ids=["leniently", "strictly"])
@pytest.mark.parametrize(
    ("name", "query", "field"),
    [
        ("listCampaigns", "?limit=0&limit=1", "limit"),
        ("listCampaigns", "?sort=foo&sort=name", "sort"),
        ("listCampaigns", "?search=a&search=a", "search"),
        ("listCampaigns", "?created_from=2026-01-01&created_from=2026-01-02", "created_from"),
        ("addSteps", "?on_conflict=x&on_conflict=shift", "on_conflict"),
        ("getTimeline", "?tz=UTC&tz=Europe/Berlin", "tz"),
        ("listEvents", "?cursor=latest&cursor=latest", "cursor"),
    ],
)
def test_a_parameter_that_has_one_value_is_given_once(
    client: APIClient, name: str, query: str, field: str, headers: dict[str, str]
) -> None:
    call = Call(client, name)
    before = stored()
    assert faults(call(query, **headers)) == [(field, "repeated")]
    assert stored() == before


def test_near_names_are_looked_for_as_long_as_they_are_listed(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    monkeypatch.setattr(
        query_parameters, "get_close_matches", lambda name, known, n: looked_at.extend([name] * bool(known))
    )
    answer = client.get(f"{ROOT}?{'&'.join(f'stauts{n}=1' for n in range(200))}", headers=STRICT)
    assert (answer.json()["details"]["total"], len(looked_at)) == (200, 100)


def test_an_operation_without_parameters_says_so(client: APIClient) -> None:
    answer = client.get(campaign_url(make_campaign(), "/readiness?full=1"), headers=STRICT)
    assert answer.json()["message"] == "full: Unknown parameter; none is known here."


@pytest.mark.parametrize("name", ["deleteCampaign", "deleteStep", *STARTS_FROM, "activateCampaign", "archiveCampaign"])
def test_a_body_where_none_is_taken_is_refused_on_request_and_else_ignored(client: APIClient, name: str) -> None:
    call = Call(client, name)
    before = stored()
    assert faults(call(body={"status": "active"}, **STRICT)) == [("", "unexpected")]
    assert stored() == before
    assert call(body={"status": "active"}).status_code in {200, 204}


def test_the_history_of_a_deleted_campaign_is_judged_strictly_too(client: APIClient) -> None:
    campaign = make_campaign()
    client.delete(campaign_url(campaign))
    assert faults(client.get(campaign_url(campaign, "/history?x=1"), headers=STRICT)) == [("x", "unknown")]


def test_a_preference_that_nobody_came_to_judge_was_not_applied(client: APIClient) -> None:
    address = campaign_url(make_campaign(), "/steps")
    assert "Preference-Applied" not in APIClient().post(address, step_body(0), headers=STRICT)
    assert "Preference-Applied" not in client.put(campaign_url(make_campaign(), "/pause"), headers=STRICT)
    assert "Preference-Applied" not in client.post(address, "{", content_type="application/json", headers=STRICT)


def test_an_answer_that_is_given_again_was_judged_strictly_as_well(client: APIClient) -> None:
    address, headers = campaign_url(make_campaign(), "/steps"), {**STRICT, "Idempotency-Key": "k"}
    first, again = (client.post(address, step_body(0), headers=headers) for _ in range(2))
    assert again["Idempotent-Replayed"] == "true"
    assert first["Preference-Applied"] == again["Preference-Applied"] == "handling=strict"


def test_what_get_gave_can_be_sent_back(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    steps = client.get(campaign_url(campaign, "/steps")).json()["results"]
    replaced = client.put(campaign_url(campaign, "/steps"), {"steps": steps}, headers=STRICT)
    changed = client.patch(campaign_url(campaign, f"/steps/{steps[0]['id']}"), steps[0], headers=STRICT)
    address = campaign_url(str(campaign.id).upper(), f"/steps/{steps[1]['id'].upper()}")
    spelled_otherwise = client.patch(address, steps[1], headers=STRICT)
    answers = [replaced.json()["results"], changed.json(), spelled_otherwise.json()]
    assert answers == [steps, *steps]
    added = client.post(campaign_url(campaign, "/steps"), step_body(7, campaign_id=str(campaign.id)), headers=STRICT)
    assert added.status_code == 201


def test_what_another_address_gave_can_not(client: APIClient) -> None:
    campaign, other = make_campaign(steps=2), make_campaign(steps=1)
    first, second = client.get(campaign_url(campaign, "/steps")).json()["results"]
    foreign = {**first, "campaign_id": str(other.id)}
    address = campaign_url(campaign, "/steps")
    assert faults(client.put(address, {"steps": [foreign]}, headers=STRICT)) == [("steps[0].campaign_id", "read_only")]
    assert faults(client.patch(f"{address}/{first['id']}", second, headers=STRICT)) == [("id", "read_only")]
    assert faults(client.post(address, step_body(7, campaign_id=None), headers=STRICT)) == [
        ("campaign_id", "read_only")
    ]


def test_what_only_the_service_sets_is_told_apart(client: APIClient) -> None:
    answer = client.post(ROOT, {"name": "x", "status": "active", "id": "1"}, headers=STRICT)
    assert faults(answer) == [("id", "read_only"), ("status", "read_only")]
    assert answer.json()["details"]["errors"][0]["message"] == "Can't be set."
    step = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, campaign_id="1"), headers=STRICT)
    assert faults(step) == [("campaign_id", "read_only")]


def test_other_faults_are_told_as_well(client: APIClient) -> None:
    answer = client.post(
        campaign_url(make_campaign(), "/steps?on_conflict=x"), {"position": -1, "delay": 1}, headers=STRICT
    )
    assert {field for field, _ in faults(answer)} == {
        "position",
        "template_id",
        "template_version_id",
        "delay",
        "on_conflict",
    }


def test_inside_variables_any_name_is_known(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(
        campaign_url(campaign, "/steps"), step_body(0, variables={"delay_minute": {"x": 1}}), headers=STRICT
    )
    assert (answer.status_code, answer["Preference-Applied"]) == (201, "handling=strict")
    assert positions(campaign) == [0]


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ("Handling = Strict", True),
        ('handling="strict"', True),
        ("respond-async, handling=strict; x=1, wait=10", True),
        ("handling=lenient", False),
        ("handling=strictly", False),
        ('x="a,handling=strict"', False),
        (r'x="a\",handling=strict"', False),
        ('x="a,handling=strict', False),
        ('x="a,b", handling=strict', True),
        ("handling=lenient, handling=strict", False),
        ("handling, handling=strict", False),
        ("handling=strict, handling=lenient", True),
        ("strict", False),
        ("", False),
    ],
)
def test_how_the_preference_is_spelt(client: APIClient, prefer: str, strict: bool) -> None:
    answer = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, extra=1), headers={"Prefer": prefer})
    assert answer.status_code == (400 if strict else 201)
    assert answer.get("Preference-Applied") == ("handling=strict" if strict else None)


def test_a_campaign_that_is_not_there_is_told_first(client: APIClient) -> None:
    assert client.post(campaign_url("none", "/steps"), {"x": 1}, headers=STRICT).status_code == 404
