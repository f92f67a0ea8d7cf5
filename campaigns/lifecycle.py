"""A campaign's life: how it is created, how its status changes, and what an activation asks of its steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from campaigns import history
from campaigns.exceptions import ExternalIdTaken, InvalidTransition, NotFound, NotReady
from campaigns.history import Action, Actor
from campaigns.models import Campaign, CampaignStep
from campaigns.sequence import retried

MINUTES_PER_DAY = 24 * 60
MAX_TOTAL_MINUTES = 10 * 365 * MINUTES_PER_DAY
LONG_DELAY_MINUTES = 365 * MINUTES_PER_DAY

ACTIONS: dict[str, Action] = {
    Campaign.Status.ACTIVE: Action.CAMPAIGN_ACTIVATED,
    Campaign.Status.PAUSED: Action.CAMPAIGN_PAUSED,
    Campaign.Status.COMPLETED: Action.CAMPAIGN_COMPLETED,
    Campaign.Status.ARCHIVED: Action.CAMPAIGN_ARCHIVED,
}


@dataclass(frozen=True)
class Readiness:
    """What stands in an activation's way (`errors`), and what is only unusual (`warnings`)."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.errors


@contextmanager
def unique_external_id(external_id: str | None) -> Iterator[None]:
    """Run one write of a campaign's row. The database judges whether the id is free, so a race has one winner."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if external_id is not None and Campaign.objects.filter(external_id=external_id).exists():
            raise ExternalIdTaken(external_id) from error
        raise


def create_campaign(*, name: str, external_id: str | None, description: str, actor: Actor) -> Campaign:
    """A new draft. Raises ExternalIdTaken."""
    with transaction.atomic():
        campaign = Campaign(name=name, external_id=external_id, description=description)
        with unique_external_id(external_id):
            campaign.save(force_insert=True)
        after = {"name": name, "external_id": external_id, "description": description, "status": campaign.status}
        history.record(actor, Action.CAMPAIGN_CREATED, campaign.id, after=after)
    return campaign


@retried
def change_status(campaign_id: UUID, target: str, *, actor: Actor) -> Campaign:
    """Take a campaign to the status `target`.

    The row is locked FOR NO KEY UPDATE before anything is judged, so of two racing calls one wins, and no step is
    added or removed between the readiness check and the activation. Raises NotFound, InvalidTransition or NotReady.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        before = campaign.status
        if target not in campaign.allowed_targets:
            raise InvalidTransition(before, target, campaign.allowed_targets)
        if target == Campaign.Status.ACTIVE and not (readiness := check_readiness(campaign_id)).ready:
            raise NotReady(readiness.errors)
        Campaign.objects.filter(pk=campaign_id).update(status=target, version=F("version") + 1, updated_at=Now())
        history.record(actor, ACTIONS[target], campaign_id, before={"status": before}, after={"status": target})
        campaign.refresh_from_db()
    return campaign


def check_readiness(campaign_id: UUID) -> Readiness:
    """Judge a campaign's steps. Locks nothing: who needs the answer to stay true holds the campaign's row."""
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
    readiness = Readiness()
    total, previous_version = 0, None
    for step_id, version_id, delay in steps.values_list("id", "template_version_id", "delay_minutes").iterator():
        total += delay
        if delay > LONG_DELAY_MINUTES:
            message = f"The step waits {delay // MINUTES_PER_DAY} days, longer than a year."
            readiness.warnings.append({"code": "long_delay", "message": message, "step_id": str(step_id)})
        if version_id == previous_version:
            message = "The step sends the same template version as the step before it."
            readiness.warnings.append({"code": "repeated_version", "message": message, "step_id": str(step_id)})
        previous_version = version_id
    if previous_version is None:
        readiness.errors.append({"code": "no_steps", "message": "The campaign has no steps: add at least one."})
    if total > MAX_TOTAL_MINUTES:
        message = f"The campaign lasts {total // MINUTES_PER_DAY} days, longer than ten years: shorten its delays."
        readiness.errors.append({"code": "too_long", "message": message})
    return readiness
