"""Room among a campaign's positions: many steps move at once, however many. The caller holds the campaign's lock.

For one new step `steps` makes room itself, by two statements that name no step.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from campaigns import history
from campaigns.exceptions import NoRoom
from campaigns.history import Actor
from campaigns.models import Action, CampaignStep
from campaigns.steps import MAX_POSITION


class Move(NamedTuple):
    step_id: UUID
    old: int
    new: int


def make_room(campaign_id: UUID, positions: Sequence[int], actor: Actor) -> None:
    """Move the steps that are in the way of new ones at `positions`, as if those came one by one, lowest first.

    Raises NoRoom.
    """
    wanted = sorted(positions)
    steps = CampaignStep.objects.filter(campaign_id=campaign_id, position__gte=wanted[0]).order_by("position")
    held = steps.values_list("id", "position")
    moves = list(moves_up(held.iterator(), wanted))
    if not moves:
        return
    if moves[-1].new > MAX_POSITION:
        raise NoRoom(_first_without_room(list(held), wanted))
    park([move.step_id for move in moves])
    place(campaign_id, moves, actor)


def place(campaign_id: UUID, moves: Sequence[Move], actor: Actor) -> None:
    """Give parked steps their new positions, and say so in the history."""
    if not moves:
        return
    settle([(move.step_id, move.new) for move in moves])
    after = {"from_position": moves[0].old, "to_position": moves[-1].new, "steps": len(moves)}
    history.record(actor, Action.STEPS_SHIFTED, campaign_id, after=after)


def settle(places: Iterable[tuple[UUID, int]]) -> None:
    """Give parked steps their new positions."""
    if moved := [{"id": step_id.hex, "position": position} for step_id, position in places]:
        _run(PLACE, moved)


def moves_up(held: Iterable[tuple[UUID, int]], wanted: Sequence[int]) -> Iterator[Move]:
    """How the steps from the first wanted position on make room; both lists are in ascending order of positions.

    Each goes to the lowest position that is no lower than its own, above the step before it, and not wanted.
    """
    taken = set(wanted)
    lowest = wanted[0]
    for step_id, old in held:
        new = max(old, lowest)
        while new in taken:
            new += 1
        if new != old:
            yield Move(step_id, old, new)
        elif old > wanted[-1]:
            return  # a gap above all that is wanted: what follows stays
        lowest = new + 1


def _first_without_room(held: list[tuple[UUID, int]], wanted: Sequence[int]) -> int:
    """The first of the positions for which there is no room once those before it have theirs."""

    def is_too_many(last: int) -> bool:
        return any(move.new > MAX_POSITION for move in moves_up(held, wanted[: last + 1]))

    return wanted[bisect_left(range(len(wanted)), True, key=is_too_many)]


def park(step_ids: Sequence[UUID]) -> None:
    """Move steps out of each other's way, above all positions: the unique constraint is checked row by row."""
    if step_ids:
        _run(PARK, [{"id": step_id.hex} for step_id in step_ids])


# All ids are one JSON parameter, so that their number is bound by no limit on parameters. The caller has read them, and
# holds the lock. They don't name the campaign: a database without statistics of its new steps would take it for a short
# one, and go through all that move for each of them.
def json_table(name: str, **columns: str) -> dict[str, str]:
    """By database, a parameter that is an array of JSON objects as a table of its name, with columns of these types."""
    typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    extracted = ", ".join(f"json_extract(value, '$.{column}') AS {column}" for column in columns)
    return {
        "postgresql": f"jsonb_to_recordset(%({name})s::jsonb) AS {name} ({typed})",
        "sqlite": f"(SELECT {extracted} FROM json_each(%({name})s)) AS {name}",  # noqa: S608 - names in the code
    }


MOVED = json_table("moved", id="uuid", position="bigint")
PARK = """
UPDATE campaigns_campaignstep SET position = position + %(parking)s
WHERE id IN (SELECT moved.id FROM {moved})
"""
PLACE = """
UPDATE campaigns_campaignstep SET position = moved.position, version = version + 1, updated_at = %(now)s
FROM {moved} WHERE campaigns_campaignstep.id = moved.id
"""


def _run(sql: str, moved: list[dict[str, object]]) -> None:
    parameters: dict[str, Any] = {
        "moved": json.dumps(moved),
        "parking": CampaignStep.PARKING,
        "now": connection.ops.adapt_datetimefield_value(timezone.now()),
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.format(moved=MOVED[connection.vendor]), parameters)
