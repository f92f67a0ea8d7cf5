"""The feed of all changes: each entry once, in an order legal for each campaign, whatever transactions overlap."""

from collections import Counter
from datetime import timedelta
from itertools import groupby
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from campaigns import feed
from campaigns.exceptions import CampaignNotEditable, CursorPruned
from campaigns.feed import changes_since, latest_cursor
from campaigns.history import record
from campaigns.models import Action, Campaign, HistoryEntry
from campaigns.steps import add_step
from campaigns.tests.api import NO_ID
from campaigns.tests.factories import ACTOR, make_campaign, step_fields
from campaigns.tests.races import other_connection, post, threads
from campaigns.tests.test_history_order import add, add_with_key, replay, shift
from campaigns.tests.test_prune import make_entry

CAMPAIGNS, WRITERS, CALLS = 3, 16, 10


def tell(*numbers: int, action: Action = Action.STEPS_ADDED) -> None:
    for number in numbers:
        record(ACTOR, action, UUID(NO_ID), after={"steps": number})


def counts(entries: list[Any]) -> list[int]:
    return [entry.after["steps"] for entry in entries]


def follow(cursor: int | None = None, **options: Any) -> tuple[list[Any], int]:
    """All that there is after a cursor, page by page, and the cursor after it."""
    entries: list[Any] = []
    while True:
        page = changes_since(cursor, **options)
        entries += page.entries
        if not page.has_more:
            return entries, page.cursor
        assert page.cursor > (cursor or 0)
        cursor = page.cursor


# --- Pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("batch", [2, 3, 100])
def test_whoever_follows_the_cursors_gets_each_entry_once(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", batch)
    tell(*range(7))
    seen, cursor = follow(limit=2)
    tell(7, 8)
    later, _ = follow(cursor, limit=2)
    assert (counts(seen), counts(later)) == ([*range(7)], [7, 8])


@pytest.mark.django_db
def test_a_cursor_moves_past_entries_of_other_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 4)
    tell(0)
    tell(*range(1, 10), action=Action.STEPS_REPLACED)
    tell(10)
    seen, cursor = follow(types=[Action.STEPS_ADDED])
    assert (counts(seen), changes_since(cursor).entries) == ([0, 10], [])


@pytest.mark.django_db
def test_the_latest_cursor_begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 2)
    tell(*range(5))
    cursor = latest_cursor()
    tell(5)
    assert counts(follow(cursor)[0]) == [5]


@pytest.mark.django_db
def test_a_clock_that_was_set_back_changes_nothing() -> None:
    now = timezone.now()
    written = [make_entry(now - timedelta(hours=hours)) for hours in range(3)]
    assert [entry.id for entry in changes_since().entries] == written


@pytest.mark.django_db
def test_a_cursor_older_than_what_was_pruned_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 2)
    old = [make_entry(timezone.now() - timedelta(days=400), number) for number in range(3)]
    before = changes_since(limit=2).cursor
    at_the_end = changes_since(before, limit=1).cursor
    kept = make_entry(timezone.now())

    call_command("prune_history", older_than=365, verbosity=0)

    with pytest.raises(CursorPruned):
        changes_since(before)
    assert len(old) == at_the_end
    assert [entry.id for entry in changes_since(at_the_end).entries] == [kept]
    assert [entry.id for entry in changes_since().entries] == [kept]


@pytest.mark.django_db
def test_a_cursor_beyond_the_last_is_of_a_database_that_was_restored_and_refused() -> None:
    tell(0)
    with pytest.raises(CursorPruned):
        changes_since(latest_cursor() + 1)
    assert changes_since(latest_cursor()).entries == []


@pytest.mark.django_db
def test_what_nobody_has_read_is_numbered_before_it_is_pruned() -> None:
    start = latest_cursor()
    make_entry(timezone.now() - timedelta(days=400))
    call_command("prune_history", older_than=365, verbosity=0)
    with pytest.raises(CursorPruned):
        changes_since(start)


