"""GET, PATCH and DELETE of /v1/messaging/campaigns/{id}/steps/{step_id}."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import CampaignStep
from campaigns.tests.api import NO_ID, campaign_url, faults, not_found, step_url
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, step_body, stored

pytestmark = pytest.mark.django_db
FIELDS: dict[str, Any] = {
    "position": 3,
    "template_id": "welcome",
    "template_version_id": "welcome-v7",
    "delay_minutes": 60,
    "variables": {"name": "Ada", "deep": {"a": [1]}},
}


def test_a_step_has_the_seven_keys_of_the_contract(client: APIClient) -> None:
    step = make_step(make_campaign(), **FIELDS)
    answer = client.get(step_url(step))
    assert answer.status_code == 200
    assert answer.json() == {"id": str(step.id), "campaign_id": str(step.campaign_id), **FIELDS}


@pytest.mark.parametrize(
    "changes",
    [
        {"position": 0},
        {"position": 2_147_483_647},
        {"template_id": "other"},
        {"template_version_id": "other-v1"},
        {"delay_minutes": 0},
        {"variables": {}},
        {"variables": {"other": 1}},
        {"position": 4, "delay_minutes": 5, "variables": {"name": "Bob"}},
    ],
)
def test_a_patch_changes_the_fields_it_names_and_replaces_variables_whole(
    client: APIClient, changes: dict[str, Any]
) -> None:
    campaign = make_campaign()
    step, other = make_step(campaign, **FIELDS), make_step(campaign, 9)
    answer = client.patch(step_url(step), changes)
    assert answer.status_code == 200
    assert answer.json() == {"id": str(step.id), "campaign_id": str(campaign.id), **FIELDS, **changes}
    assert answer.json() == client.get(step_url(step)).json()
    after = CampaignStep.objects.get(pk=step.pk)
    assert (after.version, after.created_at, after.updated_at > step.updated_at) == (2, step.created_at, True)
    assert CampaignStep.objects.filter(pk=other.pk).values().get() == next(
        row for row in CampaignStep.objects.values() if row["id"] == other.pk and row["version"] == 1
    )
    (entry,) = history_of(campaign)
    assert (entry["action"], entry["step_id"]) == ("step.changed", step.id)
    assert (entry["before"], entry["after"]) == ({name: FIELDS[name] for name in changes}, changes)


@pytest.mark.parametrize("changes", [{}, FIELDS, {"position": 3}, {"position": 3.0}, {"unknown": 1}, {"id": NO_ID}])
def test_a_patch_that_changes_nothing_writes_nothing(client: APIClient, changes: dict[str, Any]) -> None:
    step = make_step(make_campaign(), **FIELDS)
    before = stored()
    answer = client.patch(step_url(step), changes)
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert answer.json() == {"id": str(step.id), "campaign_id": str(step.campaign_id), **FIELDS}
    assert stored() == before


def test_true_is_not_1_in_variables(client: APIClient) -> None:
    step = make_step(make_campaign(), variables={"a": 1})
    assert client.patch(step_url(step), {"variables": {"a": True}})["ETag"] == '"2"'
    assert client.get(step_url(step)).content.endswith(b'"variables":{"a":true}}')


def test_a_taken_position_is_refused_with_its_holder(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    first, second, _ = campaign.steps.order_by("position")
    before = stored()
    answer = client.patch(step_url(first), {"position": 1, "delay_minutes": 7})
    assert (answer.status_code, answer.json()) == (
        412,
        {
            "error": "bad_state",
            "message": "Position 1 holds another step. The next free position is 3.",
            "details": {"reason": "position_taken", "position": 1, "step_id": str(second.id), "next_position": 3},
        },
    )
    assert stored() == before


def test_every_fault_of_a_patch_is_named(client: APIClient) -> None:
    step = make_step(make_campaign())
    before = stored()
    answer = client.patch(step_url(step), {"position": "1", "delay_minutes": -1, "variables": None})
    assert faults(answer) == [
        ("position", "invalid_type"),
        ("delay_minutes", "min_value"),
        ("variables", "null"),
    ]
    assert stored() == before


def test_a_delete_removes_the_step_and_packs_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    step = campaign.steps.get(position=1)
    answer = client.delete(step_url(step))
    assert (answer.status_code, answer.content) == (204, b"")
    assert positions(campaign) == [0, 2]
    (entry,) = history_of(campaign)
    assert (entry["action"], entry["step_id"], entry["after"]) == ("step.deleted", step.id, None)
    assert entry["before"] == {"delay_minutes": 0, "variables": {}, **step_body(1)}
    assert client.delete(step_url(step)).status_code == 404


@pytest.mark.parametrize(("method", "body"), [("get", None), ("patch", {"position": -1}), ("delete", None)])
def test_what_is_not_there_is_not_found(client: APIClient, method: str, body: Any) -> None:
    campaign, step = make_campaign(), make_step(make_campaign())
    before = stored()
    for address, resource, echoed in (
        (campaign_url(campaign, f"/steps/{step.id}"), "step", step.id),  # another campaign's
        (campaign_url(campaign, f"/steps/{NO_ID}"), "step", NO_ID),
        (campaign_url(campaign, "/steps/5"), "step", "5"),
        (campaign_url(campaign, "/steps/" + "x" * 201), "step", "x" * 200 + "…"),
        (campaign_url(NO_ID, f"/steps/{step.id}"), "campaign", NO_ID),
        (campaign_url("none", f"/steps/{step.id}"), "campaign", "none"),
        (campaign_url("none", "/steps/none"), "campaign", "none"),
    ):
        answer = getattr(client, method)(address, body)
        assert (answer.status_code, answer.json()) == (404, not_found(resource, echoed))
    assert stored() == before


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_address_works_with_and_without_a_slash(client: APIClient, slash: str) -> None:
    step = make_step(make_campaign())
    assert client.get(step_url(step) + slash).status_code == 200
    assert client.patch(step_url(step) + slash, {"delay_minutes": 1}).status_code == 200
    assert client.delete(step_url(step) + slash).status_code == 204


@pytest.mark.parametrize("method", ["post", "put"])
def test_other_methods_are_told_which_there_are(client: APIClient, method: str) -> None:
    answer = getattr(client, method)(step_url(make_step(make_campaign())), {})
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert sorted(answer["Allow"].split(", ")) == ["DELETE", "GET", "HEAD", "PATCH"]
