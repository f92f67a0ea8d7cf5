"""Staging on PostgreSQL, by COPY in its binary format, which it need not parse.

The steps of a campaign that nobody knows yet are not staged, but written ahead, where they will stay: into the table
of steps, under a campaign with a fresh id and no external id. No other transaction can see these rows, wait for them or
have a row in their way. Only merging.py gives such a campaign its external id, or takes the steps back where it
turns out that they don't belong to a new campaign.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from socket import AF_UNIX, SO_SNDBUF, SOL_SOCKET, socket
from typing import Any

import uuid_utils
from django.db import connection

from campaigns.models import Campaign
from campaigns.seeding.rows import Row
from campaigns.seeding.staging import ROW_COLUMNS, RUN_COLUMNS, TABLES, Divided, Run, Stage, batches

DRAFT = Campaign.Status.DRAFT.value.encode()
TYPES = {"line": "bigint", "uuid": "uuid", "json": "jsonb"}
CAMPAIGN_COLUMNS = "id, name, description, status, version"
STEP_COLUMNS = "id, campaign_id, position, delay_minutes, version, variables, template_id, template_version_id"
# What joins, and the foreign key, look rows up by.
CAMPAIGN_KEYS = "campaigns_campaign (id, external_id)"
STEP_KEYS = "campaigns_campaignstep (id, campaign_id, position)"
MANY_ROWS = 10_000  # from here on a bad plan costs more than ANALYZE

BUFFER_BYTES = 4 * 1024 * 1024
WRITTEN_ROWS = 500  # so few that the server has the first ones while the next are packed

# The check of the foreign key is planned while there are few campaigns, and keeps that plan when there are many.
PLAN_FOR_MANY = "SET LOCAL enable_seqscan = off"
PLAN_FOR_ALL = "SET LOCAL enable_seqscan TO DEFAULT"
KNOWN = """
SELECT external_id FROM campaigns_campaign WHERE external_id = ANY(%(ids)s)
UNION ALL SELECT external_id FROM seed_run WHERE external_id = ANY(%(ids)s)
"""


@contextmanager
def staged(
    blocks: Iterable[list[Row]], tick: Callable[[int], None], may_write_ahead: Callable[[], bool]
) -> Iterator[Stage]:
    """Fill the temporary tables inside the caller's transaction. `tick` gets the count of rows.

    The caller's block runs with the tables filled. `may_write_ahead` is asked for each batch of rows.
    """
    stage = Stage()
    analyzed = False
    with connection.cursor() as cursor, connection.wrap_database_errors:
        _widen_buffer(cursor.connection.fileno())
        cursor.execute("DROP TABLE IF EXISTS seed_row, seed_run")  # of another load in the same outer transaction
        for table in TABLES:
            cursor.execute(f"{table.format(**TYPES)} ON COMMIT DROP")
        cursor.execute("CREATE INDEX ON seed_run (external_id)")
        cursor.execute(PLAN_FOR_MANY)
        with ExitStack() as unfinished:
            for batch in batches(blocks):
                unfinished.close()
                unknown = _unknown(cursor, batch) if may_write_ahead() else ()
                divided, ended = stage.divide(batch, unknown)
                _begin(cursor, divided)
                if stage.has_ahead and stage.rows >= MANY_ROWS and not analyzed:
                    analyze(cursor, CAMPAIGN_KEYS)
                    analyzed = True
                _write(cursor, unfinished, divided, ended)
                tick(stage.rows)
        with ExitStack() as unfinished:
            _write(cursor, unfinished, [], stage.last_run())
        cursor.execute("CREATE INDEX ON seed_row USING brin (line)")  # small; for writing in slices
        cursor.execute("ANALYZE seed_row (line, grp, position)")
        cursor.execute("ANALYZE seed_run")
        cursor.execute(PLAN_FOR_ALL)
    yield stage


def _widen_buffer(descriptor: int) -> None:
    """Let the socket hold what the server needs to go on while rows are read. That of TCP widens by itself."""
    with socket(fileno=os.dup(descriptor)) as to:
        if to.family == AF_UNIX:
            to.setsockopt(SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES)  # or as much as the system allows


def _unknown(cursor: Any, batch: list[Row]) -> set[str]:
    """The external ids in the batch that neither a stored campaign nor a run of the input before it has."""
    ids = {row[1].external_id for row in batch if row[1].external_id is not None}
    if not ids:
        return ids
    cursor.execute(KNOWN, {"ids": list(ids)})
    return ids.difference(external_id for (external_id,) in cursor.fetchall())


def analyze(cursor: Any, keys: str) -> None:
    """Let the planner know how full a table is, and keep that so until the transaction ends.

    Autovacuum does not see uncommitted rows. Where it says that a table is empty, plans read all of it, or all of an
    index, for each row: one check of a foreign key takes as long as thousands. ANALYZE sees its own transaction, and
    its lock, which is in the way of VACUUM and of changes of the schema only, keeps autovacuum off. Where another load
    has the lock, or the user isn't the table's owner, nothing happens.
    """
    cursor.execute(f"ANALYZE (SKIP_LOCKED) {keys}")


def _begin(cursor: Any, divided: Divided) -> None:
    """Write the campaigns of the runs that begin here and are written ahead."""
    begun = [run for run, rows in divided if run.ahead and run.line == rows[0][0]]
    with ExitStack() as unfinished:
        _copy(cursor, unfinished, "campaigns_campaign", CAMPAIGN_COLUMNS, map(_packed_campaign, begun))


def _write(cursor: Any, unfinished: ExitStack, divided: Divided, ended: list[Run]) -> None:
    """The last COPY is left unfinished: what is in the socket's buffer keeps the server busy while rows are read."""
    ahead = [(run, rows) for run, rows in divided if run.ahead]
    staged = [(run, rows) for run, rows in divided if not run.ahead]
    _copy(cursor, unfinished, "seed_run", RUN_COLUMNS, map(_packed_run, ended))
    _copy(cursor, unfinished, "seed_row", ROW_COLUMNS, _packed_rows(staged))
    _copy(cursor, unfinished, "campaigns_campaignstep", STEP_COLUMNS, _packed_steps(ahead))


