"""What the staged rows mean for what is stored, judged and written by sets: the same SQL on PostgreSQL and SQLite.

`judge` locks nothing; it fills these temporary tables:

seed_group          each section, and which campaign that is
seed_campaign       each campaign of the file, as it is stored or will be
seed_hit            rows whose position is taken, and whether by an equal step
seed_section_fault  sections that can't be loaded, and why, until their rows are in the next
seed_fault          rows that can't be loaded, and why
seed_change         the counts of each campaign
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from campaigns.history import Actor
from campaigns.models import Action
from campaigns.seeding import early, merge_sql, postgresql
from campaigns.seeding.rows import JSON_COLUMNS, RowFault
from campaigns.seeding.staging import JUDGEMENTS, Stage

SLICES = 50
MIN_SLICE = 20_000


@dataclass
class Counts:
    """What a load does, or would do."""

    campaigns_created: int = 0
    campaigns_extended: int = 0
    steps_added: int = 0
    steps_updated: int = 0
    steps_unchanged: int = 0
    steps_skipped: int = 0
    rows_without_step: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def writes(self) -> bool:
        return bool(self.campaigns_created or self.steps_added or self.steps_updated)


class CampaignChange(NamedTuple):
    """What a load would do to a campaign; `differing` steps are updated or skipped."""

    name: str
    is_stored: bool
    added: int
    differing: int
    unchanged: int
    refused: int


class Difference(NamedTuple):
    """A step that is stored otherwise than in the file; `before` and `after` have the values that differ."""

    line: int
    external_id: str | None
    campaign_id: str
    position: int
    outcome: str
    before: dict[str, Any]
    after: dict[str, Any]


class Merge:
    """One staged batch against what is stored."""

    def __init__(self, stage: Stage, *, on_conflict: str, restore_status: bool) -> None:
        self._stage = stage
        self._on_conflict = on_conflict
        self._restore_status = restore_status
        self._hits = self._faults = self._stored = 0
        # The statements have no booleans of their own: SQLite knows none.
        self._flags = {"update": int(on_conflict == "update"), "restore_status": int(restore_status)}

    # --- Judging -----------------------------------------------------------------------------------------------------

    def judge(self) -> Counts:
        for table in JUDGEMENTS:
            self._execute(f"DROP TABLE IF EXISTS {table}")
        self._refresh_statistics(postgresql.CAMPAIGN_KEYS)
        self._make("seed_group", merge_sql.GROUPS)
        self._make("seed_campaign", merge_sql.CAMPAIGNS)
        self._stored = self._count("seed_campaign WHERE stored")
        if self._stored:
            self._refresh_statistics(postgresql.STEP_KEYS)
        self._make("seed_hit", merge_sql.HITS if self._stored else merge_sql.NO_HITS)
        self._hits = self._count("seed_hit")
        self._execute(merge_sql.FAULTS)
        self._execute(merge_sql.SECTION_FAULTS)
        self._find_faults()
        self._find_changes()
        if self._restore_status and self._execute(merge_sql.UNREADY):
            self._section_faults_to_rows()
            self._find_changes()
        return self._totals()

    def _refresh_statistics(self, keys: str) -> None:
        if connection.vendor == "postgresql" and self._stage.rows >= postgresql.MANY_ROWS:
            with connection.cursor() as cursor:
                postgresql.analyze(cursor, keys)

    def _find_changes(self) -> None:
        exceptions = self._faults or self._hits
        self._make("seed_change", merge_sql.CHANGES if exceptions else merge_sql.CHANGES_WITHOUT_EXCEPTION)

    def _find_faults(self) -> None:
        for statement in merge_sql.FAULTS_OF_SECTIONS:
            self._execute(statement, self._flags)
        self._section_faults_to_rows()
        if not self._stage.ascending or self._stage.stretches > self._count("seed_campaign"):
            self._execute(merge_sql.REPEATED_POSITIONS)
        if self._on_conflict == "error" and self._hits:
            self._execute(merge_sql.TAKEN_POSITIONS)
        if self._stored:
            self._execute(merge_sql.NOT_EDITABLE, self._flags)
        self._faults = self._count("seed_fault")

    def _section_faults_to_rows(self) -> None:
        if self._count("seed_section_fault"):
            self._execute(merge_sql.SECTION_FAULTS_TO_ROWS)
            self._execute("DELETE FROM seed_section_fault")
            self._faults = self._count("seed_fault")

    def faults(self) -> Iterator[RowFault]:
        """In the order of the file."""
        select = "SELECT line, field, code, message FROM seed_fault ORDER BY line, field, message"
        return starmap(RowFault, self._stream(select))

    def campaign_changes(self) -> Iterator[CampaignChange]:
        """In the order of the file."""
        for external_id, campaign_id, *counts in self._stream(merge_sql.CAMPAIGN_CHANGES):
            yield CampaignChange(external_id or str(UUID(campaign_id)), *counts)

    def differences(self) -> Iterator[Difference]:
        """The steps that are stored otherwise than in the file, in the order of the file."""
        width = len(merge_sql.CONTENT_COLUMNS)
        for line, external_id, campaign_id, position, *values, is_refused in self._stream(merge_sql.DIFFERENCES):
            before, after = (self._content(half) for half in (values[:width], values[width:]))
            changed = [column for column in before if before[column] != after[column]]
            yield Difference(
                line,
                external_id,
                str(UUID(campaign_id)),
                position,
                "refused" if is_refused else "updated" if self._on_conflict == "update" else "kept",
                {column: before[column] for column in changed},
                {column: after[column] for column in changed},
            )

    @staticmethod
    def _content(values: list[Any]) -> dict[str, Any]:
        content = dict(zip(merge_sql.CONTENT_COLUMNS, values, strict=True))
        return content | {column: json.loads(content[column]) for column in JSON_COLUMNS}

    @property
    def has_faults(self) -> bool:
        return bool(self._faults)

    def _totals(self) -> Counts:
        row = self._row(merge_sql.TOTALS, self._flags)
        created, extended, added, differing, unchanged, without_step = (int(value or 0) for value in row)
        updated, skipped = (differing, 0) if self._on_conflict == "update" else (0, differing)
        return Counts(created, extended, added, updated, unchanged, skipped, without_step)

    # --- Writing -----------------------------------------------------------------------------------------------------

    def lock(self) -> int:
        """Lock the stored campaigns that change, in the order of their ids, FOR NO KEY UPDATE; return how many."""
        if not self._stored or connection.vendor != "postgresql":
            return 0
        self._execute("DROP TABLE IF EXISTS seed_locked")
        return self._execute(merge_sql.LOCK, self._flags)

    def locked_enough(self) -> bool:
        """Whether each campaign that changes, judged anew, is among the locked ones."""
        return not self._number(merge_sql.UNLOCKED, self._flags)

    def write(self, actor: Actor, load: dict[str, str], tick: Callable[[int, int], None]) -> None:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        if connection.vendor == "postgresql":
            early.undo(self._flags)
        self._execute(merge_sql.ADD_CAMPAIGNS, self._flags)
        self._refresh_statistics(postgresql.CAMPAIGN_KEYS)
        self._add_steps(tick)
        if self._on_conflict == "update" and self._hits:
            self._execute(merge_sql.UPDATE_STEPS, {"now": now})
        self._make("seed_entry", merge_sql.ENTRIES, self._flags)
        self._execute(
            merge_sql.ADD_HISTORY,
            {
                "actor_type": actor.type.value,
                "actor_id": actor.id,
                "actor_name": actor.name,
                "action": Action.CAMPAIGN_SEEDED.value,
                **load,
            },
        )

    def _add_steps(self, tick: Callable[[int, int], None]) -> None:
        where = ""
        if self._faults:
            where += merge_sql.WITHOUT_FAULTS
        if self._hits:
            where += merge_sql.WITHOUT_HITS
        first, total = self._row(merge_sql.STEPS_TO_ADD)
        if not total:
            return
        size = max(MIN_SLICE, (self._stage.last_line - first) // SLICES + 1)
        written = 0
        for start in range(first, self._stage.last_line + 1, size):
            written += self._execute(merge_sql.ADD_STEPS + where, {"start": start, "end": start + size})
            tick(written, int(total))

    # --- SQL ---------------------------------------------------------------------------------------------------------

    def _make(self, table: str, select: str, parameters: dict[str, Any] | None = None) -> None:
        self._execute(f"DROP TABLE IF EXISTS {table}")
        self._execute(f"CREATE TEMPORARY TABLE {table} {{on_commit_drop}} AS {select}", parameters)
        self._execute(f"ANALYZE {table}")

    def _execute(self, statement: str, parameters: dict[str, Any] | None = None) -> int:
        with connection.cursor() as cursor:
            cursor.execute(merge_sql.filled(statement), parameters)
            return int(cursor.rowcount)

    def _row(self, select: str, parameters: dict[str, Any] | None = None) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(merge_sql.filled(select), parameters)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    def _stream(self, select: str) -> Iterator[tuple[Any, ...]]:
        with connection.chunked_cursor() as cursor:
            cursor.execute(merge_sql.filled(select))
            for found in iter(lambda: cursor.fetchmany(1_000), []):
                yield from found

    def _number(self, select: str, parameters: dict[str, Any] | None = None) -> int:
        return int(self._row(select, parameters)[0])

    def _count(self, what: str) -> int:
        return self._number(f"SELECT COUNT(*) FROM {what}")  # noqa: S608 - the names of this module's tables
