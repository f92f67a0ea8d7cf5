"""Addresses of the API, the calls that write many steps, and the bodies of refusals that several operations share."""

from typing import Any

from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep

ROOT = "/v1/messaging/campaigns"
NO_ID = "0190c2ab-1111-7abc-8def-0123456789ab"  # an id that could exist, and doesn't


def campaign_url(campaign: Campaign | str, path: str = "") -> str:
    return f"{ROOT}/{campaign if isinstance(campaign, str) else campaign.id}{path}"


def step_url(step: CampaignStep) -> str:
    return f"{ROOT}/{step.campaign_id}/steps/{step.id}"


def add_steps(client: APIClient, campaign: Campaign, steps: Any, **headers: str) -> Any:
    return client.post(campaign_url(campaign, "/steps/bulk"), {"steps": steps}, headers=headers)


def reorder(client: APIClient, campaign: Campaign, step_ids: Any, **headers: str) -> Any:
    return client.put(campaign_url(campaign, "/steps/order"), {"step_ids": step_ids}, headers=headers)


def replace_steps(client: APIClient, campaign: Campaign, steps: Any, **headers: str) -> Any:
    return client.put(campaign_url(campaign, "/steps"), {"steps": steps}, headers=headers)


def not_editable(campaign: Campaign, status: str) -> dict[str, Any]:
    """The whole body of the refusal to write steps of a campaign."""
    if status == "active":
        remedy = f"Pause the campaign first: POST {campaign_url(campaign, '/pause')}"
    else:
        remedy = f"Duplicate it and change the copy: POST {campaign_url(campaign, '/duplicate')}"
    return {
        "error": "bad_state",
        "message": f"The steps of a campaign that is {status} can't be changed. {remedy}",
        "details": {
            "reason": "campaign_not_editable",
            "status": status,
            "editable_statuses": ["draft", "paused"],
        },
    }


def not_found(resource: str, id: Any) -> dict[str, Any]:
    what = f"no {resource} with this id"
    if resource == "revision":
        what = "no such revision: activations make them, numbered from 1"
    return {
        "error": "not_found",
        "message": f"There is {what}.",
        "details": {"resource": resource, "id": str(id)},
    }


def stale(etag: str) -> dict[str, Any]:
    """The whole body of the refusal of an If-Match that isn't `etag`, the current one."""
    return {
        "error": "precondition_failed",
        "message": "It was changed since you read it: get it again and repeat your change.",
        "details": {"etag": etag},
    }


def faults(answer: Any) -> list[tuple[str, str]]:
    """(field, code) of each fault of a 400, after a look at the rest of its envelope."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (400, "validation_error"), body
    assert all(set(fault) == {"field", "code", "message"} and fault["message"] for fault in body["details"]["errors"])
    return [(fault["field"], fault["code"]) for fault in body["details"]["errors"]]