# --- Transactions that overlap ---------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_commits_late_comes_late_and_isnt_missed() -> None:
    """A reader that goes by ids or times would be past it by then. An older transaction elsewhere stops nobody."""
    early, late = make_campaign(), make_campaign()
    has_written, may_commit = Event(), Event()

    def write_and_wait() -> None:
        with transaction.atomic():
            add_step(late.id, step_fields(0), actor=ACTOR)
            has_written.set()
            assert may_commit.wait(30)

    with threads() as start, other_connection() as elsewhere:
        elsewhere.execute("SELECT pg_current_xact_id()")
        writer = start(write_and_wait)
        assert has_written.wait(30)
        add_step(early.id, step_fields(0), actor=ACTOR)
        first = changes_since()
        may_commit.set()
        writer.result()
        second = changes_since(first.cursor)
    assert [[entry.campaign_id for entry in page.entries] for page in (first, second)] == [[early.id], [late.id]]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_while_one_reader_numbers_another_reads_what_is_numbered() -> None:
    tell(0)
    cursor = latest_cursor()
    tell(1)
    with other_connection() as numbering:
        numbering.execute("SELECT last FROM campaigns_feed FOR UPDATE")
        meanwhile = changes_since()
    assert (counts(meanwhile.entries), meanwhile.cursor) == ([0], cursor)
    assert counts(changes_since(meanwhile.cursor).entries) == [1]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_gives_what_is_numbered() -> None:
    tell(0)
    cursor = latest_cursor()
    tell(1)
    with connection.cursor() as session:
        session.execute("SET default_transaction_read_only = on")
        try:
            found = changes_since()
            ahead = changes_since(cursor + 1)  # of the primary, which this may be a copy of
        finally:
            session.execute("SET default_transaction_read_only = off")
    assert (counts(found.entries), found.cursor) == ([0], cursor)
    assert (ahead.entries, ahead.cursor) == ([], cursor + 1)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_while_another_writes_for_long_sqlite_gives_what_is_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(0)
    cursor = latest_cursor()
    tell(1)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    with threads() as start, transaction.atomic():
        found = start(changes_since).result()
        with pytest.raises(OperationalError):
            start(latest_cursor).result()  # it would leave out what is committed
    assert (counts(found.entries), found.cursor, found.has_more) == ([0], cursor, False)
    assert counts(changes_since(cursor).entries) == [1]


class Undone(Exception):
    """Rolls a transaction back."""


def add_and_undo(campaign: Campaign, position: int) -> tuple[int, Any]:
    try:
        with transaction.atomic():
            add_step(campaign.id, step_fields(position), actor=ACTOR)
            raise Undone
    except (Undone, CampaignNotEditable):
        return 0, None


def toggle(campaign: Campaign, position: int) -> tuple[int, Any]:
    post(f"{campaign.id}/activate")
    return post(f"{campaign.id}/pause")


@pytest.mark.django_db(transaction=True)
def test_readers_among_many_writers_get_every_entry_once_in_a_legal_order() -> None:
    """Writers wait for each other's locks with and without having written before, some roll back; readers poll."""
    campaigns = [make_campaign(steps=1) for _ in range(CAMPAIGNS)]
    ways = (add, add_with_key, shift, add_and_undo, toggle)
    barrier, done = Barrier(WRITERS), Event()

    def write(number: int) -> int:
        barrier.wait(30)
        succeeded = 0
        for call in range(CALLS):
            way = ways[(number + call) % len(ways)]
            position = 0 if way is shift else 1_000 * (1 + number * CALLS + call)
            succeeded += way(campaigns[(number + call) % CAMPAIGNS], position)[0] in (200, 201)
            connection.close()  # the pool has fewer than there are threads
        return succeeded

    def read(limit: int) -> list[Any]:
        seen, cursor = follow(limit=limit)
        while not done.is_set():
            more, cursor = follow(cursor, limit=limit)
            seen += more
        latest_cursor()  # numbers the rest, or waits until the other reader has done so
        return seen + follow(cursor, limit=limit)[0]

    with threads() as start:
        readers = [start(lambda limit=limit: read(limit)) for limit in (3, 100)]  # type: ignore[misc]
        writers = [start(lambda number=number: write(number)) for number in range(WRITERS)]  # type: ignore[misc]
        try:
            assert sum(writer.result() for writer in writers) > WRITERS
        finally:
            done.set()
        for seen in (reader.result() for reader in readers):
            stored = HistoryEntry.objects.values_list("id", flat=True)
            assert Counter(entry.id for entry in seen) == Counter(stored)
            of_campaign = sorted(seen, key=lambda entry: entry.campaign_id)  # stable: in the order of the feed
            for _, entries in groupby(of_campaign, key=lambda entry: entry.campaign_id):
                replay([*entries])


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_writer_that_is_killed_leaves_neither_an_entry_nor_a_gap() -> None:
    tell(0)
    with threads() as start:
        written = Event()

        def write_and_be_killed() -> None:
            with transaction.atomic():
                tell(1)
                written.set()
                wait_until_killed()

        killed = start(write_and_be_killed)
        assert written.wait(30)
        tell(2)
        first = changes_since()
        kill_the_idle()
        with pytest.raises(OperationalError):
            killed.result()
    tell(3)
    assert counts(first.entries) == [0, 2]
    assert counts(changes_since(first.cursor).entries) == [3]


def wait_until_killed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


def kill_the_idle() -> None:
    with other_connection() as killer:
        killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'")
