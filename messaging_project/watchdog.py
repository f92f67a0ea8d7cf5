"""Notices a PostgreSQL that hangs or is away, has requests refused at once meanwhile, and notices its return.

No time limit of server or kernel ends a wait for a server that hangs; to shut the socket down does, from any thread.
"""

import logging
import os
import socket
from contextlib import suppress
from threading import Lock, Thread, Timer
from time import monotonic, sleep
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1  # a request may take so long before the database is asked whether it lives
DEADLINE_SECONDS = 1  # for its answer
TICK_SECONDS = 0.2
AGAIN_SECONDS = 0.5  # between questions during an outage
CONNECT_SECONDS = 2  # libpq knows no less


class Refused(psycopg.OperationalError):
    """Nothing was sent: an outage is known."""


class Watchdog:
    """One for each process. Wrappers tell it of connections asked for and given back; its thread asks SELECT 1."""

    def __init__(self) -> None:
        self.serves = False  # whether this process answers requests
        self.knows_outage = False
        self._since: dict[DatabaseWrapper, float] = {}
        self._own: psycopg.Connection[Any] | None = None  # outside the pool
        self._starting = Lock()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """This process serves. Watch from now on; does nothing the second time, and without PostgreSQL."""
        self.serves = True
        if not self.is_on and connections["default"].vendor == "postgresql":
            with self._starting:
                if not self.is_on:
                    self._thread.start()

    @property
    def is_on(self) -> bool:
        """Whether this process serves requests, from PostgreSQL."""
        return self._thread.ident is not None

    def begin(self, wrapper: DatabaseWrapper) -> None:
        """Raises Refused while an outage is known."""
        if self.knows_outage:
            raise Refused("The database does not answer.")
        self._since[wrapper] = monotonic()

    def end(self, wrapper: DatabaseWrapper) -> None:
        self._since.pop(wrapper, None)

    def _watch(self) -> None:
        parameters = connections["default"].get_connection_params()
        parameters |= {"connect_timeout": CONNECT_SECONDS, "application_name": "watchdog"}
        self._answers(parameters)  # so that the connection is there when it is needed
        while True:
            sleep(AGAIN_SECONDS if self.knows_outage else TICK_SECONDS)
            waiting = monotonic() - min(self._since.copy().values(), default=monotonic()) > PATIENCE_SECONDS
            if waiting or self.knows_outage:
                self._judge(answers=self._answers(parameters))

    def _judge(self, *, answers: bool) -> None:
        if answers == self.knows_outage:
            logger.error("The database %s.", "answers again" if answers else "does not answer: requests are refused")
        self.knows_outage = not answers
        if self.knows_outage:
            default: Any = connections["default"]
            # Django's close_pool() would wait for the threads of a pool whose database doesn't answer.
            if pool := default._connection_pools.pop("default", None):
                pool.close(timeout=0)  # whoever waits for a connection fails at once; the next pool begins afresh
            for wrapper in self._since.copy():
                cut(wrapper.connection)

    def _answers(self, parameters: dict[str, Any]) -> bool:
        """Whether its own connection answers in time, or one of the pool's where a new one is refused at once."""
        is_new, began = self._own is None, monotonic()
        try:
            self._own = self._own or psycopg.connect(**parameters, autocommit=True)
            ask(self._own)
        except psycopg.Error:
            self._own = None
            if monotonic() - began >= DEADLINE_SECONDS:
                return False
            # A connection that broke since the last question says nothing: a new one does.
            return self._pool_answers() if is_new else self._answers(parameters)
        return True

    def _pool_answers(self) -> bool:
        """A server that is full refuses new sessions, and serves those that it has.

        One that is idle or comes back within a tick is asked: to wait longer would delay the notice of a server away.
        """
        default: Any = connections["default"]
        if pool := default._connection_pools.get("default"):
            with suppress(psycopg.Error), pool.connection(timeout=TICK_SECONDS) as session:
                ask(session)
                return True
        return False


def ask(connection: psycopg.Connection[Any]) -> None:
    """Raises psycopg.Error without an answer within DEADLINE_SECONDS."""
    timer = Timer(DEADLINE_SECONDS, cut, [connection])
    timer.start()
    try:
        connection.execute("SELECT 1")
    finally:
        timer.cancel()


def cut(connection: psycopg.Connection[Any] | None) -> None:
    """Shut the connection's socket down: whoever waits at it fails at once."""
    with suppress(OSError, psycopg.Error):
        if connection is not None:
            with socket.socket(fileno=os.dup(connection.fileno())) as shared:
                shared.shutdown(socket.SHUT_RDWR)


watchdog = Watchdog()
