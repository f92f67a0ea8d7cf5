"""Loading a source: exactly, or not at all."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from campaigns.exceptions import Contention
from campaigns.expressions import CurrentTime
from campaigns.history import Actor
from campaigns.models import ActorType, SeedCheckpoint, new_id
from campaigns.seeding import postgresql, sqlite
from campaigns.seeding.merging import CHANGES, COUNTS, Counts, Merge
from campaigns.seeding.rows import IDS, REFUSED, Row, RowFault, RowRefused, UnusableInput
from campaigns.seeding.sources import Source
from campaigns.seeding.staging import Stage
from messaging_project.database_errors import is_lock_timeout, is_lost, is_unique_violation, pause

PATIENCE_SECONDS = 300  # a load tries for so long to get the locks that it needs
ATTEMPTS = 10
TOLD_ROWS = 10_000
CHECKPOINTS_KEPT_FOR = timedelta(days=7)  # since the last commit or start


class Refused(Exception):
    """Rows were refused, and so nothing of their transaction was written."""


class TooManyFaults(Refused):
    """As many faults were found as are worth looking for."""


class CheckpointMoved(Exception):
    """Another process is running the same load."""


class Progress(Protocol):
    """Hears how a load goes on."""

    def continuing(self, line: int, begun_at: datetime) -> None: ...

    def checking(self, rows: int, position: int, size: int | None) -> None: ...

    def writing(self, rows: int, total: int) -> None: ...

    def fault(self, fault: RowFault) -> None: ...


class Preview(Protocol):
    """Hears what a load would change, and of the rows that were refused before."""

    def refused(self, row: RowRefused) -> None: ...

    def changes(self, merge: Merge) -> None: ...


@dataclass(frozen=True)
class Options:
    """How to load. `commit_every` is a number of rows, 0 for one transaction; `max_faults` 0 for all there are.
    `restart`: do not go on behind what a stopped load has committed."""

    on_conflict: str = "error"
    skip_invalid: bool = False
    restore_status: bool = False
    dry_run: bool = False
    commit_every: int = 0
    restart: bool = False
    max_faults: int = 0
    allow_empty: bool = False


def have_changes(counts: Counts) -> bool:
    """Whether anything that is stored changes."""
    return any(counts[name] for name in CHANGES)


@dataclass
class Outcome:
    """What a load did, or with `dry_run` would do; `counts` are of what is committed. `locked_seconds`: the longest
    time that stored campaigns were locked (on SQLite, the longest transaction). The load that was
    `begun_at` has committed the lines up to `continued_behind`: `earlier_rows`, which aren't looked at again."""

    run_id: UUID = field(default_factory=new_id)
    rows: int = 0
    refused: int = 0
    faults: int = 0
    locked_seconds: float = 0.0
    committed_line: int = 0
    continued_behind: int = 0
    begun_at: datetime | None = None
    earlier_rows: int = 0
    counts: Counts = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def has_changes(self) -> bool:
        return have_changes(self.counts)

    def add(self, counts: Counts) -> None:
        self.counts = {name: count + counts[name] for name, count in self.counts.items()}


