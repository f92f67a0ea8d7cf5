"""What the staged rows mean for what is stored, judged and written by sets: the same SQL on PostgreSQL and SQLite.

`judge` locks nothing; it fills these temporary tables:

seed_created   campaigns that were made early, see early.py
seed_group     each section, and which campaign that is
seed_campaign  each campaign of the file, as it is stored or will be
seed_taken     rows whose position is taken, and whether by an equal step
seed_fault     rows that can't be loaded, and why
seed_change    the counts of each campaign
"""

import json
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from campaigns.history import Actor
from campaigns.models import Action
from campaigns.revisions import freeze_chosen
from campaigns.seeding import early, merge_sql, postgresql
from campaigns.seeding.rows import JSON_COLUMNS, RowFault
from campaigns.seeding.staging import Stage

SLICES = 50
MIN_SLICE = 20_000

# What a load does, or would do.
COUNTS = (
    "campaigns_created", "campaigns_extended", "steps_added", "steps_updated", "steps_unchanged", "steps_skipped",
    "rows_without_step",
)  # fmt: skip
CHANGES = ("campaigns_created", "steps_added", "steps_updated")
Counts = dict[str, int]


class Merge:
    """One staged batch against what is stored."""

    def __init__(self, stage: Stage, *, on_conflict: str, restore_status: bool) -> None:
        self._stage = stage
        self._on_conflict = on_conflict
        self._restore_status = restore_status
        self._taken = self._stored = self.fault_count = 0
        # The statements have no booleans of their own: SQLite knows none.
        self._flags = {"update": int(on_conflict == "update"), "restore_status": int(restore_status)}

    # --- Judging -----------------------------------------------------------------------------------------------------

    def judge(self) -> Counts:
        self._refresh_statistics(postgresql.CAMPAIGN_KEYS)
        self._make("seed_created", merge_sql.CREATED)
        self._make("seed_group", merge_sql.GROUPS)
        self._make("seed_campaign", merge_sql.CAMPAIGNS)
        if self._count("seed_group WHERE early_id IS NOT NULL") and self._take_back():
            return self.judge()
        self._stored = self._count(merge_sql.STORED)
        if self._stored:
            self._refresh_statistics(postgresql.STEP_KEYS)
        self._make("seed_taken", merge_sql.TAKEN if self._stored else f"{merge_sql.TAKEN} LIMIT 0")
        self._taken = self._count("seed_taken")
        self._find_faults()
        self._make("seed_change", merge_sql.CHANGES)
        if self._restore_status and (unready := self._execute(merge_sql.NOT_READY)):
            self.fault_count += unready
            self._make("seed_change", merge_sql.CHANGES)
        return self._totals()

    def _take_back(self) -> bool:
        """Stage the rows that were written early and should not have been, as if they never were."""
        self._make("seed_undone", early.UNDONE, self._flags)
        is_needed = self._count("seed_undone") > 0
        for statement in early.UNDO if is_needed else ():
            self._execute(statement)
        return is_needed

    def _refresh_statistics(self, keys: str) -> None:
        if connection.vendor == "postgresql" and self._stage.rows >= postgresql.MANY_ROWS:
            with connection.cursor() as cursor:
                postgresql.analyze(cursor, keys)

    def _find_faults(self) -> None:
        self._execute("DROP TABLE IF EXISTS seed_fault")
        self._execute(merge_sql.FAULTS)
        statements = list(merge_sql.SECTION_FAULTS)
        if not self._stage.ascending or self._stage.stretches > self._count("seed_campaign"):
            statements.append(merge_sql.REPEATED_POSITIONS)
        if self._on_conflict == "error" and self._taken:
            statements.append(merge_sql.DIFFERING_STEPS)
        if self._stored and self._count(merge_sql.CLOSED):
            statements.append(merge_sql.NOT_EDITABLE)
        self.fault_count = sum(self._execute(statement, self._flags) for statement in statements)

    def faults(self) -> Iterator[RowFault]:
        """In the order of the file."""
        select = "SELECT line, field, code, message FROM seed_fault ORDER BY line, field, message"
        return starmap(RowFault, self._stream(select))

    def campaign_changes(self) -> Iterator[tuple[str, bool, dict[str, int]]]:
        """Each campaign in the order of the file: its name, whether it is stored, and what becomes of how many rows."""
        fates = ("added", "updated" if self._on_conflict == "update" else "different", "unchanged", "refused")
        for external_id, campaign_id, is_stored, *counts in self._stream(merge_sql.CAMPAIGN_CHANGES):
            yield external_id or str(UUID(campaign_id)), is_stored, dict(zip(fates, counts, strict=True))

    def differences(self) -> Iterator[dict[str, Any]]:
        """The steps that are stored otherwise than in the file, in its order, with the values that differ."""
        outcome = {"error": "refused", "skip": "kept", "update": "updated"}[self._on_conflict]
        for line, external_id, campaign_id, position, *values, is_refused in self._stream(merge_sql.DIFFERENCES):
            stored, given = _content(values[: len(values) // 2]), _content(values[len(values) // 2 :])
            changed = [column for column in stored if stored[column] != given[column]]
            yield {
                "line": line,
                "external_id": external_id,
                "campaign_id": str(UUID(campaign_id)),
                "position": position,
                "outcome": "refused" if is_refused else outcome,
                "before": {column: stored[column] for column in changed},
                "after": {column: given[column] for column in changed},
            }

    def _totals(self) -> Counts:
        row = self._row(merge_sql.TOTALS, self._flags)
        created, extended, added, differing, unchanged, without_step = (int(value or 0) for value in row)
        updated, skipped = (differing, 0) if self._on_conflict == "update" else (0, differing)
        return dict(zip(COUNTS, (created, extended, added, updated, unchanged, skipped, without_step), strict=True))

    # --- Writing -----------------------------------------------------------------------------------------------------

    def lock(self) -> int:
        """Lock the stored campaigns that change, in the order of their ids, FOR NO KEY UPDATE; return how many."""
        if not self._stored or connection.vendor != "postgresql":
            return 0
        self._execute("DROP TABLE IF EXISTS seed_locked")
        return self._execute(merge_sql.LOCK, self._flags)

    def locked_enough(self) -> bool:
        """Whether each campaign that changes, judged anew, is among the locked ones."""
        if not self._stored or connection.vendor != "postgresql":
            return True
        return not self._row(merge_sql.UNLOCKED, self._flags)[0]

    def write(self, actor: Actor, load: dict[str, str], tick: Callable[[int, int], None]) -> None:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        self._execute(merge_sql.ADD_CAMPAIGNS, self._flags)
        self._refresh_statistics(postgresql.CAMPAIGN_KEYS)
        self._add_steps(tick)
        if self._on_conflict == "update" and self._taken:
            self._execute(merge_sql.UPDATE_STEPS, {"now": now})
        if self._restore_status:
            freeze_chosen(merge_sql.filled(merge_sql.RESTORED), self._flags, actor)
        self._make("seed_entry", merge_sql.ENTRIES, self._flags)
        told = {"actor_type": actor.type.value, "actor_id": actor.id, "actor_name": actor.name, **load}
        self._execute(merge_sql.ADD_HISTORY, {"action": Action.CAMPAIGN_SEEDED.value, **told})

    def _add_steps(self, tick: Callable[[int, int], None]) -> None:
        where = ""
        if self.fault_count:
            where += merge_sql.WITHOUT_FAULTS
        if self._taken:
            where += merge_sql.WITHOUT_TAKEN
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

    def _count(self, what: str) -> int:
        return int(self._row(f"SELECT COUNT(*) FROM {what}")[0])  # noqa: S608 - the names of this module's tables


def _content(values: list[Any]) -> dict[str, Any]:
    content = dict(zip(merge_sql.CONTENT_COLUMNS, values, strict=True))
    return content | {column: json.loads(content[column]) for column in JSON_COLUMNS}
