"""What the errors of the database mean: not now, lost to another transaction, taken; and what to do about each."""

from collections.abc import Callable
from functools import wraps
from random import uniform
from time import sleep
from typing import ParamSpec, TypeVar

import psycopg
from django.db import Error as DatabaseError  # the base of Django's DatabaseError and InterfaceError
from django.db import InterfaceError, OperationalError, connection

# SQLSTATEs (PostgreSQL's manual, appendix A).
READ_ONLY = "25006"  # read_only_sql_transaction: the server became a copy of another one, or its quota is used up
LOST = ("40001", "40P01")  # serialization_failure, deadlock_detected
LOCK_TIMEOUT = "55P03"  # lock_not_available
OUTDATED_PLAN = ("0A000", "RevalidateCachedQuery")  # with the function of PostgreSQL's source that refused
# Connection exceptions, statement_completion_unknown, and sessions that the server ended (admin_shutdown and the like).
OUTCOME_UNKNOWN = ("08", "40003", "57P")
TAKEN = "23505"  # unique_violation
# What says "not now" instead of "not so". Classes: connection exception, insufficient resources, operator intervention
# (shutdown, statement_timeout), system error (of the disk).
UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
UNAVAILABLE = (
    READ_ONLY,
    *LOST,
    LOCK_TIMEOUT,
    "25P03",  # idle_in_transaction_session_timeout
    "25P04",  # transaction_timeout
    "40003",  # statement_completion_unknown
    "72000",  # snapshot_too_old
)
# SQLite's primary result codes BUSY, LOCKED, READONLY, IOERR, FULL and CANTOPEN (sqlite.org/rescode.html).
BUSY_SQLITE = 5
CANTOPEN_SQLITE = 14
READ_ONLY_SQLITE = 8
UNAVAILABLE_SQLITE = (BUSY_SQLITE, 6, READ_ONLY_SQLITE, 10, 13, CANTOPEN_SQLITE)
TAKEN_SQLITE = 2067  # the extended code CONSTRAINT_UNIQUE

ATTEMPTS = 3
PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.5

P = ParamSpec("P")
R = TypeVar("R")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function that makes one transaction again, up to ATTEMPTS times, after SQLSTATE 40001 or 40P01.

    It pauses before each retry. Inside a caller's transaction the error passes at once: only who began it can begin
    again.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_lost(error) or attempt == ATTEMPTS:
                    raise
                pause(attempt)
        raise AssertionError

    return run


def pause(lost: int) -> None:
    """Wait after a transaction was lost for the `lost`th time, so that the winner can end and the others spread out.

    The time is random, between nothing and PAUSE_SECONDS, twice as much after each further loss, up to
    LONGEST_PAUSE_SECONDS.
    """
    sleep(uniform(0, min(PAUSE_SECONDS * 2 ** (lost - 1), LONGEST_PAUSE_SECONDS)))  # noqa: S311 - not a secret


# --- What an error means ---------------------------------------------------------------------------------------------


def code_of(exc: Exception) -> str | int | None:
    """PostgreSQL's SQLSTATE, or SQLite's extended result code; None where the database itself said nothing."""
    cause = exc.__cause__
    sqlite_code: int | None = getattr(cause, "sqlite_errorcode", None)
    return getattr(cause, "sqlstate", None) if sqlite_code is None else sqlite_code


def is_lost(exc: Exception) -> bool:
    """Whether the database gave up the transaction for another's sake; it may succeed when it is run again."""
    return code_of(exc) in LOST


def is_lock_timeout(exc: Exception) -> bool:
    """Whether somebody else held a lock for too long."""
    return code_of(exc) == LOCK_TIMEOUT


def is_busy(exc: Exception) -> bool:
    """Whether SQLite has another connection that writes."""
    code = code_of(exc)
    return isinstance(code, int) and code & 0xFF == BUSY_SQLITE


def is_unopened(exc: Exception) -> bool:
    """Whether SQLite can't open the database's file."""
    code = code_of(exc)
    return isinstance(code, int) and code & 0xFF == CANTOPEN_SQLITE


def is_unique_violation(exc: Exception) -> bool:
    """Whether a unique constraint refused the write; the row in its way may be gone by now."""
    return code_of(exc) in (TAKEN, TAKEN_SQLITE)


def is_unavailable(exc: Exception) -> bool:
    """Whether the database can't do it now, as opposed to refusing a faulty statement."""
    if not isinstance(exc, DatabaseError):
        return False
    match code_of(exc):
        case str(sqlstate):
            return sqlstate[:2] in UNAVAILABLE_CLASSES or sqlstate in UNAVAILABLE or is_plan_outdated(exc)
        case int(sqlite_code):
            return sqlite_code & 0xFF in UNAVAILABLE_SQLITE
        case _:  # the connection's fault
            return isinstance(exc, OperationalError | InterfaceError)


def is_outcome_unknown(exc: BaseException) -> bool:
    """Whether a connection was lost while the database had a statement: that may have been done, a COMMIT included.

    What Django meets while it ends the transaction hides the loss: the loss is then in that error's context.
    """
    found: BaseException | None = exc
    while found is not None:
        # Exactly this class: its subclasses have an SQLSTATE, or come from a pool or a watchdog that sent nothing.
        sqlstate = getattr(found, "sqlstate", None) or ""
        if type(found) is psycopg.OperationalError or sqlstate.startswith(OUTCOME_UNKNOWN):
            return True
        found = found.__cause__ or found.__context__
    return False


def is_contention(exc: Exception) -> bool:
    """Whether others were in the way: they held a lock for too long, or won a deadlock."""
    return is_lost(exc) or is_lock_timeout(exc) or is_busy(exc)


def is_plan_outdated(exc: Exception) -> bool:
    """Whether a connection has prepared a statement whose columns a migration has given other types since."""
    diagnosis = getattr(exc.__cause__, "diag", None)
    return (code_of(exc), getattr(diagnosis, "source_function", None)) == OUTDATED_PLAN


def is_read_only(exc: Exception) -> bool:
    """Whether the database refused a write because it takes none now."""
    code = code_of(exc)
    return code == READ_ONLY or (isinstance(code, int) and code & 0xFF == READ_ONLY_SQLITE)


def discard_connections(exc: Exception) -> None:
    """Keep no connection that an outage may have made useless, so that only the first request notices.

    Those that a restart broke are found by a check. One to a read-only server works, but may lead to the one that was
    the primary before a fail-over, and one with an outdated plan keeps it: all are closed, and the next ones are new.
    """
    connection.close_if_unusable_or_obsolete()
    pool = getattr(connection, "pool", None)
    if pool is None or pool.closed:
        return
    if is_read_only(exc) or is_plan_outdated(exc):
        pool.drain()
    else:
        pool.check()
