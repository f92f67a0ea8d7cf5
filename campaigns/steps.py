"""Writes of single steps of a campaign, for API, admin and commands alike.

Locks: adding a step holds the campaign's row FOR SHARE, so adders don't wait for each other, but a change of status
waits for them. Every other write of steps holds it FOR NO KEY UPDATE. A database without row locks (SQLite) runs each
transaction alone. Writes of many steps at once are in `many_steps`, those of bulk loads in `seeding`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from psycopg.types.numeric import Int8

from campaigns import history
from campaigns.canonical_json import as_json
from campaigns.exceptions import CampaignNotEditable, Contention, NoRoom, NotFound, PositionTaken
from campaigns.expressions import CurrentTime
from campaigns.history import Actor, difference
from campaigns.models import Action, Campaign, CampaignStep, new_id
from campaigns.rules import StepFields
from campaigns.versions import STEP_COLUMNS, IfMatch, match_list, match_version
from messaging_project import compiled
from messaging_project.database_errors import ATTEMPTS, retried
from messaging_project.prepared import prepared_cursor

MAX_POSITION = CampaignStep.PARKING - 1
FIRST_VERSION = 1
FIRST_RANGE = 64  # positions that the search for a free one reads at first


@contextmanager
def locked(campaign_id: UUID) -> Iterator[Campaign]:
    """A transaction that holds a campaign's row FOR NO KEY UPDATE. Raises NotFound."""
    with transaction.atomic():
        found = compiled.instances(Campaign, _locked, campaign_id)
        if not found:
            raise NotFound("campaign", campaign_id)
        yield found[0]


def _locked(campaign_id: UUID) -> QuerySet[Campaign, Any]:
    return Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).order_by()


def require_editable(campaign: Campaign) -> None:
    """Raises CampaignNotEditable."""
    if not campaign.is_editable:
        raise CampaignNotEditable(campaign.id, campaign.status)


@retried
def add_step(
    campaign_id: UUID, fields: StepFields, *, actor: Actor, shift: bool = False, if_match: IfMatch = None
) -> CampaignStep:
    """Add one step and its history entry.

    With `shift`, the unbroken run of steps from its position on moves up by one to make room. `if_match` is of the
    step list. Raises NotFound, VersionMismatch, CampaignNotEditable, PositionTaken (without `shift`), NoRoom (with it)
    or Contention. On PostgreSQL, without `shift` and `if_match`, it is one statement in autocommit.
    """
    if connection.vendor == "postgresql" and not shift and if_match is None:
        # Its times are the database's: they are read where somebody asks for them.
        step = CampaignStep.from_db("default", STEP_COLUMNS, (new_id(), campaign_id, *fields, FIRST_VERSION))
        _add_in_one_statement(step, actor)
        return step
    step = CampaignStep(id=new_id(), campaign_id=campaign_id, **fields._asdict())
    with locked(campaign_id) as campaign:
        match_list(campaign_id, if_match)
        require_editable(campaign)
        if shift:
            _make_room(campaign_id, step.position, actor)
        elif taken := position_taken(campaign_id, step.position):
            raise taken
        step.save(force_insert=True)
        history.record(actor, Action.STEP_ADDED, campaign_id, step_id=step.id, after=fields._asdict())
    return step


EDITABLE = ", ".join(f"'{status}'" for status in Campaign.EDITABLE)
# The campaign's row lock comes first and the status is read under it: a status change that commits meanwhile is seen.
# The moment of the history entry is read for a step that was inserted, and so after the lock was granted.
ADD_STEP = f"""
WITH campaign AS (
    SELECT id, status FROM campaigns_campaign WHERE id = %(campaign_id)s FOR SHARE
), moment AS (
    INSERT INTO campaigns_campaignstep ({", ".join(STEP_COLUMNS)})
    SELECT {", ".join(f"%({name})s" for name in STEP_COLUMNS)} FROM campaign WHERE campaign.status IN ({EDITABLE})
    ON CONFLICT (campaign_id, position) DO NOTHING
    RETURNING id AS step_id, {history.CLOCK} AS at
), entry AS ({history.ADD_ENTRY})
SELECT campaign.status, moment.step_id FROM campaign LEFT JOIN moment ON TRUE
"""  # noqa: S608 - put together from names that stand in the code


def _add_in_one_statement(step: CampaignStep, actor: Actor) -> None:
    for _ in range(ATTEMPTS):
        with prepared_cursor() as cursor:
            cursor.execute(ADD_STEP, _add_step_parameters(step, actor))
            row: tuple[str, UUID | None] | None = cursor.fetchone()
        if row is None:
            raise NotFound("campaign", step.campaign_id)
        status, added_id = row
        if status not in Campaign.EDITABLE:
            raise CampaignNotEditable(step.campaign_id, status)
        if added_id is not None:
            return
        if taken := position_taken(step.campaign_id, step.position):
            raise taken
        # The holder is gone: deleted, moved, or rolled back.
    raise Contention


