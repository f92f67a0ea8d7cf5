"""Staging on SQLite: in its temporary database, so that nothing waits for it."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any

from django.db import connection, transaction

from campaigns import history
from campaigns.canonical_json import canonical
from campaigns.seeding.rows import JSON_COLUMNS, Row
from campaigns.seeding.staging import JUDGEMENTS, ROW_TYPES, SECTION_TYPES, STAGED, TABLES, Stage, batches, row_values


@lru_cache(1_000)
def respelled(text: str) -> str:
    """JSON in the spelling that is stored. Files repeat few texts."""
    return canonical(json.loads(text))


@contextmanager
def staged(rows: Iterable[Row], tick: Callable[[int], None]) -> Iterator[Stage]:
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
                cursor.execute(table.replace("line bigint", "line integer PRIMARY KEY", 1))
            with _own_transaction(cursor):
                for batch in batches(rows):
                    sections = stage.divide(batch)
                    _insert(cursor, "seed_section", SECTION_TYPES, (section.values() for section in sections))
                    _insert(cursor, "seed_row", ROW_TYPES, chain.from_iterable(map(row_values, sections)))
                    tick(stage.rows)
            yield stage
        finally:
            for name in (*STAGED, *JUDGEMENTS):
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
    except BaseException:
        if connection.connection.in_transaction:  # a full disk may have ended it
            cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def _insert(cursor: Any, table: str, types: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    ids = [index for index, kind in enumerate(types.values()) if kind == "uuid"]
    texts = [index for index, column in enumerate(types) if column in JSON_COLUMNS]
    places = ", ".join(["%s"] * len(types))
    statement = f"INSERT INTO {table} ({', '.join(types)}) VALUES ({places})"  # noqa: S608 - this package's tables

    def stored(row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for index in ids:
            values[index] = values[index] and values[index].hex
        for index in texts:
            values[index] = values[index] and respelled(values[index])
        return values

    cursor.executemany(statement, list(map(stored, rows)))


def same_json(left: str, right: str) -> bool:
    """Whether two JSON texts mean the same, as PostgreSQL's jsonb has it: 1 is 1.0, and true is not 1."""
    return left == right or _comparable(left) == _comparable(right)


def _comparable(text: str) -> object:
    # jsonb's numbers are decimals. In a tuple, none equals a boolean.
    def number(digits: str) -> object:
        return (Decimal(digits),)

    return json.loads(text, parse_int=number, parse_float=number)
