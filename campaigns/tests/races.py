"""Races that are forced and not hoped for: threads with connections of their own, and locks that are seen to wait."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

import psycopg
from django.db import connection, connections, transaction
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.conftest import TokenPrincipal

R = TypeVar("R")
WAIT_SECONDS = 30


def caller(subject: str = "writer") -> APIClient:
    """A client for the calling thread alone."""
    client = APIClient()
    client.force_authenticate(TokenPrincipal(subject=subject))  # type: ignore[arg-type]  # stubs: Django users
    return client


def post(path: str, body: Any = None, **extra: Any) -> tuple[int, Any]:
    """One call of the API from the calling thread."""
    answer = caller().post(f"/v1/messaging/campaigns/{path}", body, **extra)
    return answer.status_code, answer.json()


@contextmanager
def threads() -> Iterator[Callable[[Callable[[], R]], "Future[R]"]]:
    """Starts functions in threads, each with a database connection of its own, and waits for them at the end."""

    def in_thread(function: Callable[[], R]) -> R:
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(64) as pool:
        yield lambda function: pool.submit(in_thread, function)


def at_once(functions: Sequence[Callable[[], R]]) -> list[R]:
    """What the functions return, all started by one barrier."""
    barrier = Barrier(len(functions))

    def released(function: Callable[[], R]) -> Callable[[], R]:
        def run() -> R:
            barrier.wait(WAIT_SECONDS)
            return function()

        return run

    with threads() as start:
        futures = [start(released(function)) for function in functions]
        return [future.result() for future in futures]


@contextmanager
def other_connection() -> Iterator["psycopg.Connection[Any]"]:
    """A connection to the test database that is nobody else's, in a transaction from its first statement on."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        yield other
        other.rollback()


def wait_until_blocked(count: int = 1) -> None:
    """Return once `count` connections to the test database wait for a lock."""
    _wait_for_sessions(count, "wait_event_type = 'Lock'")


def wait_until_ended(pid: int) -> None:
    """Return once the server has ended this session."""
    _wait_for_sessions(0, f"pid = {pid}")


def wait_until_connected(count: int, application_name: str) -> None:
    """Return once so many sessions have this name."""
    _wait_for_sessions(count, f"application_name = '{application_name}'")


def _wait_for_sessions(count: int, condition: str) -> None:
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {condition}"  # noqa: S608
    deadline = time.monotonic() + WAIT_SECONDS
    # Not the caller's own connection: within a transaction the view stays as it was first seen.
    with other_connection() as observer:
        observer.autocommit = True
        while time.monotonic() < deadline:
            if observer.execute(sql).fetchone() == (count,):
                return
            time.sleep(0.01)
    raise AssertionError(f"there are not {count} sessions with {condition}")


@contextmanager
def in_line(campaign: Campaign) -> Iterator[Callable[[Callable[[], R]], "Future[R]"]]:
    """Hold a campaign's row, and give what starts a call and returns when it waits for a lock.

    At the end of the block the row is let go, and the calls go on in the order in which they were started.
    """
    with threads() as start, transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        queued = 0

        def start_and_wait(call: Callable[[], R]) -> "Future[R]":
            nonlocal queued
            queued += 1
            future: Future[R] = start(call)
            wait_until_blocked(queued)
            return future

        yield start_and_wait
