"""GET …/readiness, and the activation that refuses with the same list."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.api import campaign_url
from campaigns.tests.factories import make_campaign, make_step, stored

pytestmark = pytest.mark.django_db
YEAR, TEN_YEARS = 365 * 24 * 60, 3_650 * 24 * 60
NO_STEPS = {"code": "no_steps", "message": "The campaign has no steps: add at least one."}
TOO_LONG = {
    "code": "too_long",
    "message": "The campaign lasts 3650 days, longer than ten years: shorten its delays.",
}


def readiness(client: APIClient, campaign: Campaign) -> Any:
    answer = client.get(campaign_url(campaign, "/readiness"))
    assert answer.status_code == 200
    return answer.json()


def campaign_of(*delays: int, version: str | None = None) -> Campaign:
    campaign = make_campaign()
    for position, delay in enumerate(delays):
        version_id = version or f"v{position}"
        make_step(campaign, position, delay_minutes=delay, template_id="t", template_version_id=version_id)
    return campaign


@pytest.mark.parametrize(
    ("delays", "errors"),
    [([], [NO_STEPS]), ([YEAR] * 10, []), ([YEAR] * 10 + [1], [TOO_LONG]), ([0], [])],
    ids=["no steps", "ten years", "a minute more", "one step"],
)
def test_errors_stand_in_the_way_of_activation(client: APIClient, delays: list[int], errors: list[Any]) -> None:
    campaign = campaign_of(*delays)
    assert readiness(client, campaign) == {"ready": not errors, "errors": errors, "warnings": []}
    before = stored()
    answer = client.post(campaign_url(campaign, "/activate"))
    if not errors:
        assert (answer.status_code, answer.json()["status"]) == (200, "active")
    else:
        assert (answer.status_code, answer.json()) == (
            412,
            {
                "error": "bad_state",
                "message": "The campaign isn't ready to be activated: " + errors[0]["message"],
                "details": {"reason": "not_ready", "errors": errors},
            },
        )
        assert stored() == before


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_status_that_does_not_lead_to_active_is_an_error_too(client: APIClient, status: str) -> None:
    campaign, empty = make_campaign(status=status, steps=1), make_campaign(status=status)
    found, both = readiness(client, campaign), readiness(client, empty)
    answer = client.post(campaign_url(campaign, "/activate"))
    errors = []
    if status not in ("draft", "paused"):
        assert (answer.status_code, answer.json()["details"]["reason"]) == (412, "invalid_transition")
        errors = [{"code": "invalid_transition", "message": answer.json()["message"]}]
    assert found == {"ready": not errors, "errors": errors, "warnings": []}
    assert both == {"ready": False, "errors": [*errors, NO_STEPS], "warnings": []}


def test_warnings_name_their_steps_and_do_not_stand_in_the_way(client: APIClient) -> None:
    campaign = campaign_of(YEAR, YEAR + 1, 0, version="same")
    _, second, third = campaign.steps.order_by("position")
    repeated = "The step sends the same template version as the step before it."
    assert readiness(client, campaign) == {
        "ready": True,
        "errors": [],
        "warnings": [
            {
                "code": "long_delay",
                "message": "The step waits 365 days, longer than a year.",
                "step_id": str(second.id),
            },
            {"code": "repeated_version", "message": repeated, "step_id": str(second.id)},
            {"code": "repeated_version", "message": repeated, "step_id": str(third.id)},
        ],
    }
    assert client.post(campaign_url(campaign, "/activate")).status_code == 200


def test_versions_of_two_templates_may_have_the_same_id(client: APIClient) -> None:
    campaign = make_campaign()
    for position, template in enumerate(("welcome", "tips")):
        make_step(campaign, position, template_id=template, template_version_id="v1")
    assert readiness(client, campaign)["warnings"] == []


def test_the_same_version_with_another_between_is_no_warning(client: APIClient) -> None:
    campaign = make_campaign()
    for position, version in ((9, "a"), (5, "b"), (0, "a")):  # by position, not in order of creation
        make_step(campaign, position, template_id="t", template_version_id=version)
    assert readiness(client, campaign) == {"ready": True, "errors": [], "warnings": []}
