"""What the database says of a transaction that met another: the one rule for doing it again, and who was first."""

from collections.abc import Callable
from functools import wraps
from random import uniform
from time import sleep
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection

ATTEMPTS = 3
RETRIED_SQLSTATES = ("40001", "40P01")  # serialization_failure, deadlock_detected
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
                lost = getattr(error.__cause__, "sqlstate", None) in RETRIED_SQLSTATES
                if connection.in_atomic_block or not lost or attempt == ATTEMPTS:
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


def is_unique_violation(error: IntegrityError) -> bool:
    """Whether a unique constraint refused the write; the row in its way may be gone by now."""
    cause = error.__cause__
    sqlite, postgresql = getattr(cause, "sqlite_errorname", ""), getattr(cause, "sqlstate", "")
    return sqlite == "SQLITE_CONSTRAINT_UNIQUE" or postgresql == "23505"