class Load:
    """One load of one source. `outcome` and `committing` tell, at any moment and after any error, how far it came."""

    def __init__(
        self, source: Source, options: Options, progress: Progress, operator: str, preview: Preview | None = None
    ) -> None:
        self.outcome = Outcome()
        self.committing = False
        self._source = source
        self._options = options
        self._progress = progress
        self._preview = preview
        self._operator = operator
        self._actor = Actor(ActorType.COMMAND, "seed_campaigns", operator)
        self._digest = ""
        self._checkpoint: SeedCheckpoint | None = None
        self._locked_at: float | None = None
        self._counts: Counts = {}  # of the transaction that is open

    def run(self) -> Outcome:
        """Load all of it in one transaction.

        Raises UnusableInput, Refused (rows broke a rule, and `skip_invalid` is off), or Contention.
        """
        self._load(self._source.rows(self._refuse))
        return self.outcome

    def run_in_batches(self, reopen: Callable[[], Source]) -> Outcome:
        """Load whole campaigns in transactions of about `commit_every` rows; after a stop, go on behind the last one.

        The input is read twice: no row is written before all of them have been checked by the rules.
        Raises what run() raises, and CheckpointMoved.
        """
        self._check_all_rows()
        self._digest = self._source.digest()
        self._source = reopen()
        checkpoint = self._checkpoint = self._find_checkpoint(self._digest)
        self._continue_behind(checkpoint)
        for _, batch in groupby(self._later_rows(checkpoint.line), BatchNumbers(self._options.commit_every)):
            self._load(batch)
        if self._source.digest() != self._digest:
            raise UnusableInput(f"{self._source.name}: it changed between its two readings.")
        self._require_rows()
        checkpoint.delete()
        return self.outcome

    # --- Checking ----------------------------------------------------------------------------------------------------

    def _refuse(self, row: RowRefused) -> None:
        if row.faults[0].line <= self.outcome.continued_behind:
            self.outcome.earlier_rows += 1
        else:
            self.outcome.rows += 1
            self.outcome.refused += 1
            if self._preview:
                self._preview.refused(row)
            for fault in row.faults:
                self._tell(fault)

    def _tell(self, fault: RowFault) -> None:
        self.outcome.faults += 1
        self._progress.fault(fault)
        if self.outcome.faults == self._options.max_faults:
            raise TooManyFaults

    def _check_all_rows(self) -> None:
        refuse = (lambda _: None) if self._options.skip_invalid else self._refuse  # those are told of when loading
        for checked, _ in enumerate(self._source.rows(refuse), 1):
            if checked % TOLD_ROWS == 0:
                self._progress.checking(checked, self._source.position(), self._source.size)
        if self.outcome.refused:
            raise Refused

    def _require_rows(self) -> None:
        if not self.outcome.rows and not self.outcome.committed_line and not self._options.allow_empty:
            raise UnusableInput(f"{self._source.name}: it has no rows (--allow-empty accepts that).")

    def _find_checkpoint(self, digest: str) -> SeedCheckpoint:
        """The lock waits for a killed process whose last commit the server is still at work on."""
        options = self._options
        key = _checkpoint_key(digest, options.on_conflict, options.skip_invalid, options.restore_status)
        with transaction.atomic():
            if options.restart:
                SeedCheckpoint.objects.filter(key=key).delete()
            return SeedCheckpoint.objects.update_or_create(
                key=key, defaults={"updated_at": CurrentTime()}, create_defaults={"run_id": self.outcome.run_id}
            )[0]

    def _continue_behind(self, checkpoint: SeedCheckpoint) -> None:
        self.outcome.run_id = checkpoint.run_id
        if checkpoint.line:
            self.outcome.begun_at = checkpoint.started_at
            self.outcome.continued_behind = self.outcome.committed_line = checkpoint.line
            self._progress.continuing(checkpoint.line, checkpoint.started_at)

    def _later_rows(self, line: int) -> Iterator[Row]:
        for row in self._source.rows(self._refuse):
            if row[0] > line:
                yield row
            elif row[2] is not REFUSED:  # which _refuse() counts
                self.outcome.earlier_rows += 1

    # --- Loading -----------------------------------------------------------------------------------------------------

    def _load(self, rows: Iterator[Row]) -> None:
        counted = 0

        def tick(count: int) -> None:
            nonlocal counted
            self.outcome.rows, counted = self.outcome.rows + count - counted, count
            self._progress.checking(self.outcome.rows, self._source.position(), self._source.size)

        if connection.vendor == "postgresql":
            flags = {"restore_status": self._options.restore_status, "locks_stored": self._source.size is not None}
            with self._transaction(), postgresql.staged(rows, tick, self._may_write_early, **flags) as stage:
                self._locked_at = stage.locked_at
                self._finish(stage)
        else:
            with sqlite.staged(rows, tick) as stage, self._transaction():
                self._finish(stage)
        self.outcome.add(self._counts)
        if not self._options.dry_run:
            self.outcome.committed_line = stage.last_line

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._locked_at = time.monotonic() if connection.vendor == "sqlite" else None
        with transaction.atomic():
            yield
            if self._options.dry_run:
                transaction.set_rollback(True)
            else:
                self.committing = True
        self.committing = False
        if self._locked_at is not None:
            self.outcome.locked_seconds = max(self.outcome.locked_seconds, time.monotonic() - self._locked_at)

    def _finish(self, stage: Stage) -> None:
        self._merge(stage)
        if self._checkpoint is None:
            self._require_rows()
        else:
            checkpoint = SeedCheckpoint.objects.filter(pk=self._checkpoint.pk, line=self._checkpoint.line)
            if not checkpoint.update(line=stage.last_line, updated_at=CurrentTime()):
                raise CheckpointMoved
            self._checkpoint.line = stage.last_line

    def _may_write_early(self) -> bool:
        """Not what will be rolled back anyway."""
        return not self._options.dry_run and not (self._all_or_nothing and self.outcome.refused)

    @property
    def _all_or_nothing(self) -> bool:
        return not (self._options.skip_invalid or self._options.dry_run)

    def _merge(self, stage: Stage) -> None:
        lost, deadline = 0, math.inf
        while True:
            try:
                with transaction.atomic():
                    return self._merge_once(stage)
            except (IntegrityError, OperationalError) as error:
                has_waited = is_lock_timeout(error)
                if not (has_waited or is_lost(error) or is_unique_violation(error)):  # another made the campaign
                    raise
                lost += not has_waited
                if lost == ATTEMPTS or time.monotonic() > deadline:
                    raise Contention from error
                pause(lost)
            if connection.vendor == "postgresql":
                postgresql.wait_for_early_load()
            deadline = min(deadline, time.monotonic() + PATIENCE_SECONDS)

    def _merge_once(self, stage: Stage) -> None:
        merge = Merge(stage, on_conflict=self._options.on_conflict, restore_status=self._options.restore_status)
        counts = self._judge(merge)
        if have_changes(counts) and not self._options.dry_run:
            locking_at = time.monotonic()
            if merge.lock() or not merge.locked_enough():  # none, if all of them were deleted meanwhile
                self._locked_at = stage.locked_at or locking_at
                counts = self._judge(merge)
                if not merge.locked_enough():  # what was equal isn't any more
                    return self._merge_once(stage)
            merge.write(self._actor, self._told_in_history(), self._progress.writing)
        self._report(merge)
        self._counts = counts
        return None

    def _judge(self, merge: Merge) -> Counts:
        counts = merge.judge()
        if self._all_or_nothing and (self.outcome.refused or merge.fault_count):
            self._report(merge)
            raise Refused
        return counts

    def _report(self, merge: Merge) -> None:
        if self._preview:
            self._preview.changes(merge)
        last_line = None
        for fault in merge.faults():
            self.outcome.refused += fault.line != last_line
            last_line = fault.line
            self._tell(fault)

    def _told_in_history(self) -> dict[str, str]:
        return {
            "run_id": str(self.outcome.run_id),
            "source": self._source.name,
            "sha256": self._digest or self._source.digest(),
            "operator": self._operator,
        }


class BatchNumbers:
    """A key for groupby(): rows get the same number until there are `count` of them and their campaign ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._number = self._taken = 0
        self._ids: frozenset[object] = frozenset()

    def __call__(self, row: Row) -> int:
        ids = frozenset(row[1][: len(IDS)]) - {None}
        if self._taken >= self._count and ids.isdisjoint(self._ids):
            self._number, self._taken = self._number + 1, 0
        self._ids = ids
        self._taken += 1
        return self._number


def prune() -> int:
    """Forget how far loads have come that nobody has continued for days; returns how many. They would begin anew."""
    count, _ = SeedCheckpoint.objects.filter(updated_at__lt=timezone.now() - CHECKPOINTS_KEPT_FOR).delete()
    return count


def _checkpoint_key(digest: str, *options: Any) -> str:
    """What must be the same for a command to go on where another stopped."""
    return hashlib.sha256(repr((digest, *options)).encode()).hexdigest()
