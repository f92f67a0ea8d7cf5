"""Transactions that meet others: the one rule for doing one again, who was first, and reading as of one moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction

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


@contextmanager
def snapshot() -> Iterator[None]:
    """A transaction for reading only, all of whose queries see the database as it was at one moment.

    Inside a caller's transaction nothing is added: what its queries see was decided when it began.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with _without_write_lock(), transaction.atomic():
            yield


@contextmanager
def _without_write_lock() -> Iterator[None]:
    """By our settings SQLite's transactions begin with the write lock; those that only read needn't wait for it."""
    wrapper: Any = connection
    mode, wrapper.transaction_mode = wrapper.transaction_mode, "DEFERRED"
    try:
        yield
    finally:
        wrapper.transaction_mode = mode
