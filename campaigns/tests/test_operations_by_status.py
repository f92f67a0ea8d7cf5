"""What may be done in which status: every operation on a campaign and its steps, in every status.

The table below is the specification. It is written out, and not taken from the model, so that a change of the
model's own table shows up here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.statuses import why_not
from campaigns.tests.api import campaign_url, not_editable
from campaigns.tests.factories import make_campaign, step_body, stored

pytestmark = pytest.mark.django_db
STATUSES = ("draft", "active", "paused", "completed", "archived")
EDITABLE = ("draft", "paused")
TARGETS = {
    "draft": ["active", "archived"],
    "active": ["paused", "completed"],
    "paused": ["active", "completed", "archived"],
    "completed": ["archived"],
    "archived": [],
}


class Operation(NamedTuple):
    """One call on a campaign with the steps 0 and 1: in `allowed` statuses it is answered with `code`."""

    method: str
    path: str
    code: int
    allowed: tuple[str, ...] = STATUSES
    body: Callable[[list[str]], Any] = lambda ids: None
    becomes: str | None = None  # the status afterwards; None where it stays
    writes: bool = True

    def call(self, client: APIClient, campaign: Campaign, **headers: str) -> Any:
        ids = [str(step.id) for step in campaign.steps.order_by("position")]
        address = campaign_url(campaign, self.path.format(step_id=ids[0]))
        return getattr(client, self.method)(address, self.body(ids), headers=headers)


OPERATIONS = {
    "getCampaign": Operation("get", "", 200, writes=False),
    "changeCampaign": Operation("patch", "", 200, body=lambda ids: {"name": "Renamed"}),
    "deleteCampaign": Operation("delete", "", 204, ("draft",)),
    "duplicateCampaign": Operation("post", "/duplicate", 201),
    "getReadiness": Operation("get", "/readiness", 200, writes=False),
    "getTimeline": Operation("get", "/timeline", 200, writes=False),
    "getChanges": Operation("get", "/changes", 200, writes=False),
    "listHistory": Operation("get", "/history", 200, writes=False),
    "activateCampaign": Operation("post", "/activate", 200, ("draft", "paused"), becomes="active"),
    "pauseCampaign": Operation("post", "/pause", 200, ("active",), becomes="paused"),
    "completeCampaign": Operation("post", "/complete", 200, ("active", "paused"), becomes="completed"),
    "archiveCampaign": Operation("post", "/archive", 200, ("draft", "paused", "completed"), becomes="archived"),
    "listSteps": Operation("get", "/steps", 200, writes=False),
    "addStep": Operation("post", "/steps", 201, EDITABLE, lambda ids: step_body(2)),
    "addStep, shifting": Operation("post", "/steps?on_conflict=shift", 201, EDITABLE, lambda ids: step_body(0)),
    "addSteps": Operation("post", "/steps/bulk", 201, EDITABLE, lambda ids: {"steps": [step_body(2), step_body(3)]}),
    "reorderSteps": Operation("put", "/steps/order", 200, EDITABLE, lambda ids: {"step_ids": ids[::-1]}),
    "replaceSteps": Operation("put", "/steps", 200, EDITABLE, lambda ids: {"steps": [step_body(7, id=ids[0])]}),
    "getStep": Operation("get", "/steps/{step_id}", 200, writes=False),
    "changeStep": Operation("patch", "/steps/{step_id}", 200, EDITABLE, lambda ids: {"delay_minutes": 5}),
    "deleteStep": Operation("delete", "/steps/{step_id}", 204, EDITABLE),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_in_each_status(client: APIClient, name: str, status: str) -> None:
    operation = OPERATIONS[name]
    campaign = make_campaign(status=status, steps=2)
    before = stored()

    answer = operation.call(client, campaign)

    if status in operation.allowed:
        assert answer.status_code == operation.code, answer.content
        assert (stored() != before) is operation.writes
        left = Campaign.objects.filter(pk=campaign.pk).values_list("status", flat=True).first()
        assert left == (None if name == "deleteCampaign" else operation.becomes or status)
    else:
        assert (answer.status_code, answer.json()) == (412, refusal(operation, campaign, status))
        assert stored() == before


def refusal(operation: Operation, campaign: Campaign, status: str) -> dict[str, Any]:
    """The whole body with which an operation is refused in a status."""
    if operation.becomes:
        return invalid_transition(status, operation.becomes)
    if operation == OPERATIONS["deleteCampaign"]:
        return not_deletable(campaign, status)
    return not_editable(campaign, status)


def invalid_transition(status: str, target: str) -> dict[str, Any]:
    return {
        "error": "bad_state",
        "message": why_not(status, target),
        "details": {
            "reason": "invalid_transition",
            "status": status,
            "target": target,
            "allowed_targets": TARGETS[status],
        },
    }


def not_deletable(campaign: Campaign, status: str) -> dict[str, Any]:
    remedy = {
        "active": f"Pause and archive it instead: POST {campaign_url(campaign, '/pause')}",
        "paused": f"Archive it instead: POST {campaign_url(campaign, '/archive')}",
        "completed": f"Archive it instead: POST {campaign_url(campaign, '/archive')}",
        "archived": "A campaign that is archived is kept.",
    }[status]
    return {
        "error": "bad_state",
        "message": f"Only a draft can be deleted; this campaign is {status}. {remedy}",
        "details": {"reason": "not_deletable", "status": status},
    }


def test_the_table_has_every_operation_on_a_campaign() -> None:
    """An operation that is added without a row above fails here."""
    from campaigns.views import CampaignViewSet, StepViewSet

    declared = {*CampaignViewSet.operation_ids.values(), *StepViewSet.operation_ids.values()}
    assert declared - {"listCampaigns", "createCampaign"} == {name.partition(",")[0] for name in OPERATIONS}
