"""Statements that PostgreSQL parses and plans once for each connection, and not for each call."""

from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper


class PreparingCursor(ServerBindingCursor):
    """Prepares each statement. Its parameters are bound by the server: each needs a type, by a cast or its column."""

    def _get_prepared(self, pgq: Any, prepare: bool | None = None) -> Any:
        self._query = pgq  # what Django's log of queries shows; psycopg sets it for statements that it doesn't prepare
        return super()._get_prepared(pgq, True)  # type: ignore[misc]  # a method of psycopg's that the stubs leave out


def prepared_cursor() -> CursorWrapper:
    """A cursor for statements that stand in the code, each with few shapes: a connection keeps a hundred.

    With settings.DATABASE_PREPARE off it prepares nothing. On SQLite it is an ordinary cursor: Python's module keeps
    compiled statements anyway.
    """
    connection: Any = connections["default"]
    if connection.vendor != "postgresql":
        return connection.cursor()  # type: ignore[no-any-return]
    cursor_class: Any = PreparingCursor
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor: Any = cursor_class(connection.connection)
        # By Django's default psycopg never prepares; Django's own cursors don't, whatever this says.
        connection.connection.prepare_threshold = 0 if settings.DATABASE_PREPARE else None
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(cursor)  # type: ignore[no-any-return]
