"""Staging on PostgreSQL, and the way of new campaigns to where they stay, while the rest of the file is read.

The thread that reads also packs rows. The one that writes only sends what is packed: it rarely needs Python's lock.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import chain, pairwise
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.copy import FileWriter
from psycopg.pq import Format

from campaigns.seeding import staging
from campaigns.seeding.early import LOAD_LOCK, EarlyCampaigns
from campaigns.seeding.rows import Row
from campaigns.seeding.staging import ROW_TYPES, SECTION_TYPES, STAGED, STORED_TYPES, TABLES, Section, Stage

# What joins, and the foreign key, look rows up by.
CAMPAIGN_KEYS = "campaigns_campaign (id, external_id)"
STEP_KEYS = "campaigns_campaignstep (id, campaign_id, position)"
MANY_ROWS = 10_000  # from here on a bad plan costs more than ANALYZE

# Much less than Python's own: after each wait for the server, the writing thread has its turn soon.
SWITCH_SECONDS = 0.00002

# A load waits this long for a lock and then lets go of those it has, so that nobody waits longer for it in vain.
LOCK_TIMEOUT_MS = 3_000
# While rows are read it waits for nobody: what somebody else is creating is staged.
EARLY_LOCK_TIMEOUT_MS = 100
OTHER_LOAD_HOURS = 24  # a load waits for so long for another one that writes the same campaigns early
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
    f"SET LOCAL lock_timeout = {EARLY_LOCK_TIMEOUT_MS}",
    f"DROP TABLE IF EXISTS {', '.join(STAGED)}",  # of another load in the same outer transaction
    *(f"{table} ON COMMIT DROP" for table in TABLES),
    "CREATE INDEX ON seed_row (line)",  # for writing in slices; made now, it grows while the server waits for rows
    # Plans are made while the tables are empty, and the foreign key keeps its own when they no longer are.
    "SET LOCAL enable_seqscan = off",
)
AFTER = (
    "ANALYZE seed_row (line, section, position)",
    "ANALYZE seed_section",
    "SET LOCAL enable_seqscan TO DEFAULT",
    f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}",
)


@contextmanager
def staged(
    rows: Iterable[Row], tick: Callable[[int], None], may_write_early: Callable[[], bool], **flags: bool
) -> Iterator[Stage]:
    """Fill the temporary tables inside the caller's transaction. `tick` gets the count of rows.

    The caller's block runs with the tables filled. `may_write_early` is asked for each batch of rows; the `flags` are
    those of EarlyCampaigns.
    """
    stage = Stage()
    with connection.cursor() as cursor:
        for statement in BEFORE:
            cursor.execute(statement)
        with (
            connection.wrap_database_errors,
            connection.connection.cursor() as packing,
            psycopg.ClientCursor(connection.connection) as copying,
            ExitStack() as stack,
            ThreadPoolExecutor(1) as thread,
        ):
            stack.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(SWITCH_SECONDS)
            packing.adapters.register_dumper(JSONText, JSONText)
            early = EarlyCampaigns(copying, may_write_early, **flags)
            begun, written = thread.submit(early.begin, ""), thread.submit(_send, copying, [])
            divided: Iterator[list[Section]] = map(stage.divide, staging.batches(rows))
            # The campaigns of each batch are begun before the rows of the last one are sent.
            for number, (last, sections) in enumerate(pairwise(chain([[]], divided, [[]]))):
                early.assign(last, begun.result())
                begun = thread.submit(early.begin, early.candidates(sections))
                if number == 2:
                    thread.submit(analyze, copying, CAMPAIGN_KEYS)
                packed = _packed(packing, last)
                written.result()
                written = thread.submit(_send, copying, packed)
                if last:
                    tick(stage.rows)
            written.result()
            stage.locked_at = early.locked_at
        for statement in AFTER:
            cursor.execute(statement)
    yield stage


def wait_for_early_load() -> None:
    """Wait until no other load writes early, and keep it so until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{OTHER_LOAD_HOURS}h'")
        cursor.execute(LOAD_LOCK)
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")


def analyze(cursor: Any, keys: str) -> None:
    """Let the planner know how full a table is, and keep that so until the transaction ends.

    Autovacuum does not see uncommitted rows. Where it says that a table is empty, plans read all of it, or all of an
    index, for each row: one check of a foreign key takes as long as thousands. ANALYZE sees its own transaction, and
    its lock, which is in the way of VACUUM and of changes of the schema only, keeps autovacuum off. Where another load
    has the lock, or the user isn't the table's owner, nothing happens.
    """
    cursor.execute(f"ANALYZE (SKIP_LOCKED) {keys}")


class JSONText(Dumper):
    """JSON that is text already, in jsonb's binary format: its version, and the text."""

    format = Format.BINARY
    oid = psycopg.adapters.types["jsonb"].oid

    def dump(self, obj: str) -> bytes:
        return b"\x01" + obj.encode()


def _packed(cursor: Any, sections: list[Section]) -> list[tuple[str, bytes]]:
    """The COPY statements that write a batch, with their data. The cursor only lends its adapters."""
    batch: list[tuple[str, dict[str, str], Iterable[tuple[Any, ...]]]] = [
        ("seed_section", SECTION_TYPES, map(Section.values, sections)),
        ("seed_row", ROW_TYPES, chain.from_iterable(map(staging.row_values, sections))),
        ("campaigns_campaignstep", STORED_TYPES, chain.from_iterable(map(staging.early_steps, sections))),
    ]
    packed = [(table, types, _data(cursor, types, rows)) for table, types, rows in batch]
    copy = "COPY {} ({}) FROM STDIN (FORMAT BINARY)"
    return [(copy.format(table, ", ".join(types)), data) for table, types, data in packed if data]


def _data(cursor: Any, types: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> bytes:
    """The rows in the format of a binary COPY; nothing if there are none."""
    data = BytesIO()
    copy = psycopg.Copy(cursor, binary=True, writer=FileWriter(data))
    copy.set_types(list(types.values()))
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the count outlives the loop
        copy.write_row(row)
    copy.finish(None)
    return data.getvalue() if count else b""


def _send(cursor: Any, packed: list[tuple[str, bytes]]) -> None:
    for statement, data in packed:
        try:
            with cursor.copy(statement) as copy:
                copy.write(data)
        except ValueError as error:  # psycopg expects one result, and there are two if a pooler says that it goes
            raise psycopg.OperationalError("the connection was lost") from error
