"""The temporary table that checked rows wait in. Nothing else sees it, and filling it locks nothing."""

import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import uuid_utils
from django.db import connection, transaction

from campaigns.seeding.plain_json import same_json
from campaigns.seeding.rows import Head, Row

T = TypeVar("T")

TYPES = {"postgresql": {"uuid": "uuid", "json": "jsonb"}, "sqlite": {"uuid": "text", "json": "text"}}
# The first row of each run of rows of one campaign has what the file says of it, and two fresh ids: for the campaign
# if it has to be made, and for its history entry. The others have NULL there.
COLUMNS = (
    "line, grp, id, position, delay_minutes, template_id, template_version_id, variables, "
    "given_id, external_id, name, description, status, new_id, entry_id"
)
# What settling.py makes of it.
JUDGEMENTS = ("seed_group", "seed_campaign", "seed_hit", "seed_fault", "seed_run_fault", "seed_change")
CREATE = """
CREATE TEMPORARY TABLE seed_row (
    line bigint, grp integer, id {uuid}, position bigint, delay_minutes integer,
    template_id text, template_version_id text, variables {json},
    given_id {uuid}, external_id text, name text, description text, status text, new_id {uuid}, entry_id {uuid}
)
"""


class Stage:
    """What is staged: how many rows, and whether each run of a campaign's rows has ascending positions.

    Where it has, and no campaign has two runs, no position can occur twice.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_line = 0
        self.runs = 0
        self.ascending = True


@contextmanager
def staged(rows: Iterable[Row], tick: Callable[[int], None]) -> Iterator[Stage]:
    """Fill seed_row inside the caller's transaction (PostgreSQL) or just before it (SQLite); `tick` gets the count.

    The caller's block runs with the table filled.
    """
    stage = Stage()
    create = CREATE.format(**TYPES[connection.vendor])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TABLE IF EXISTS seed_row")  # of another load in the same outer transaction
            cursor.execute(f"{create} ON COMMIT DROP")
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY seed_row ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(BINARY_HEADER)
                for chunk in _chunks(_packed(rows, stage), stage, tick):
                    copy.write(b"".join(chunk))
                copy.write(BINARY_TRAILER)
            cursor.execute("CREATE INDEX ON seed_row USING brin (line)")  # small; for writing in slices
            cursor.execute("ANALYZE seed_row (line, grp, position)")
            yield stage
            return
        # The table is in SQLite's temporary database: filling it doesn't take the lock that writers queue for.
        connection.connection.create_function("same_json", 2, same_json, deterministic=True)
        cursor.execute(create.replace("line bigint", "line integer PRIMARY KEY"))
        insert = f"INSERT INTO seed_row ({COLUMNS}) VALUES ({', '.join(['%s'] * 15)})"  # noqa: S608 - no value in it
        try:
            with _own_transaction(cursor):
                for values in _chunks(_values(rows, stage), stage, tick):
                    cursor.executemany(insert, values)
            yield stage
        finally:
            for table in ("seed_row", *JUDGEMENTS):
                cursor.execute(f"DROP TABLE IF EXISTS {table}")


@contextmanager
def _own_transaction(cursor: Any) -> Iterator[None]:
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    cursor.execute("BEGIN DEFERRED")  # atomic() would begin an IMMEDIATE one
    try:
        yield
    finally:
        cursor.execute("COMMIT")


def _chunks(items: Iterator[T], stage: Stage, tick: Callable[[int], None]) -> Iterator[list[T]]:
    while chunk := list(islice(items, 1_000)):
        yield chunk
        tick(stage.rows)


def _grouped(rows: Iterable[Row], stage: Stage) -> Iterator[tuple[int, Row, Head | None]]:
    """Each row with the number of its run, and its head if it is the first of the run."""
    grp, last_position, count = 0, -1, 0
    last_head: Head | None = None
    for row in rows:
        head, position, first = row[1], row[2], None
        if head is not last_head:
            grp, last_head, last_position, first = grp + 1, head, -1, head
        if position is not None:
            if position <= last_position:
                stage.ascending = False
            last_position = position
        stage.rows = count = count + 1
        yield grp, row, first
    stage.runs = grp
    if grp:
        stage.last_line = row[0]


# --- SQLite ----------------------------------------------------------------------------------------------------------

NO_HEAD = (None,) * 7


def _values(rows: Iterable[Row], stage: Stage) -> Iterator[tuple[Any, ...]]:
    new_id = uuid_utils.uuid7
    for grp, (line, _, position, template_id, version_id, delay, variables), head in _grouped(rows, stage):
        ids = _head_values(head) if head else NO_HEAD
        yield (line, grp, new_id().hex, position, delay, template_id, version_id, variables, *ids)


def _head_values(head: Head) -> tuple[Any, ...]:
    given_id, *texts = head
    return (given_id and given_id.hex, *texts, uuid_utils.uuid7().hex, uuid_utils.uuid7().hex)


# --- PostgreSQL: its binary format, which it need not parse ----------------------------------------------------------

BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
NO_HEAD_PACKED = NULL * 7
# The number of columns, then each value after its length in bytes: line, grp, id, position, delay_minutes.
FIXED = struct.Struct("!h iq ii i16s iq ii").pack
FIXED_CAMPAIGN = struct.Struct("!h iq ii i16s i ii").pack  # without a position
LENGTH = struct.Struct("!i").pack
JSONB = struct.Struct("!iB").pack  # the length counts jsonb's version, which is 1


class Sized(dict[str, bytes]):
    """Texts as the format wants them, remembered: files repeat few template ids."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= 20_000:
            self.clear()
        self[text] = sized = _sized(text.encode())
        return sized


def _sized(value: bytes | None) -> bytes:
    return NULL if value is None else LENGTH(len(value)) + value


def _packed(rows: Iterable[Row], stage: Stage) -> Iterator[bytes]:
    new_id, sized = uuid_utils.uuid7, Sized()
    for grp, (line, _, position, template_id, version_id, delay, variables), head in _grouped(rows, stage):
        if position is None:
            fixed = FIXED_CAMPAIGN(15, 8, line, 4, grp, 16, new_id().bytes, -1, 4, delay)
        else:
            fixed = FIXED(15, 8, line, 4, grp, 16, new_id().bytes, 8, position, 4, delay)
        json = variables.encode()
        yield b"".join(
            (
                fixed,
                sized[template_id],
                sized[version_id],
                JSONB(len(json) + 1, 1),
                json,
                _packed_head(head) if head else NO_HEAD_PACKED,
            )
        )


def _packed_head(head: Head) -> bytes:
    given_id, *texts = head
    values: list[bytes | None] = [
        given_id.bytes if given_id else None,
        *(None if text is None else text.encode() for text in texts),
        uuid_utils.uuid7().bytes,
        uuid_utils.uuid7().bytes,
    ]
    return b"".join(map(_sized, values))
