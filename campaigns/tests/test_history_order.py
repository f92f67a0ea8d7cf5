"""History is in the order in which it happened, by id and by time, for every writer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from campaigns import lifecycle
from campaigns.feed import changes_since
from campaigns.history import ENTRY_ID, RANDOM, entry_id, record
from campaigns.models import Action, Campaign, HistoryEntry
from campaigns.statuses import EDITABLE
from campaigns.steps import add_step
from campaigns.tests.factories import ACTOR, make_campaign, step_body, step_fields
from campaigns.tests.races import in_line, post, threads, wait_until_blocked

TRANSITIONS = 20
ADDERS = 12


def entries_of(campaign: Campaign) -> list[HistoryEntry]:
    return list(HistoryEntry.objects.filter(campaign_id=campaign.id).order_by("id"))


def microseconds(identifier: UUID) -> int:
    """The time that a UUIDv7 tells, by RFC 9562: 48 bits of milliseconds, and 12 of their fraction (6.2, method 3)."""
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    milliseconds, fraction = identifier.int >> 80, identifier.int >> 64 & 0xFFF
    return milliseconds * 1_000 + round(fraction * 1_000 / 4_096)


def assert_ids_tell_the_times(entries: list[HistoryEntry]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for entry in entries:
        assert epoch + timedelta(microseconds=microseconds(entry.id)) == entry.created_at
    assert all(one.created_at <= other.created_at for one, other in pairwise(entries))


# --- One writer after the other --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_id_and_the_time_of_an_entry_are_one_instant_to_the_microsecond(tmp_path: Path) -> None:
    campaign = make_campaign(steps=1)
    (file := tmp_path / "steps.csv").write_text(
        f"campaign_id,position,template_id,template_version_id\n{campaign.id},9,t,v\n"
    )
    add_step(campaign.id, step_fields(1), actor=ACTOR)
    add_step(campaign.id, step_fields(0), actor=ACTOR, shift=True)
    call_command("seed_campaigns", str(file), verbosity=0)
    lifecycle.change_status(campaign.id, "active", actor=ACTOR)
    entries = entries_of(campaign)
    actions = ["step.added", "steps.shifted", "step.added", "campaign.seeded", "campaign.activated"]
    assert [entry.action for entry in entries] == actions
    assert_ids_tell_the_times(entries)


@pytest.mark.django_db
def test_entries_of_one_transaction_stand_in_the_order_in_which_they_were_written() -> None:
    campaign = make_campaign()
    with transaction.atomic():
        for number in range(200):
            record(ACTOR, Action.STEPS_ADDED, campaign.id, after={"steps": number})
    entries = entries_of(campaign)
    assert [entry.after for entry in entries] == [{"steps": number} for number in range(200)]
    assert len({entry.created_at for entry in entries}) == 200


@pytest.mark.parametrize("fraction", [0, 1, 499, 500, 999])
def test_each_microsecond_has_ids_of_its_own(fraction: int) -> None:
    at = datetime(2026, 12, 1, 8, 0, 0, 123_000 + fraction, tzinfo=UTC)
    later = entry_id(at + timedelta(microseconds=1))
    assert all(entry_id(at) < later for _ in range(20))


@pytest.mark.postgresql
@pytest.mark.django_db
@pytest.mark.parametrize("microseconds", range(990, 1_011))
def test_postgresql_makes_the_ids_that_other_databases_get(microseconds: int) -> None:
    at = datetime(2026, 12, 1, 8, 0, 0, microseconds, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {ENTRY_ID.format(random=RANDOM)} FROM (SELECT %s AS at) AS moment", [at])  # noqa: S608
        made: UUID = cursor.fetchone()[0]
    assert (made.version, made.int >> 62) == (7, entry_id(at).int >> 62)


# --- Writers that wait for each other --------------------------------------------------------------------------------


def add_with_key(campaign: Campaign, position: int) -> tuple[int, Any]:
    return post(f"{campaign.id}/steps", step_body(position), headers={"Idempotency-Key": f"key-{position}"})


def add(campaign: Campaign, position: int) -> tuple[int, Any]:
    return post(f"{campaign.id}/steps", step_body(position))


def shift(campaign: Campaign, position: int) -> tuple[int, Any]:
    return post(f"{campaign.id}/steps?on_conflict=shift", step_body(position))


WAYS = pytest.mark.parametrize("way", [add, add_with_key, shift])
Way = Callable[[Campaign, int], tuple[int, Any]]


@WAYS
@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_add_that_waited_for_a_pause_is_told_after_it(way: Way) -> None:
    campaign = make_campaign(status="active", steps=1)
    with threads() as start:
        with transaction.atomic():
            lifecycle.change_status(campaign.id, "paused", actor=ACTOR)
            adder = start(lambda: way(campaign, 5))
            wait_until_blocked()
            record(ACTOR, Action.CAMPAIGN_CHANGED, campaign.id)  # still before the lock is let go
        assert adder.result()[0] == 201
    actions = ["campaign.paused", "campaign.changed", "step.added"]
    assert [entry.action for entry in entries_of(campaign)] == actions
    assert [entry.action for entry in changes_since().entries] == actions
    assert_ids_tell_the_times(entries_of(campaign))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_transitions_that_waited_in_line_are_told_in_its_order() -> None:
    campaign = make_campaign(steps=1)
    with in_line(campaign) as start:
        for verb in ("activate", "pause"):  # of three, PostgreSQL may let the third pass by the second
            start(lambda verb=verb: post(f"{campaign.id}/{verb}"))  # type: ignore[misc]
    actions = ["campaign.activated", "campaign.paused"]
    assert [entry.action for entry in entries_of(campaign)] == actions


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_each_entry_of_a_contended_campaign_is_legal_in_the_state_that_the_entries_before_it_left() -> None:
    """Many add steps, in each of the ways, while one activates and pauses the campaign."""
    campaign = make_campaign(steps=1)
    done = Event()

    def adder(number: int) -> int:
        way = (add, add, add_with_key, shift)[number % 4]
        added = 0
        for position in count(1 + number, ADDERS):
            if done.is_set():
                return added
            # Shifts meet at the start of the run, and move what was added there.
            added += way(campaign, 0 if way is shift else position * 1_000)[0] == 201
            connection.close()  # the pool has fewer than there are threads
        raise AssertionError

    def toggle() -> None:
        try:
            for number in range(TRANSITIONS):
                assert post(f"{campaign.id}/{'pause' if number % 2 else 'activate'}")[0] == 200
                connection.close()
        finally:
            done.set()

    with threads() as start:
        adders = [start(lambda number=number: adder(number)) for number in range(ADDERS)]  # type: ignore[misc]
        start(toggle).result()
        added = sum(future.result() for future in adders)
    entries = entries_of(campaign)
    replay(entries)
    assert sum(entry.action == "step.added" for entry in entries) == added > 0
    assert_ids_tell_the_times(entries)


def replay(entries: list[HistoryEntry]) -> None:
    """Raises AssertionError where an entry isn't legal after those before it. The campaign was a draft of one step."""
    status, positions = "draft", {0}
    for entry in entries:
        before, after = entry.before or {}, entry.after or {}
        if entry.action == "step.added":
            assert status in EDITABLE
            assert after["position"] not in positions
            positions.add(after["position"])
        elif entry.action == "steps.shifted":
            assert status in EDITABLE
            run = set(range(after["from_position"], after["to_position"]))
            assert run <= positions
            assert after["to_position"] not in positions
            positions = positions - run | {position + 1 for position in run}
        else:
            assert before["status"] == status
            status = after["status"]
