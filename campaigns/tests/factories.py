"""Campaigns and steps in any state, straight into the database; and the JSON bodies that ask for them."""

from typing import Any

from django.db.models import Model

from campaigns.history import Actor
from campaigns.models import ActorType, Campaign, CampaignStep, HistoryEntry
from campaigns.rules import StepFields

ACTOR = Actor(ActorType.COMMAND, "tests", "tests")


def make_campaign(*, status: str = "draft", steps: int = 0, name: str = "Welcome", **fields: Any) -> Campaign:
    """A campaign of any status, with `steps` steps at the positions 0, 1, 2, …"""
    campaign = Campaign.objects.create(name=name, status=status, **fields)
    CampaignStep.objects.bulk_create(new_step(campaign, position) for position in range(steps))
    return campaign


def make_step(campaign: Campaign, position: int = 0, **fields: Any) -> CampaignStep:
    step = new_step(campaign, position, **fields)
    step.save(force_insert=True)
    return step


def new_step(campaign: Campaign, position: int, **fields: Any) -> CampaignStep:
    """A step that isn't saved; each position has template ids of its own."""
    return CampaignStep(campaign=campaign, **step_body(position, **fields))


def step_body(position: float = 0, **fields: Any) -> dict[str, Any]:
    """The body of a POST of a step: what the contract requires, and `fields`."""
    return {"position": position, "template_id": f"t{position}", "template_version_id": f"t{position}-v1", **fields}


def step_fields(position: int = 0, **fields: Any) -> StepFields:
    """The same as the functions of `steps` take it."""
    return StepFields(**{"delay_minutes": 0, "variables": {}, **step_body(position, **fields)})


def positions(campaign: Campaign) -> list[int]:
    """Where the campaign's steps are, as stored."""
    return list(campaign.steps.order_by("position").values_list("position", flat=True))


def ids(campaign: Campaign) -> list[str]:
    """Of the campaign's steps, by position."""
    return [str(step.id) for step in campaign.steps.order_by("position")]


def templates(campaign: Campaign) -> list[tuple[int, str]]:
    """(position, template) of each step: one made at position 5 has the template t5."""
    return list(campaign.steps.order_by("position").values_list("position", "template_id"))


def sequence_of(campaign: Campaign) -> list[tuple[int, str, int]]:
    """(position, template, version) of each step."""
    return list(campaign.steps.order_by("position").values_list("position", "template_id", "version"))


def stored() -> list[dict[str, Any]]:
    """Every row that the app keeps: two equal answers mean that nothing was written in between."""
    models: tuple[type[Model], ...] = (Campaign, CampaignStep, HistoryEntry)
    return [row for model in models for row in model._default_manager.order_by("pk").values()]


def history_of(campaign: Campaign) -> list[dict[str, Any]]:
    """What the history says of a campaign, oldest first, without ids and times."""
    names = ("actor_type", "actor_issuer", "actor_id", "actor_name", "action", "step_id", "before", "after")
    entries = HistoryEntry.objects.filter(campaign_id=campaign.id).order_by("id")
    return [{name: getattr(entry, name) for name in names} for entry in entries]


def actions(campaign: Campaign) -> list[str]:
    """What was done to a campaign, oldest first."""
    return [entry["action"] for entry in history_of(campaign)]


def told(campaign: Campaign) -> list[tuple[str, Any, Any]]:
    """(action, before, after) of each entry of its history, oldest first."""
    return [(entry["action"], entry["before"], entry["after"]) for entry in history_of(campaign)]
