"""Staging on SQLite: in its temporary database, so that nothing waits for it."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from django.db import connection, transaction

from campaigns import history
from campaigns.canonical_json import canonical
from campaigns.seeding.plain_json import same_json
from campaigns.seeding.rows import Row
from campaigns.seeding.staging import JUDGEMENTS, ROW_COLUMNS, RUN_COLUMNS, TABLES, Divided, Run, Stage, batches

TYPES = {"line": "integer PRIMARY KEY", "uuid": "text", "json": "text"}


def _insert(table: str, columns: str) -> str:
    marks = ", ".join(["%s"] * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - the names of this package's tables


@contextmanager
def staged(blocks: Iterable[list[Row]], tick: Callable[[int], None]) -> Iterator[Stage]:
    """Fill the temporary tables, outside the caller's transaction. `tick` gets the count of rows.

    The caller's block runs with the tables filled.
    """
    stage = Stage()
    with connection.cursor() as cursor:
        connection.connection.create_function("same_json", 2, same_json, deterministic=True)
        connection.connection.create_function("canonical_object", -1, _canonical_object, deterministic=True)
        connection.connection.create_function("history_clock", 0, _history_clock)
        connection.connection.create_function("history_entry_id", 1, _history_entry_id, deterministic=True)
        try:
            for table in TABLES:
                cursor.execute(table.format(**TYPES))
            with _own_transaction(cursor):
                for batch in batches(blocks):
                    divided, ended = stage.divide(batch)
                    cursor.executemany(_insert("seed_row", ROW_COLUMNS), list(_row_values(divided)))
                    cursor.executemany(_insert("seed_run", RUN_COLUMNS), list(map(_run_values, ended)))
                    tick(stage.rows)
                cursor.executemany(_insert("seed_run", RUN_COLUMNS), list(map(_run_values, stage.last_run())))
            yield stage
        finally:
            for name in ("seed_row", "seed_run", *JUDGEMENTS):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")


def _canonical_object(*names_and_values: str | int) -> str:
    return canonical(dict(zip(names_and_values[::2], names_and_values[1::2], strict=True)))


def _history_clock() -> str | None:
    return connection.ops.adapt_datetimefield_value(history.next_instant())


def _history_entry_id(at: str) -> str:
    return history.entry_id(datetime.fromisoformat(at).replace(tzinfo=UTC)).hex


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


def _row_values(divided: Divided) -> Iterator[tuple[Any, ...]]:
    new_id = uuid_utils.uuid7
    for run, rows in divided:
        grp = run.grp
        for line, _, position, template_id, version_id, delay, variables in rows:
            spelled = canonical(json.loads(variables))
            yield (line, grp, new_id().hex, position, delay, template_id, version_id, spelled)


def _run_values(run: Run) -> tuple[Any, ...]:
    given_id, *texts = run.head
    ids = (run.new_id.hex, run.entry_id.hex)
    return (run.grp, run.line, given_id and given_id.hex, *texts, *ids, run.steps, run.minutes, 0)
