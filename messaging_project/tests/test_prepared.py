"""One cursor of a connection runs all its prepared statements, and none sees anything of another."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, NotSupportedError, connection, transaction
from psycopg import ProgrammingError

from messaging_project.database_errors import is_unavailable
from messaging_project.prepared import prepared_cursor

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
ID = UUID(int=7)


def answer(sql: str, *parameters: Any) -> tuple[Any, ...]:
    with prepared_cursor() as cursor:
        cursor.execute(sql, parameters)
        found: tuple[Any, ...] = cursor.fetchone()
        return found


def test_each_statement_has_types_of_its_own() -> None:
    assert answer("SELECT %s::text, %s::uuid", "7", ID) == ("7", ID)
    assert answer("SELECT %s::bigint", 7) == (7,)
    assert answer("SELECT %s::text, %s::uuid", None, ID) == (None, ID)
    assert answer("SELECT %s::date", date(2026, 12, 1)) == (date(2026, 12, 1),)


def test_the_cursor_is_the_same_one_even_after_an_error() -> None:
    with prepared_cursor() as first, pytest.raises(DataError):
        first.execute("SELECT 1 / %s::integer", [0])
    with prepared_cursor() as second:
        assert second.cursor is first.cursor


def test_the_rows_of_a_statement_are_not_kept() -> None:
    with prepared_cursor() as cursor:
        cursor.execute("SELECT %s::text", ["a"])
    with pytest.raises(ProgrammingError, match="no result available"):
        cursor.cursor.fetchone()
    assert cursor.cursor._tx.pgresult is None


def test_a_plan_that_a_migration_has_outdated_is_a_connection_to_be_replaced() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE widened (name varchar(3)); INSERT INTO widened VALUES ('abc')")
    assert answer("SELECT name FROM widened") == ("abc",)
    with connection.cursor() as cursor:
        # Of an ALTER on its own, psycopg would know that it outdates plans.
        cursor.execute("DO 'BEGIN ALTER TABLE widened ALTER name TYPE varchar(4); END'")
    with pytest.raises(NotSupportedError) as caught, transaction.atomic():
        answer("SELECT name FROM widened")
    assert is_unavailable(caught.value)
    with pytest.raises(NotSupportedError) as caught:
        answer("SELECT count(*) FROM widened FOR UPDATE")  # of the same SQLSTATE
    assert not is_unavailable(caught.value)
