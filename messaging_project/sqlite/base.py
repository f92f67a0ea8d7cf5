"""Django's SQLite backend, whose transactions that write wait in turn.

SQLite itself lets waiting connections try again after longer and longer pauses, so that some starve. Here the threads
of a process queue, and only the first of them tries, at short and equal intervals, to come before other processes.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from messaging_project.database_errors import is_busy
from messaging_project.sqlite import MUST_EXIST
from messaging_project.sqlite.queue import Queue
from messaging_project.watchdog import watchdog

PAUSE_SECONDS = 0.001
DEFAULT_TIMEOUT_SECONDS = 5.0  # that of Python's module


def _busy() -> sqlite3.OperationalError:
    """What SQLite says to whoever has waited too long."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


_queues: defaultdict[str, Queue] = defaultdict(Queue)  # by the database's name


class DatabaseWrapper(base.DatabaseWrapper):
    """Transactions that write have turns. Django begins and ends them in private methods alone, and so does this."""

    _queue: Queue | None = None  # where this connection has its turn

    def get_connection_params(self) -> dict[str, Any]:
        """Where SQLite finds no file it makes an empty database. The project's processes leave that to `migrate`.

        So a file that was moved away is an outage, and nothing stands in its place when it comes back. In a database
        that is there, "no such table" stays the error of the program that it is.
        """
        parameters = super().get_connection_params()
        must_exist = watchdog.serves or self.settings_dict.get(MUST_EXIST, False)
        if must_exist and not self.is_in_memory_db():
            parameters["database"] = f"{Path(parameters['database']).absolute().as_uri()}?mode=rw"
        return parameters

    def _start_transaction_under_autocommit(self) -> None:
        mode: str = self.transaction_mode  # type: ignore[attr-defined]  # the stubs do not have it
        if mode != "IMMEDIATE":
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs don't have it
            return
        deadline = monotonic() + self._timeout
        queue = _queues[str(self.settings_dict["NAME"])]
        if not queue.enter(deadline - monotonic()):
            raise OperationalError("database is locked") from _busy()
        self._queue = queue
        try:
            self._begin_until(deadline)
        except BaseException:
            self._leave()
            raise

    def _begin_until(self, deadline: float) -> None:
        """Begin a transaction that writes, as soon as those of other processes let it."""
        while True:
            try:
                with self._not_waiting():
                    return super()._start_transaction_under_autocommit()  # type: ignore[misc,no-any-return]
            except OperationalError as error:
                if not is_busy(error) or monotonic() > deadline:
                    raise
            sleep(PAUSE_SECONDS)

    @property
    def _timeout(self) -> float:
        seconds: float = self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_SECONDS)
        return seconds

    @contextmanager
    def _not_waiting(self) -> Iterator[None]:
        """SQLite's own wait is for all other statements: those that write outside a transaction."""
        self.ensure_connection()
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {self._timeout * 1_000:.0f}")

    def _leave(self) -> None:
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.leave()

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit:  # the transaction has ended
            self._leave()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave()
