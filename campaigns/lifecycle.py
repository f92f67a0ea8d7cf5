"""A campaign's life: creating, changing, duplicating and deleting it, and changing its status."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from campaigns import history
from campaigns.catalogue.findings import ask_before_activation
from campaigns.exceptions import ExternalIdTaken, InvalidTransition, NotDeletable, NotFound, NotReady
from campaigns.expressions import CurrentTime
from campaigns.history import Actor
from campaigns.many_steps import copy_steps, write_steps
from campaigns.models import Action, Campaign, CampaignStep
from campaigns.readiness import check_readiness
from campaigns.revisions import freeze
from campaigns.rules import CAMPAIGN_FIELDS, NAME, StepFields
from campaigns.statuses import DELETABLE, STATUSES, Status
from campaigns.steps import locked
from campaigns.versions import IfMatch, current_campaign, match_campaign, match_campaign_or_steps
from messaging_project.database_errors import is_unique_violation, retried

COPY_SUFFIX = " (copy)"
COPIED_NAME_LENGTH = NAME.max_length - len(COPY_SUFFIX)

# How the history names each change of status. An unknown name stops the start.
ACTIONS = {status: Action(row.action) for status, row in STATUSES.items() if row.action}


@contextmanager
def unique_external_id(external_id: str | None) -> Iterator[None]:
    """Run one write of a campaign's row. The database decides whether the id is free, so a race has one winner."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if external_id is not None and is_unique_violation(error):
            raise ExternalIdTaken(external_id, holder_of(external_id)) from error
        raise


def holder_of(external_id: str) -> UUID | None:
    """The campaign that has an external id."""
    return Campaign.objects.filter(external_id=external_id).values_list("id", flat=True).first()


@retried
def create_campaign(
    *,
    name: str,
    actor: Actor,
    external_id: str | None = None,
    description: str = "",
    steps: Sequence[StepFields] = (),
) -> Campaign:
    """Create a draft with `steps`, all at different positions. Raises ExternalIdTaken."""
    campaign = Campaign(name=name, external_id=external_id, description=description)
    with transaction.atomic():
        with unique_external_id(external_id):
            campaign.save(force_insert=True)
        write_steps([CampaignStep(campaign_id=campaign.id, **fields._asdict()) for fields in steps])
        after = {name: getattr(campaign, name) for name in CAMPAIGN_FIELDS} | {"steps": len(steps)}
        history.record(actor, Action.CAMPAIGN_CREATED, campaign.id, after=after)
        return current_campaign(campaign.id)


@retried
def change_campaign(campaign_id: UUID, changes: dict[str, Any], *, actor: Actor, if_match: IfMatch = None) -> Campaign:
    """Change some of a campaign's CAMPAIGN_FIELDS, in any status.

    Raises NotFound, VersionMismatch or ExternalIdTaken.
    """
    with locked(campaign_id) as campaign:
        match_campaign(campaign_id, if_match)
        before, after = history.difference({name: getattr(campaign, name) for name in CAMPAIGN_FIELDS}, changes)
        if after:
            with unique_external_id(after.get("external_id")):
                _update(campaign_id, **after)
            history.record(actor, Action.CAMPAIGN_CHANGED, campaign_id, before=before, after=after)
        return current_campaign(campaign_id)


@retried
def delete_campaign(campaign_id: UUID, *, actor: Actor, if_match: IfMatch = None) -> None:
    """Delete a draft and its steps. Its row is locked FOR UPDATE first.

    Raises NotFound, VersionMismatch or NotDeletable.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        match_campaign_or_steps(campaign_id, if_match)
        if campaign.status not in DELETABLE:
            raise NotDeletable(campaign_id, campaign.status)
        before = {name: getattr(campaign, name) for name in CAMPAIGN_FIELDS}
        count, _ = CampaignStep.objects.filter(campaign_id=campaign_id).delete()
        campaign.delete()
        history.record(actor, Action.CAMPAIGN_DELETED, campaign_id, before=before | {"steps": count})


@retried
def duplicate_campaign(
    campaign_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    external_id: str | None = None,
    if_match: IfMatch = None,
) -> Campaign:
    """A new draft with the same description and steps, and ids of its own; without `name`, with a name like the old.

    Raises NotFound, VersionMismatch or ExternalIdTaken.

    Holds the source's row FOR NO KEY UPDATE, so that the copy shows its steps at one moment.
    """
    with locked(campaign_id) as source:
        match_campaign_or_steps(campaign_id, if_match)
        name = source.name[:COPIED_NAME_LENGTH] + COPY_SUFFIX if name is None else name
        copy = Campaign(name=name, external_id=external_id, description=source.description)
        with unique_external_id(external_id):
            copy.save(force_insert=True)
        count = copy_steps(campaign_id, copy.id)
        own = {"name": name} if external_id is None else {"name": name, "external_id": external_id}
        after = own | {"duplicate_of": str(campaign_id), "steps": count}
        history.record(actor, Action.CAMPAIGN_DUPLICATED, copy.id, after=after)
        return current_campaign(copy.id)


@retried
def change_status(campaign_id: UUID, target: str, *, actor: Actor, if_match: IfMatch = None) -> Campaign:
    """Change a campaign's status to `target`. An activation makes a revision of steps that differ from the latest one.

    The row is locked FOR NO KEY UPDATE before anything is judged. So one of two racing calls wins, and no step is added
    or removed between the readiness check and the activation. Raises NotFound, VersionMismatch, InvalidTransition or
    NotReady.

    The template catalogue, if it can prevent an activation, is asked before the lock; a step that has changed since is
    judged without an answer, unless `if_match` refuses it. Inside a transaction of the caller nothing is asked: see
    ask_before_activation().
    """
    answers = ask_before_activation(campaign_id) if target == Status.ACTIVE else None
    with locked(campaign_id) as campaign:
        match_campaign_or_steps(campaign_id, if_match)
        before = campaign.status
        if target not in STATUSES[before].targets:
            raise InvalidTransition(before, target)
        if target == Status.ACTIVE and not (readiness := check_readiness(campaign_id, answers)).ready:
            raise NotReady(readiness.errors)
        _update(campaign_id, status=target)
        if target == Status.ACTIVE:
            freeze([campaign_id], actor)
        shown = current_campaign(campaign_id)
        told = {"revision": vars(shown)["revision"], "before": {"status": before}, "after": {"status": target}}
        history.record(actor, ACTIONS[target], campaign_id, **told)
        return shown


def _update(campaign_id: UUID, **values: Any) -> None:
    Campaign.objects.filter(pk=campaign_id).update(**values, version=F("version") + 1, updated_at=CurrentTime())