def _copy(cursor: Any, unfinished: ExitStack, table: str, columns: str, packed: Iterator[bytes]) -> None:
    """Finish the COPY before, and write this one, if there is something to write."""
    if first := b"".join(islice(packed, WRITTEN_ROWS)):
        unfinished.close()
        copy = unfinished.enter_context(cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"))
        copy.write(HEADER + first)
        while some := b"".join(islice(packed, WRITTEN_ROWS)):
            copy.write(some)
        copy.write(TRAILER)


# --- The format ------------------------------------------------------------------------------------------------------

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# The number of columns, then each value after its length in bytes.
ROW = struct.Struct("!h iq ii i16s iq ii").pack  # line, grp, id, position, delay_minutes
ROW_WITHOUT_STEP = struct.Struct("!h iq ii i16s i ii").pack  # the position is NULL
# id, campaign_id, position, delay_minutes, version, and of the variables, as jsonb, the version of their format
STEP = struct.Struct("!h i16s i16s iq ii iq iB").pack
LENGTH = struct.Struct("!i").pack
JSONB = struct.Struct("!iB").pack  # the length counts jsonb's version, which is 1
BIGINT = struct.Struct("!iq").pack
INTEGER = struct.Struct("!ii").pack
COLUMNS = struct.Struct("!h").pack
NULL = LENGTH(-1)
FIRST_VERSION = BIGINT(8, 1)


class Sized(dict[str, bytes]):
    """Texts after their lengths, remembered: files repeat few template ids."""

    LIMIT = 20_000

    def __missing__(self, text: str) -> bytes:
        if len(self) >= self.LIMIT:
            self.clear()
        self[text] = sized = _sized(text.encode())
        return sized


def _sized(value: bytes | None) -> bytes:
    return NULL if value is None else LENGTH(len(value)) + value


def _packed_steps(divided: Divided) -> Iterator[bytes]:
    new_id, sized = uuid_utils.uuid7, Sized()
    for run, rows in divided:
        campaign_id = run.new_id.bytes
        for _, _, position, template_id, version_id, delay, variables in rows:
            json = variables.encode()
            fixed = STEP(8, 16, new_id().bytes, 16, campaign_id, 8, position, 4, delay, 8, 1, len(json) + 1, 1)
            yield fixed + json + sized[template_id] + sized[version_id]


def _packed_rows(divided: Divided) -> Iterator[bytes]:
    new_id, sized = uuid_utils.uuid7, Sized()
    for run, rows in divided:
        grp = run.grp
        for line, _, position, template_id, version_id, delay, variables in rows:
            json = variables.encode()
            if position is None:
                fixed = ROW_WITHOUT_STEP(8, 8, line, 4, grp, 16, new_id().bytes, -1, 4, delay)
            else:
                fixed = ROW(8, 8, line, 4, grp, 16, new_id().bytes, 8, position, 4, delay)
            yield fixed + sized[template_id] + sized[version_id] + JSONB(len(json) + 1, 1) + json


def _packed_campaign(run: Run) -> bytes:
    values = (run.new_id.bytes, _encoded(run.head.name), _encoded(run.head.description or ""), DRAFT)
    return COLUMNS(5) + b"".join(map(_sized, values)) + FIRST_VERSION


def _packed_run(run: Run) -> bytes:
    given_id, *texts = run.head
    values = (given_id.bytes if given_id else None, *map(_encoded, texts), run.new_id.bytes, run.entry_id.bytes)
    numbers = BIGINT(8, run.steps) + BIGINT(8, run.minutes) + INTEGER(4, run.ahead)
    return COLUMNS(12) + INTEGER(4, run.grp) + BIGINT(8, run.line) + b"".join(map(_sized, values)) + numbers


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
