"""Writes of many steps of a campaign at once.

Each is one transaction with a constant number of statements, and holds the campaign's row FOR NO KEY UPDATE.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.utils import timezone

from campaigns import history
from campaigns.canonical_json import canonical
from campaigns.exceptions import NoRoom, PositionTaken, StepSetMismatch
from campaigns.expressions import CurrentTime
from campaigns.history import Actor
from campaigns.models import Action, CampaignStep, new_id
from campaigns.parts import WHOLE, Part
from campaigns.positions import Move, json_table, make_room, moves_up, park, place, settle
from campaigns.rules import STEP_FIELDS, StepFields
from campaigns.steps import FIRST_VERSION, MAX_POSITION, locked, position_taken, require_editable
from campaigns.versions import STEP_COLUMNS, IfMatch, list_etag, match_list, match_version
from messaging_project.database_errors import retried
from messaging_project.field_paths import MAX_LISTED_FAULTS

NEW = UUID(int=0)  # stands for the id of a step that has none yet


class DesiredStep(NamedTuple):
    """A step of the new sequence; the `id` of a new one is None."""

    id: UUID | None
    fields: StepFields


@retried
def add_steps(
    campaign_id: UUID, many: Sequence[StepFields], *, actor: Actor, shift: bool = False, if_match: IfMatch = None
) -> list[CampaignStep]:
    """Add all of `many`, whose positions differ from each other, or none.

    With `shift`, room is made as if they were added one by one in ascending position: each stands where it asks to.
    Raises NotFound, VersionMismatch, CampaignNotEditable, NoRoom (with `shift`), or PositionTaken (without) for the
    first whose position is taken.
    """
    steps = [CampaignStep(id=new_id(), campaign_id=campaign_id, **fields._asdict()) for fields in many]
    with locked(campaign_id) as campaign:
        match_list(campaign_id, if_match)
        require_editable(campaign)
        positions = [step.position for step in steps]
        if shift:
            make_room(campaign_id, positions, actor)
        elif taken := _first_taken(campaign_id, positions):
            raise taken
        write_steps(steps)
        history.record(actor, Action.STEPS_ADDED, campaign_id, after={"steps": len(steps)})
    return steps


def _first_taken(
    campaign_id: UUID, positions: list[int], besides: Collection[CampaignStep] = ()
) -> PositionTaken | None:
    """The refusal of the first of the positions that holds a step, one of `besides` left out."""
    held = CampaignStep.objects.filter(campaign_id=campaign_id, position__in=positions)
    held = held.exclude(pk__in=[step.pk for step in besides])
    held_positions = set(held.values_list("position", flat=True))
    first = next((position for position in positions if position in held_positions), None)
    return None if first is None else position_taken(campaign_id, first)


@retried
def reorder_steps(
    campaign_id: UUID, step_ids: Sequence[str], *, actor: Actor, if_match: IfMatch = None
) -> list[CampaignStep]:
    """Renumber the steps from 0 in the order of `step_ids`, which must be exactly the campaign's.

    Raises NotFound, VersionMismatch, StepSetMismatch or CampaignNotEditable.
    """
    with locked(campaign_id) as campaign:
        match_list(campaign_id, if_match)
        current = _steps_by_id(campaign_id)
        given = set(step_ids)
        _require_known(step_ids, current, missing=[step_id for step_id in current if step_id not in given])
        require_editable(campaign)
        desired = [
            DesiredStep(current[step_id].id, current[step_id].fields._replace(position=position))
            for position, step_id in enumerate(step_ids)
        ]
        steps, counts = _rearrange(campaign_id, current, desired)
        if counts["changed"]:
            history.record(actor, Action.STEPS_REORDERED, campaign_id, after={"steps": counts["changed"]})
    return steps


@retried
def replace_steps(
    campaign_id: UUID,
    desired: Sequence[DesiredStep],
    *,
    actor: Actor,
    if_match: IfMatch = None,
    tell_each: bool = False,
) -> list[CampaignStep]:
    """Make `desired`, whose positions differ from each other, the whole sequence; returns it in order.

    Steps with an id are kept and changed, the others added, the absent removed. The history gets their counts; with
    `tell_each`, an entry for each step, and counts of those that only moved. Raises NotFound, VersionMismatch,
    StepSetMismatch (an id that isn't a step of the campaign, or comes twice) or CampaignNotEditable.
    """
    with locked(campaign_id) as campaign:
        match_list(campaign_id, if_match)
        current = _steps_by_id(campaign_id)
        _require_known([None if step.id is None else str(step.id) for step in desired], current)
        require_editable(campaign)
        before = _fields_by_id(current.values()) if tell_each else {}
        steps, counts = _rearrange(campaign_id, current, desired)
        if tell_each:
            history.record_each(actor, campaign_id, _told(before, _fields_by_id(steps)))
        elif any(counts.values()):
            history.record(actor, Action.STEPS_REPLACED, campaign_id, after=dict(counts))
    return steps


@retried
def replace_part(
    campaign_id: UUID, part: Part, desired: Sequence[DesiredStep], *, actor: Actor, shift: bool = False
) -> None:
    """Make `desired`, whose positions differ from each other, the steps of a part; the other steps stay.

    A step may leave the part for a free position; with `shift`, room is made for it, as add_steps() makes it. The
    history gets an entry for each step, and counts of those that only moved. Raises
    NotFound, StepSetMismatch (an id that isn't a step of the part, or comes twice), CampaignNotEditable, PositionTaken
    (without `shift`) or NoRoom (with it).
    """
    with locked(campaign_id) as campaign:
        current = _steps_by_id(campaign_id, part)
        _require_known([None if step.id is None else str(step.id) for step in desired], current)
        require_editable(campaign)
        leaving = [step.fields.position for step in desired if not part.has_place(step.fields.position)]
        moves: list[Move] = []
        if taken := _first_taken(campaign_id, leaving, besides=current.values()):
            if not shift:
                raise taken
            desired, moves = _with_room(campaign_id, part, current, desired)
        park([move.step_id for move in moves])
        before = _fields_by_id(current.values())
        steps, _ = _rearrange(campaign_id, current, desired, part)
        place(campaign_id, moves, actor)
        history.record_each(actor, campaign_id, _told(before, _fields_by_id(steps)))


def _with_room(
    campaign_id: UUID, part: Part, current: dict[str, CampaignStep], desired: Sequence[DesiredStep]
) -> tuple[list[DesiredStep], list[Move]]:
    """As if the steps that leave the part came one by one, lowest first, to a sequence of all others.

    Returns the steps of the part, and how the others move. Raises NoRoom.
    """
    wanted = sorted(step.fields.position for step in desired if not part.has_place(step.fields.position))
    others = CampaignStep.objects.filter(campaign_id=campaign_id, position__gte=wanted[0])
    others = others.exclude(pk__in=[step.pk for step in current.values()])
    held = dict(others.values_list("position", "id"))
    places = [step.fields.position for step in desired if part.has_place(step.fields.position)]
    staying = {position: NEW for position in places if position >= wanted[0]}
    moves = list(moves_up([(step_id, position) for position, step_id in sorted((held | staying).items())], wanted))
    if moves and moves[-1].new > MAX_POSITION:
        raise NoRoom(wanted[0])
    moved = {move.old: move.new for move in moves if move.old in staying}
    arranged = [
        step._replace(fields=step.fields._replace(position=moved.get(step.fields.position, step.fields.position)))
        for step in desired
    ]
    return arranged, [move for move in moves if move.old in held]


def _fields_by_id(steps: Iterable[CampaignStep]) -> dict[UUID, StepFields]:
    return {step.id: step.fields for step in steps}


def _told(old: dict[UUID, StepFields], new: dict[UUID, StepFields]) -> Iterator[dict[str, Any]]:
    """The history's entries of what leads from one sequence to the other; both are in order."""
    kept = [step_id for step_id in new if step_id in old]
    changes = {step_id: history.difference(old[step_id]._asdict(), new[step_id]._asdict()) for step_id in kept}
    moved = [step_id for step_id, (_, after) in changes.items() if list(after) == ["position"]]
    for step_id, fields in old.items():
        if step_id not in new:
            yield {"action": Action.STEP_DELETED, "step_id": step_id, "before": fields._asdict()}
    if len(moved) > 1:
        in_old_order = [step_id for step_id in old if step_id in new]
        yield _told_of_moves([(old[each].position, new[each].position) for each in moved], kept == in_old_order)
    for step_id, fields in new.items():
        before, after = changes.get(step_id, (None, fields._asdict()))
        if after and not (step_id in moved and len(moved) > 1):
            action = Action.STEP_CHANGED if step_id in old else Action.STEP_ADDED
            yield {"action": action, "step_id": step_id, "before": before, "after": after}


def _told_of_moves(moves: list[tuple[int, int]], is_order_kept: bool) -> dict[str, Any]:
    """The entry of several steps that got other positions and nothing else: room was made, or they were reordered."""
    if is_order_kept and all(new > old for old, new in moves):
        counts = {"from_position": moves[0][0], "to_position": moves[-1][1], "steps": len(moves)}
        return {"action": Action.STEPS_SHIFTED, "after": counts}
    return {"action": Action.STEPS_REORDERED, "after": {"steps": len(moves)}}


@retried
def replace_template_version(
    campaign_id: UUID, step_ids: Collection[UUID], version_id: str, *, actor: Actor, if_match: IfMatch = None
) -> int:
    """Give steps of a campaign another template version, and return how many had another.

    `if_match` is the entity tag of these steps, as list_etag() makes it. The history gets one entry. Raises NotFound,
    VersionMismatch or CampaignNotEditable.
    """
    with locked(campaign_id) as campaign:
        chosen = CampaignStep.objects.filter(campaign_id=campaign_id, pk__in=step_ids)
        stored = list(chosen.order_by("position").values_list("id", "version", "template_version_id"))
        match_version(list_etag((step_id, version) for step_id, version, _ in stored), if_match)
        require_editable(campaign)
        old = {step_id: old for step_id, _, old in stored if old != version_id}
        changes = {"template_version_id": version_id, "version": F("version") + 1, "updated_at": CurrentTime()}
        chosen.exclude(template_version_id=version_id).update(**changes)
        if len(old) == 1:
            [(step_id, before)] = old.items()
            what = {"step_id": step_id, "before": {"template_version_id": before}}
            history.record(actor, Action.STEP_CHANGED, campaign_id, after={"template_version_id": version_id}, **what)
        elif old:
            counts = {"added": 0, "changed": len(old), "removed": 0}
            history.record(
                actor, Action.STEPS_REPLACED, campaign_id, after=counts | {"template_version_id": version_id}
            )
    return len(old)


def copy_steps(source_id: UUID, target_id: UUID) -> int:
    """Copy a campaign's steps, whose lock the caller holds, to an empty one, under new ids; return how many."""
    step_ids = CampaignStep.objects.filter(campaign_id=source_id).order_by("position").values_list("id", flat=True)
    copies = [{"id": new_id().hex, "step_id": step_id.hex} for step_id in step_ids]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        parameters = {"copies": json.dumps(copies), "target_id": target_id.hex, "now": now}
        cursor.execute(COPY_STEPS.format(copies=COPIES[connection.vendor]), parameters)
    return len(copies)


def _steps_by_id(campaign_id: UUID, part: Part = WHOLE) -> dict[str, CampaignStep]:
    return {str(step.id): step for step in part.steps(campaign_id)}


def _require_known(given: Sequence[str | None], current: dict[str, CampaignStep], missing: Sequence[str] = ()) -> None:
    """Raises StepSetMismatch. None stands for a new step."""
    seen: set[str] = set()
    unknown: dict[int, str] = {}
    repeated: dict[int, str] = {}
    total = len(missing)
    for index, step_id in enumerate(given):
        if step_id is None:
            continue
        if step_id in seen or step_id not in current:
            kind = repeated if step_id in seen else unknown
            total += 1
            if len(kind) < MAX_LISTED_FAULTS:
                kind[index] = step_id
        seen.add(step_id)
    if total:
        raise StepSetMismatch(list(missing[:MAX_LISTED_FAULTS]), unknown, repeated, total)


def _rearrange(
    campaign_id: UUID, current: dict[str, CampaignStep], desired: Sequence[DesiredStep], part: Part = WHOLE
) -> tuple[list[CampaignStep], Counter[str]]:
    """Write the difference between the two sequences; return the new one in order, and the counts of changes."""
    kept = [step.id for step in desired if step.id]
    removed = len(current) - len(kept)
    steps: list[CampaignStep] = []
    written: list[CampaignStep] = []
    parked: list[UUID] = []
    moved: list[CampaignStep] = []  # and nothing else: their contents, which may be long, stay where they are
    counts = Counter({"added": 0, "changed": 0, "removed": removed})
    for step_id, fields in sorted(desired, key=lambda step: step.fields.position):
        step = current.get(str(step_id))
        if step is None:
            step = CampaignStep(id=new_id(), campaign_id=campaign_id, **fields._asdict())
            written.append(step)
            counts["added"] += 1
        elif after := history.difference(step.fields._asdict(), fields._asdict())[1]:
            parked += [step.id] if "position" in after else []
            for name, value in after.items():
                setattr(step, name, value)
            step.version += 1
            (moved if list(after) == ["position"] else written).append(step)
            counts["changed"] += 1
        steps.append(step)
    if removed:  # kept ids are bounded by MAX_SEQUENCE
        part.steps(campaign_id).exclude(pk__in=kept).delete()
    park(parked)
    settle([(step.id, step.position) for step in moved])
    write_steps(written)
    return steps, counts


# --- Writing rows ----------------------------------------------------------------------------------------------------

# All rows are one JSON parameter, so that their number is bound by no limit on parameters (32,766 on SQLite, and 999
# in Django's idea of it). A step that exists is changed, unless it is another campaign's.
CHANGED_COLUMNS = (*STEP_FIELDS, "version", "updated_at")
WRITE_STEPS = f"""
INSERT INTO campaigns_campaignstep ({", ".join(STEP_COLUMNS)}, created_at, updated_at)
SELECT {{columns}}, %(now)s, %(now)s FROM {{rows}} WHERE true
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in CHANGED_COLUMNS)}
WHERE campaigns_campaignstep.campaign_id = excluded.campaign_id
"""  # noqa: S608 - put together from names that stand in the code
ROWS = {
    "postgresql": {
        "columns": ", ".join(STEP_COLUMNS),
        "rows": "jsonb_populate_recordset(NULL::campaigns_campaignstep, %(rows)s::jsonb)",
    },
    "sqlite": {
        "columns": ", ".join(f"json_extract(value, '$.{name}')" for name in STEP_COLUMNS),
        "rows": "json_each(%(rows)s)",
    },
}


COPIES = json_table("copies", id="uuid", step_id="uuid")
# By their ids alone, as PARK and PLACE: a database without statistics of the steps knows no other good plan.
COPY_STEPS = f"""
INSERT INTO campaigns_campaignstep (id, campaign_id, {", ".join(STEP_FIELDS)}, version, created_at, updated_at)
SELECT copies.id, target.id, {", ".join(f"step.{name}" for name in STEP_FIELDS)}, {FIRST_VERSION}, %(now)s, %(now)s
FROM {{copies}} JOIN campaigns_campaignstep step ON step.id = copies.step_id
    JOIN campaigns_campaign target ON target.id = %(target_id)s
"""  # noqa: S608 - put together from names that stand in the code


def write_steps(steps: Sequence[CampaignStep]) -> None:
    """Insert or overwrite rows by id, in one statement. The caller holds the lock and has freed the positions."""
    if not steps:
        return
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    parameters = {"rows": json.dumps([_row(step) for step in steps]), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(WRITE_STEPS.format(**ROWS[connection.vendor]), parameters)


def _row(step: CampaignStep) -> dict[str, Any]:
    # SQLite has no types for UUIDs and JSON. Django keeps UUIDs there as 32 hexadecimal digits, which PostgreSQL reads
    # as well, and JSON as text; json_extract() would respell an object.
    fields = step.fields._asdict()
    if connection.vendor == "sqlite":
        fields = {name: canonical(value) if isinstance(value, dict) else value for name, value in fields.items()}
    return {"id": step.id.hex, "campaign_id": step.campaign_id.hex, **fields, "version": step.version}
