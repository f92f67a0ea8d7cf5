"""Statements that PostgreSQL parses and plans once for each connection, and not for each call."""

from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper


class PreparingCursor(ServerBindingCursor):
    """Prepares each statement. Its parameters are bound by the server: each needs a type, by a cast or its column.

    A connection has one for all its statements: so psycopg needn't find out anew how each type is written and read.
    Its public methods forget that with each statement. So this has some of its own, and requirements.in keeps to one
    minor version of psycopg.
    """

    _last_query: Any  # what the stubs leave out
    _reset: Any
    _tx: Any

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if self._last_query is not None:
            self._last_query = query  # psycopg forgets what it has found out when another statement comes
        return super().execute(query, params, **options)  # type: ignore[misc]

    def close(self) -> None:
        """Let go of the rows. The next statement uses the cursor again."""
        self._reset(reset_query=False)
        if self._last_query is not None:
            self._tx.set_pgresult(None)

    def _get_prepared(self, pgq: Any, prepare: bool | None = None) -> Any:
        self._query = pgq  # what Django's log of queries shows; psycopg sets it for statements that it doesn't prepare
        return super()._get_prepared(pgq, True)  # type: ignore[misc]


def prepared_cursor() -> CursorWrapper:
    """A cursor for statements that stand in the code, each with few shapes: a connection keeps a hundred.

    Read its rows before the next one is asked for. With settings.DATABASE_PREPARE off it prepares nothing. On SQLite it
    is an ordinary cursor: Python's module keeps compiled statements anyway.
    """
    connection: Any = connections["default"]
    if connection.vendor != "postgresql":
        return connection.cursor()  # type: ignore[no-any-return]
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = _cursor_of(connection.connection)
        # By Django's default psycopg never prepares; Django's own cursors don't, whatever this says.
        connection.connection.prepare_threshold = 0 if settings.DATABASE_PREPARE else None
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(cursor)  # type: ignore[no-any-return]


def _cursor_of(connection: Any) -> Any:
    try:
        return connection.preparing_cursor
    except AttributeError:
        cursor_class: Any = PreparingCursor
        connection.preparing_cursor = cursor_class(connection)
        return connection.preparing_cursor
