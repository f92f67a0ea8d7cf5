"""What the database says of a transaction that met another: the one rule for doing it again, and who was first."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection

ATTEMPTS = 3
RETRIED_SQLSTATES = ("40001", "40P01")  # serialization_failure, deadlock_detected

P = ParamSpec("P")
R = TypeVar("R")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function that makes one transaction again, up to ATTEMPTS times, after SQLSTATE 40001 or 40P01.

    Inside a caller's transaction the error passes at once: only who began it can begin again.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                lost = getattr(error.__cause__, "sqlstate", None) in RETRIED_SQLSTATES
                if connection.in_atomic_block or not lost or attempt == ATTEMPTS:
                    raise
        raise AssertionError

    return run


def is_unique_violation(error: IntegrityError) -> bool:
    """Whether a unique constraint refused the write; the row in its way may be gone by now."""
    cause = error.__cause__
    sqlite, postgresql = getattr(cause, "sqlite_errorname", ""), getattr(cause, "sqlstate", "")
    return sqlite == "SQLITE_CONSTRAINT_UNIQUE" or postgresql == "23505"