def _add_step_parameters(step: CampaignStep, actor: Actor) -> dict[str, Any]:
    fields = step.fields._asdict()
    entry = history.entry_values(actor, Action.STEP_ADDED, step.campaign_id, step_id=step.id, after=fields)
    # Of one type whatever their size: a prepared statement is another one with parameters of other types.
    numbers = {name: Int8(getattr(step, name)) for name in ("position", "delay_minutes", "version")}
    columns = {**fields, **numbers, "variables": as_json(step.variables), "id": step.id}
    return {**history.parameters(entry), **columns}


@retried
def change_step(
    campaign_id: UUID, step_id: UUID, changes: dict[str, Any], *, actor: Actor, if_match: IfMatch = None
) -> CampaignStep:
    """Change some fields of a step. Its version goes up if that changes anything.

    Raises NotFound, VersionMismatch, CampaignNotEditable or PositionTaken.
    """
    with locked(campaign_id) as campaign:
        step = find_step(campaign_id, step_id)
        match_version(step.etag, if_match)
        require_editable(campaign)
        before, after = difference(step.fields._asdict(), changes)
        if not after:
            return step
        if "position" in after and (taken := position_taken(campaign_id, after["position"])):
            raise taken
        for name, value in after.items():
            setattr(step, name, value)
        step.version += 1
        step.updated_at = timezone.now()
        step.save(update_fields=(*after, "version", "updated_at"))
        history.record(actor, Action.STEP_CHANGED, campaign_id, step_id=step_id, before=before, after=after)
    return step


@retried
def remove_step(campaign_id: UUID, step_id: UUID, *, actor: Actor, if_match: IfMatch = None) -> None:
    """Delete one step; the others keep their positions.

    Raises NotFound, VersionMismatch or CampaignNotEditable.
    """
    with locked(campaign_id) as campaign:
        step = find_step(campaign_id, step_id)
        match_version(step.etag, if_match)
        require_editable(campaign)
        CampaignStep.objects.filter(campaign_id=campaign_id, pk=step_id).delete()
        history.record(actor, Action.STEP_DELETED, campaign_id, step_id=step_id, before=step.fields._asdict())


def find_step(campaign_id: UUID, step_id: UUID) -> CampaignStep:
    """A step of this campaign. Raises NotFound."""
    found = compiled.instances(CampaignStep, _step, campaign_id, step_id)
    if not found:
        raise NotFound("step", step_id)
    return found[0]


def _step(campaign_id: UUID, step_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id, pk=step_id).order_by()


# --- Positions -------------------------------------------------------------------------------------------------------


def position_taken(campaign_id: UUID, position: int) -> PositionTaken | None:
    """The refusal that names the step at `position`, or None if the position is free."""
    holders = compiled.rows(_at, campaign_id, position)
    if not holders:
        return None
    free = first_free_position(campaign_id, position)
    return PositionTaken(position, holders[0].id, free if free <= MAX_POSITION else None)


def _at(campaign_id: UUID, position: int) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id, position=position).order_by().values_list("id")


def first_free_position(campaign_id: UUID, position: int) -> int:
    """The smallest free position from `position` on; MAX_POSITION + 1 if all are taken.

    It reads a range of positions, then one twice as wide, and so on. However the database plans these queries, they
    read at most two rows for each step of the run, and FIRST_RANGE more.
    """
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by()
    first, width = position, FIRST_RANGE
    while True:
        positions = range(first, first + width)
        taken = set(steps.filter(position__range=(positions[0], positions[-1])).values_list("position", flat=True))
        if len(taken) < width:
            return next(position for position in positions if position not in taken)
        first, width = first + width, 2 * width


def _make_room(campaign_id: UUID, position: int, actor: Actor) -> None:
    """Move the unbroken run of steps from `position` up by one. Raises NoRoom.

    positions.make_room() moves each step to a place of its own, so it reads and names them all. For one new step two
    statements do, however long the run is.
    """
    free = first_free_position(campaign_id, position)
    if free == position:
        return
    if free > MAX_POSITION:
        raise NoRoom(position)
    run = CampaignStep.objects.filter(campaign_id=campaign_id, position__range=(position, free - 1))
    parked = CampaignStep.objects.filter(campaign_id=campaign_id, position__gte=CampaignStep.PARKING)
    count = run.update(
        position=F("position") + CampaignStep.PARKING + 1, version=F("version") + 1, updated_at=CurrentTime()
    )
    parked.update(position=F("position") - CampaignStep.PARKING)
    history.record(
        actor, Action.STEPS_SHIFTED, campaign_id, after={"from_position": position, "to_position": free, "steps": count}
    )
