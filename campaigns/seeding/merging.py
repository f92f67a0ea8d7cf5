"""What the staged rows mean for what is stored, judged and written by sets: the same SQL on PostgreSQL and SQLite.

`judge` locks nothing; it fills these temporary tables:

seed_group     each run, and which campaign that is
seed_campaign  each campaign of the file, as it is stored or will be
seed_hit       rows whose position is taken, and whether by an equal step
seed_fault     rows that can't be loaded, and why
seed_change    the counts of each campaign
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.history import Actor
from campaigns.models import Action, Campaign
from campaigns.readiness import MAX_TOTAL_MINUTES
from campaigns.seeding import merge_sql, postgresql
from campaigns.seeding.rows import RowFault
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

    def __iadd__(self, other: "Counts") -> "Counts":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def writes(self) -> bool:
        return bool(self.campaigns_created or self.steps_added or self.steps_updated)


class Merge:
    """One staged batch against what is stored."""

    def __init__(self, stage: Stage, *, on_conflict: str, restore_status: bool) -> None:
        self._stage = stage
        self._on_conflict = on_conflict
        self._restore_status = restore_status
        self._hits = self._faults = self._stored = 0
        self._words = {
            **merge_sql.DIALECTS[connection.vendor],
            "changed": merge_sql.CHANGED,
            "editable": ", ".join(f"'{status}'" for status in Campaign.EDITABLE),
        }
        # The statements have no booleans of their own: SQLite knows none.
        self._flags = {"update": int(on_conflict == "update"), "restore_status": int(restore_status)}

    # --- Judging -----------------------------------------------------------------------------------------------------

    def judge(self) -> Counts:
        for table in JUDGEMENTS:
            self._execute(f"DROP TABLE IF EXISTS {table}")
        self._refresh_statistics(postgresql.CAMPAIGN_KEYS)
        self._make("seed_group", merge_sql.GROUPS)
        if self._stage.has_ahead:
            self._take_back(merge_sql.MISPLACED)
        self._make("seed_campaign", merge_sql.CAMPAIGNS)
        self._stored = self._count("seed_campaign WHERE stored")
        if self._stored:
            self._refresh_statistics(postgresql.STEP_KEYS)
        self._make("seed_hit", merge_sql.HITS if self._stored else merge_sql.NO_HITS)
        self._hits = self._count("seed_hit")
        self._execute(merge_sql.FAULTS)
        self._execute(merge_sql.RUN_FAULTS)
        self._find_faults()
        self._find_changes()
        if self._restore_status and self._execute(merge_sql.UNREADY, {"limit": MAX_TOTAL_MINUTES}):
            self._run_faults_to_rows()
            self._find_changes()
        return self._totals()

    def _refresh_statistics(self, keys: str) -> None:
        if connection.vendor == "postgresql" and self._stage.rows >= postgresql.MANY_ROWS:
            with connection.cursor() as cursor:
                postgresql.analyze(cursor, keys)

    def _take_back(self, mark: str) -> None:
        if self._execute(mark):
            self._refresh_statistics(postgresql.STEP_KEYS)
            for statement in merge_sql.TAKE_BACK:
                self._execute(statement)

    def _find_changes(self) -> None:
        exceptions = self._faults or self._hits
        self._make("seed_change", merge_sql.CHANGES if exceptions else merge_sql.CHANGES_WITHOUT_EXCEPTION)

    def _find_faults(self) -> None:
        for statement in merge_sql.FAULTS_OF_RUNS:
            self._execute(statement, self._flags)
        self._run_faults_to_rows()
        if not self._stage.ascending or self._stage.runs > self._count("seed_campaign"):
            self._execute(merge_sql.REPEATED_POSITIONS)
        if self._on_conflict == "error" and self._hits:
            self._execute(merge_sql.TAKEN_POSITIONS)
        if self._stored:
            self._execute(merge_sql.NOT_EDITABLE, self._flags)
        self._faults = self._count("seed_fault")

    def _run_faults_to_rows(self) -> None:
        if self._count("seed_run_fault"):
            if self._stage.has_ahead:
                self._take_back(merge_sql.FAULTY)
            self._execute(merge_sql.RUN_FAULTS_TO_ROWS)
            self._execute("DELETE FROM seed_run_fault")
            self._faults = self._count("seed_fault")

    def faults(self) -> Iterator[RowFault]:
        """Streamed in the order of the file."""
        with connection.chunked_cursor() as cursor:
            cursor.execute("SELECT line, field, code, message FROM seed_fault ORDER BY line, field, message")
            for found in iter(lambda: cursor.fetchmany(1_000), []):
                yield from (RowFault(*fault) for fault in found)

    @property
    def has_faults(self) -> bool:
        return bool(self._faults)

    def _totals(self) -> Counts:
        row = self._row(merge_sql.TOTALS, self._flags)
        created, extended, added, differing, unchanged = (int(value or 0) for value in row)
        updated, skipped = (differing, 0) if self._on_conflict == "update" else (0, differing)
        return Counts(created, extended, added, updated, unchanged, skipped)

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

    def write(self, actor: Actor, run: dict[str, str], tick: Callable[[int, int], None]) -> None:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        self._execute(merge_sql.ADD_CAMPAIGNS.replace("{ahead}", "NOT IN"), self._flags)
        if self._stage.has_ahead:
            self._execute(merge_sql.ADD_CAMPAIGNS.replace("{ahead}", "IN") + merge_sql.COMPLETED, self._flags)
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
                **run,
            },
        )

    def _add_steps(self, tick: Callable[[int, int], None]) -> None:
        where = ""
        if self._faults:
            where += merge_sql.WITHOUT_FAULTS
        if self._hits:
            where += merge_sql.WITHOUT_HITS
        first, last, total = self._row("SELECT MIN(line), MAX(line), COUNT(*) FROM seed_row")
        if not total:
            return
        size = max(MIN_SLICE, (last - first) // SLICES + 1)
        written = 0
        for start in range(first, last + 1, size):
            written += self._execute(merge_sql.ADD_STEPS + where, {"start": start, "end": start + size})
            tick(written, total)

    # --- SQL ---------------------------------------------------------------------------------------------------------

    def _make(self, table: str, select: str, parameters: dict[str, Any] | None = None) -> None:
        self._execute(f"DROP TABLE IF EXISTS {table}")
        self._execute(f"CREATE TEMPORARY TABLE {table} {{on_commit_drop}} AS {select}", parameters)
        self._execute(f"ANALYZE {table}")

    def _execute(self, statement: str, parameters: dict[str, Any] | None = None) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(**self._words), parameters)
            return int(cursor.rowcount)

    def _row(self, select: str, parameters: dict[str, Any] | None = None) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(select.format(**self._words), parameters)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    def _number(self, select: str, parameters: dict[str, Any] | None = None) -> int:
        return int(self._row(select, parameters)[0])

    def _count(self, what: str) -> int:
        return self._number(f"SELECT COUNT(*) FROM {what}")  # noqa: S608 - the names of this module's tables
