"""Checked rows on their way to the database: in batches, and divided into runs of rows of one campaign."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter, lt
from typing import Any

import uuid_utils

from campaigns.seeding.rows import Head, Row

# The temporary tables that rows wait in. Nothing else sees them, and filling them locks nothing.
# A run has what the file says of its campaign, two fresh ids (for the campaign if it has to be made, and for its
# history entry), how many steps its rows hold and how long they take together. `ahead` is 1 if the steps are
# not in seed_row, but in the table of steps already: see postgresql.py.
TABLES = (
    """CREATE TEMPORARY TABLE seed_row (
        line {line}, grp integer, id {uuid}, position bigint, delay_minutes integer,
        template_id text, template_version_id text, variables {json}
    )""",
    """CREATE TEMPORARY TABLE seed_run (
        grp integer PRIMARY KEY, line bigint, given_id {uuid}, external_id text, name text, description text,
        status text, new_id {uuid}, entry_id {uuid}, steps bigint, minutes bigint, ahead integer
    )""",
)
ROW_COLUMNS = "line, grp, id, position, delay_minutes, template_id, template_version_id, variables"
RUN_COLUMNS = "grp, line, given_id, external_id, name, description, status, new_id, entry_id, steps, minutes, ahead"
# What merging.py makes of them.
JUDGEMENTS = ("seed_group", "seed_campaign", "seed_hit", "seed_fault", "seed_run_fault", "seed_change", "seed_entry")

BATCH_ROWS = 10_000
BATCH_LENGTH = 2 * 1024 * 1024  # characters of variables; this bounds the memory

_head = itemgetter(1)
_position = itemgetter(2)
_delay = itemgetter(5)
_variables = itemgetter(6)


def batches(blocks: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """The rows, more at a time."""
    batch: list[Row] = []
    length = 0
    for rows in blocks:
        batch += rows
        length += sum(map(len, map(_variables, rows)))
        if length >= BATCH_LENGTH or len(batch) >= BATCH_ROWS:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


@dataclass(slots=True)
class Run:
    """Rows of one campaign that stand together, as far as they were read."""

    grp: int
    head: Head
    line: int
    ahead: bool
    new_id: Any = field(default_factory=uuid_utils.uuid7)
    entry_id: Any = field(default_factory=uuid_utils.uuid7)
    steps: int = 0
    minutes: int = 0
    last_line: int = 0
    last_position: int = -1


class Piece:
    """Neighbouring rows of one campaign, or as many of them as the batch has."""

    def __init__(self, head: Head, rows: list[Row]) -> None:
        self.head = head
        self.rows = rows
        self.positions: list[int] = [position for position in map(_position, rows) if position is not None]
        self.first_line, self.last_line = rows[0][0], rows[-1][0]

    @property
    def is_unbroken(self) -> bool:
        """Whether each row holds a step and is one line, the next one."""
        return len(self.positions) == len(self.rows) == self.last_line - self.first_line + 1

    def is_ascending(self, after: int = -1) -> bool:
        positions = self.positions
        return not positions or (positions[0] > after and all(map(lt, positions, positions[1:])))


Divided = list[tuple[Run, list[Row]]]


class Stage:
    """What is staged: how many rows and runs, and whether each run in seed_row has ascending positions.

    Where it has, and no campaign has two runs, no position can occur twice.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_line = 0
        self.runs = 0
        self.ascending = True
        self.has_ahead = False
        self._run: Run | None = None

    def divide(self, batch: list[Row], new: Collection[str] = ()) -> tuple[Divided, list[Run]]:
        """The batch's rows by runs, and the runs that have ended.

        `new` are the external ids of campaigns that nobody knows yet: their steps can be written ahead.
        """
        divided: Divided = []
        ended: list[Run] = []
        for head, rows in groupby(batch, key=_head):
            piece = Piece(head, list(rows))
            run = self._run
            if run is None or run.head != head or (run.ahead and not _goes_on(run, piece)):
                ended += [run] if run else []
                ahead = head.external_id in new and _may_be_ahead(piece)
                self.has_ahead = self.has_ahead or ahead
                self.runs += 1
                run = self._run = Run(self.runs, head, piece.first_line, ahead)
            self._take(run, piece)
            divided.append((run, piece.rows))
        return divided, ended

    def last_run(self) -> list[Run]:
        """The run that ends with the input."""
        return [self._run] if self._run else []

    def _take(self, run: Run, piece: Piece) -> None:
        self.rows += len(piece.rows)
        self.last_line = run.last_line = piece.last_line
        self.ascending = self.ascending and piece.is_ascending(run.last_position)
        run.steps += len(piece.positions)
        run.minutes += sum(map(_delay, piece.rows))
        run.last_position = piece.positions[-1] if piece.positions else run.last_position


def _may_be_ahead(piece: Piece) -> bool:
    head = piece.head
    return head.campaign_id is None and head.name is not None and piece.is_unbroken and piece.is_ascending()


def _goes_on(run: Run, piece: Piece) -> bool:
    return piece.first_line == run.last_line + 1 and piece.is_unbroken and piece.is_ascending(run.last_position)
