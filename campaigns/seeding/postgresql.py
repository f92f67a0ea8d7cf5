"""Staging on PostgreSQL: rows are read while the server takes the batch before."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from campaigns.seeding.rows import Row
from campaigns.seeding.staging import ROW_TYPES, SECTION_TYPES, STAGED, TABLES, Section, Stage, batches, row_values

# What joins, and the foreign key, look rows up by.
CAMPAIGN_KEYS = "campaigns_campaign (id, external_id)"
STEP_KEYS = "campaigns_campaignstep (id, campaign_id, position)"
MANY_ROWS = 10_000  # from here on a bad plan costs more than ANALYZE

SWITCH_SECONDS = 0.0005  # a tenth of Python's own

# A load waits this long for a lock and then lets go of those it has, so that nobody waits longer for it in vain.
LOCK_TIMEOUT_MS = 3_000
# work_mem: sorts and joins of some hundred thousand rows stay in memory. jit: the planner's costs for so many
# rows, and for those that it may not read in sequence, would have most statements compiled, for longer than they run.
SESSION = f"""
SELECT set_config('lock_timeout', '{LOCK_TIMEOUT_MS}ms', true), set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true), set_config('work_mem', '64MB', true),
    set_config('jit', 'off', true)
"""

BEFORE = (
    SESSION,
    "SET CONSTRAINTS ALL IMMEDIATE",  # foreign keys are checked statement by statement, not in one long go at the end
    f"DROP TABLE IF EXISTS {', '.join(STAGED)}",  # of another load in the same outer transaction
    *(f"{table} ON COMMIT DROP" for table in TABLES),
    # Plans are made while the tables are empty, and the foreign key keeps its own when they no longer are.
    "SET LOCAL enable_seqscan = off",
)
AFTER = (
    "CREATE INDEX ON seed_row USING brin (line)",  # for writing in slices; made earlier, it would know no rows
    "ANALYZE seed_row (line, section, position)",
    "ANALYZE seed_section",
    "SET LOCAL enable_seqscan TO DEFAULT",
)


@contextmanager
def staged(rows: Iterable[Row], tick: Callable[[int], None]) -> Iterator[Stage]:
    """Fill the temporary tables inside the caller's transaction. `tick` gets the count of rows.

    The caller's block runs with the tables filled.
    """
    stage = Stage()
    with connection.cursor() as cursor:
        for statement in BEFORE:
            cursor.execute(statement)
        with (
            connection.wrap_database_errors,
            connection.connection.cursor() as copying,
            _switching_often(),
            ThreadPoolExecutor(1) as thread,
        ):
            written: Future[None] | None = None
            for batch in batches(rows):
                if written:
                    written.result()
                written = thread.submit(_write, copying, stage.divide(batch))
                tick(stage.rows)
            if written:
                written.result()
        for statement in AFTER:
            cursor.execute(statement)
    yield stage


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let the writing thread have its turn soon after each wait for the server, which else runs out of data."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def analyze(cursor: Any, keys: str) -> None:
    """Let the planner know how full a table is, and keep that so until the transaction ends.

    Autovacuum does not see uncommitted rows. Where it says that a table is empty, plans read all of it, or all of an
    index, for each row: one check of a foreign key takes as long as thousands. ANALYZE sees its own transaction, and
    its lock, which is in the way of VACUUM and of changes of the schema only, keeps autovacuum off. Where another load
    has the lock, or the user isn't the table's owner, nothing happens.
    """
    cursor.execute(f"ANALYZE (SKIP_LOCKED) {keys}")


def _write(cursor: Any, sections: list[Section]) -> None:
    _copy(cursor, "seed_section", SECTION_TYPES, (section.values() for section in sections))
    _copy(cursor, "seed_row", ROW_TYPES, chain.from_iterable(map(row_values, sections)))


class JSONText(Dumper):
    """JSON that is text already, in jsonb's binary format: its version, and the text."""

    format = Format.BINARY
    oid = psycopg.adapters.types["jsonb"].oid

    def dump(self, obj: str) -> bytes:
        return b"\x01" + obj.encode()


def _copy(cursor: Any, table: str, types: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    cursor.adapters.register_dumper(JSONText, JSONText)
    with cursor.copy(f"COPY {table} ({', '.join(types)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(types.values()))
        for row in rows:
            copy.write_row(row)
