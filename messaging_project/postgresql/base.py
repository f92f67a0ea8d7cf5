"""Django's PostgreSQL backend, whose connections the watchdog knows of and whose waits end."""

import select
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.adapt import AdaptersMap

from messaging_project.watchdog import watchdog


def with_timeouts(parameters: dict[str, Any]) -> dict[str, Any]:
    """A connection's parameters as processes that serve use them; commands take the time that they need."""
    given = [parameters["options"]] if parameters.get("options") else []
    ours = [f"-c {name}={value}" for name, value in settings.DATABASE_TIMEOUTS_MS.items() if value]
    # Without any, no parameter: PgBouncer refuses it, even empty.
    return parameters | ({"options": " ".join(given + ours)} if ours else {})


class TimeLoader(BaseTzLoader):  # type: ignore[misc]  # untyped
    """Reads times by Python's own function in C. Django's loader took a quarter of the time of a list of campaigns."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(str(data, "ascii")).astimezone(UTC)
        except (ValueError, OverflowError):  # a year that Python doesn't have: the error as psycopg names it
            return super().load(data)  # type: ignore[no-any-return]


@cache
def with_time_loader(adapters: AdaptersMap) -> AdaptersMap:
    """Django's adapters for connections, with ours in place of one."""
    ours = AdaptersMap(adapters)
    ours.register_loader("timestamptz", TimeLoader)
    return ours


# That the server has closed its end, even behind words that nobody has read. Where there is none, poll() tells unasked.
CLOSED_BY_SERVER = getattr(select, "POLLRDHUP", 0)


def has_ended(connection: Any) -> bool:
    """Whether a connection that was idle has ended: a look at its socket, which takes a microsecond and no answer."""
    poll = select.poll()
    poll.register(connection.fileno(), CLOSED_BY_SERVER)
    return bool(poll.poll(0))


class Pools(dict[str, Any]):
    """By alias. The watchdog may take a pool away between two steps of Django's: then there is a new one."""

    def __missing__(self, alias: str) -> Any:
        return connections[alias].pool  # type: ignore[attr-defined]  # of this backend


class DatabaseWrapper(base.DatabaseWrapper):
    _connection_pools = Pools()

    def get_connection_params(self) -> dict[str, Any]:
        parameters = super().get_connection_params()
        parameters["context"] = with_time_loader(parameters["context"])
        return with_timeouts(parameters) if watchdog.is_on else parameters

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection.autocommit != autocommit:  # a pool's connections have it on already
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # Django's own, which the stubs don't have

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        watchdog.begin(self)
        try:
            return self._living_connection(conn_params)
        except BaseException:
            watchdog.end(self)
            raise

    def _living_connection(self, conn_params: dict[str, Any]) -> Any:
        """Those of the pool that ended while nobody used them, as in a restart of the server, are replaced."""
        while has_ended(connection := super().get_new_connection(conn_params)):
            connection.close()
            if pool := getattr(connection, "_pool", None):
                pool.putconn(connection)
        return connection

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # Django's own, which the stubs don't have
        finally:
            watchdog.end(self)
