"""POST /v1/messaging/campaigns/{id}/activate, /pause, /complete and /archive."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.factories import history_of, make_campaign, make_step, stored

pytestmark = pytest.mark.django_db
DAY = 24 * 60
VERBS = {"active": "activate", "paused": "pause", "completed": "complete", "archived": "archive"}
# Written out here and not read from the model: this is what callers are promised.
ALLOWED = {
    "draft": ["active", "archived"],
    "active": ["paused", "completed"],
    "paused": ["active", "completed", "archived"],
    "completed": ["archived"],
    "archived": [],
}
REFUSALS = {
    ("draft", "paused"): "A draft campaign can't become paused. From here it can become active or archived.",
    ("draft", "completed"): "A draft campaign can't become completed. From here it can become active or archived.",
    ("active", "active"): "The campaign is already active. From here it can become paused or completed.",
    ("active", "archived"): "An active campaign can't become archived. From here it can become paused or completed.",
    ("paused", "paused"): "The campaign is already paused. From here it can become active, completed or archived.",
    ("completed", "active"): "A completed campaign can't become active. From here it can become archived.",
    ("completed", "paused"): "A completed campaign can't become paused. From here it can become archived.",
    ("completed", "completed"): "The campaign is already completed. From here it can become archived.",
    ("archived", "active"): "An archived campaign can't become active. This status is final.",
    ("archived", "paused"): "An archived campaign can't become paused. This status is final.",
    ("archived", "completed"): "An archived campaign can't become completed. This status is final.",
    ("archived", "archived"): "The campaign is already archived. This status is final.",
}
ALL = [(status, target) for status in ALLOWED for target in VERBS]


def take(client: APIClient, campaign: Campaign, target: str, body: Any = None) -> Any:
    return client.post(f"/v1/messaging/campaigns/{campaign.id}/{VERBS[target]}", body)


@pytest.mark.parametrize(("status", "target"), [pair for pair in ALL if pair[1] in ALLOWED[pair[0]]])
def test_an_allowed_transition_answers_with_the_campaign(client: APIClient, status: str, target: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    Campaign.objects.update(updated_at="2020-01-01T00:00:00Z")
    answer = take(client, campaign, target)
    campaign.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json() == client.get(f"/v1/messaging/campaigns/{campaign.id}").json()
    assert (answer.json()["status"], campaign.status, campaign.version) == (target, target, 2)
    assert campaign.updated_at.year > 2020
    assert history_of(campaign) == [
        {
            "actor_type": "token",
            "actor_issuer": "https://issuer.example/",
            "actor_id": "writer",
            "actor_name": "writer",
            "action": {
                "active": "campaign.activated",
                "paused": "campaign.paused",
                "completed": "campaign.completed",
                "archived": "campaign.archived",
            }[target],
            "step_id": None,
            "before": {"status": status},
            "after": {"status": target},
        }
    ]


@pytest.mark.parametrize(("status", "target"), [pair for pair in ALL if pair[1] not in ALLOWED[pair[0]]])
def test_any_other_transition_is_refused(client: APIClient, status: str, target: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    before = stored()
    answer = take(client, campaign, target)
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "bad_state",
        "message": REFUSALS[status, target],
        "details": {
            "reason": "invalid_transition",
            "status": status,
            "target": target,
            "allowed_targets": ALLOWED[status],
        },
    }
    assert stored() == before


NO_STEPS = {"code": "no_steps", "message": "The campaign has no steps: add at least one."}
TOO_LONG = {
    "code": "too_long",
    "message": "The campaign lasts 3650 days, longer than ten years: shorten its delays.",
}


@pytest.mark.parametrize("status", ["draft", "paused"])
@pytest.mark.parametrize(
    ("delays", "error"),
    [([], NO_STEPS), ([3650 * DAY + 1], TOO_LONG), ([3650 * DAY, 0, 1], TOO_LONG)],
    ids=["no steps", "one step too long", "too long in sum"],
)
def test_a_campaign_that_would_not_run_is_not_activated(
    client: APIClient, status: str, delays: list[int], error: dict[str, Any]
) -> None:
    campaign = make_campaign(status=status)
    for position, delay in enumerate(delays):
        make_step(campaign, position, delay_minutes=delay)
    make_campaign(steps=1)  # the steps of others don't count
    before = stored()
    answer = take(client, campaign, "active")
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "bad_state",
        "message": f"The campaign isn't ready to be activated: {error['message']}",
        "details": {"reason": "not_ready", "errors": [error]},
    }
    assert stored() == before


def test_what_is_only_unusual_does_not_stop_an_activation(client: APIClient) -> None:
    campaign = make_campaign()
    make_step(campaign, 0, delay_minutes=3650 * DAY, template_version_id="same")
    make_step(campaign, 1, template_version_id="same")
    answer = take(client, campaign, "active")
    assert (answer.status_code, answer.json()["status"]) == (200, "active")


def test_a_draft_without_steps_can_be_archived(client: APIClient) -> None:
    answer = take(client, make_campaign(), "archived")
    assert (answer.status_code, answer.json()["status"]) == (200, "archived")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("body", [None, {}, {"status": "draft"}])
def test_a_body_is_not_needed_and_not_looked_at(client: APIClient, body: Any, slash: str) -> None:
    campaign = make_campaign(status="active")
    answer = client.post(f"/v1/messaging/campaigns/{campaign.id}/pause{slash}", body)
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")


@pytest.mark.parametrize("verb", VERBS.values())
@pytest.mark.parametrize("unknown", ["0190c2ab-1111-7abc-8def-0123456789ab", "7"])
def test_a_campaign_that_does_not_exist_is_not_found(client: APIClient, verb: str, unknown: str) -> None:
    before = stored()
    answer = client.post(f"/v1/messaging/campaigns/{unknown}/{verb}")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "not_found",
        "message": "There is no campaign with this id.",
        "details": {"resource": "campaign", "id": unknown},
    }
    assert stored() == before


@pytest.mark.parametrize("verb", VERBS.values())
def test_a_transition_is_a_post(client: APIClient, verb: str) -> None:
    campaign = make_campaign(status="paused", steps=1)
    before = stored()
    answer = client.get(f"/v1/messaging/campaigns/{campaign.id}/{verb}")
    assert (answer.status_code, answer.json()["error"], answer["Allow"]) == (405, "method_not_allowed", "POST")
    assert stored() == before
