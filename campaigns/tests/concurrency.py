"""Races with a known order: calls in threads that queue for a lock which the test holds. For PostgreSQL only."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection, transaction
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.conftest import TokenPrincipal

T = TypeVar("T")
PATIENCE_SECONDS = 30  # then the test fails: nothing here takes that long
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


def caller(subject: str = "writer") -> APIClient:
    """A client for use in one thread."""
    client = APIClient()
    client.force_authenticate(TokenPrincipal(subject=subject))  # type: ignore[arg-type]  # as in conftest
    return client


@contextmanager
def threads() -> Iterator[Callable[[Callable[[], T]], "Future[T]"]]:
    """Gives what starts a call in a thread and on a connection of its own; the block ends when all calls have."""

    def run(call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        yield lambda call: pool.submit(run, call)


@contextmanager
def in_line(campaign: Campaign) -> Iterator[Callable[[Callable[[], T]], "Future[T]"]]:
    """Hold a campaign's row, and give what starts a call and returns when it waits for a lock.

    At the end of the block the row is let go, and the calls go on in the order in which they were started.
    """
    with threads() as start, transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        queued = 0

        def start_and_wait(call: Callable[[], T]) -> "Future[T]":
            nonlocal queued
            queued += 1
            future: Future[T] = start(call)
            until_waiting(queued, future)
            return future

        yield start_and_wait


def until_waiting(count: int, future: "Future[T] | None" = None) -> None:
    """Return when `count` sessions wait for a lock; fails when `future` ends first, or after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it would show the past
            cursor.execute(WAITING)
            if cursor.fetchone()[0] >= count:
                return
        if future is not None and future.done():
            raise AssertionError(f"it waited for nothing: {future.result()}")
    raise AssertionError(f"{count} sessions never waited for a lock")
