"""`prune` and `prune_history`: what ages goes, and what is in use stays."""

import time
from datetime import datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import feed, history
from campaigns.models import Action, HistoryEntry, SeedCheckpoint
from campaigns.seeding.loading import CHECKPOINTS_KEPT_FOR
from campaigns.tests.api import NO_ID
from campaigns.tests.factories import ACTOR
from messaging_project.api.idempotency import KEPT_FOR
from messaging_project.api.models import IdempotentAnswer, ThrottleCounter

pytestmark = pytest.mark.django_db


def run(*command: str) -> list[str]:
    output = StringIO()
    call_command(*command, stdout=output)
    return output.getvalue().splitlines()


def make_entry(at: datetime, number: int = 0) -> UUID:
    """A change at that time, as its UUIDv7 tells."""
    values = history.entry_values(ACTOR, Action.STEP_CHANGED, UUID(NO_ID))
    entry_id = UUID(int=int(at.timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62 | number)
    HistoryEntry.objects.create(id=entry_id, created_at=at, **values)
    return entry_id


def ids() -> list[UUID]:
    return list(HistoryEntry.objects.order_by("id").values_list("id", flat=True))


def test_history_older_than_so_many_days_is_deleted() -> None:
    make_entry(timezone.now() - timedelta(days=30, minutes=1))
    kept = make_entry(timezone.now() - timedelta(days=29, hours=23))

    assert run("prune_history", "--older-than", "30") == ["1 history entries deleted"]
    assert ids() == [kept]


def test_history_is_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 2)
    long_ago = timezone.now() - timedelta(days=400)
    for number in range(5):
        make_entry(long_ago, number)
    kept = make_entry(timezone.now())

    assert run("prune_history", "--older-than", "365") == ["5 history entries deleted"]
    assert ids() == [kept]


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "ten", "36501"])
def test_a_number_of_days_that_cant_be_used_deletes_nothing(days: str) -> None:
    kept = make_entry(timezone.now() - timedelta(days=4_000))

    with pytest.raises(CommandError, match=f"'{days}' is not a whole number from 1 to 36500"):
        run("prune_history", f"--older-than={days}")

    assert ids() == [kept]


def test_prune_deletes_what_has_aged_and_nothing_that_is_in_use() -> None:
    make_aged_and_fresh()
    entry = make_entry(timezone.now() - timedelta(days=4_000))

    assert run("prune") == [
        "1 idempotency keys deleted",
        "1 sessions deleted",
        "1 counts of throttles deleted",
        "1 counts of failed logins deleted",
        "1 checkpoints of stopped loads deleted",
    ]
    assert [bytes(answer.digest) for answer in IdempotentAnswer.objects.all()] == [b"fresh"]
    assert [session.session_key for session in Session.objects.all()] == ["fresh"]
    assert [counter.key for counter in ThrottleCounter.objects.all()] == ["fresh"]
    assert [attempt.username for attempt in AccessAttempt.objects.all()] == ["fresh"]
    assert [checkpoint.key for checkpoint in SeedCheckpoint.objects.all()] == ["fresh"]
    assert ids() == [entry]


def make_aged_and_fresh() -> None:
    """Of each kind of row one that is over and one that isn't."""
    now, minute = timezone.now(), timedelta(minutes=1)
    for name, sign in (("aged", 1), ("fresh", -1)):
        off = sign * minute
        IdempotentAnswer.objects.create(digest=name.encode(), request_digest=b"", created_at=now - KEPT_FOR - off)
        Session.objects.create(session_key=name, session_data="", expire_date=now - off)
        ThrottleCounter.objects.create(key=name, calls=1, resets_at=int(time.time()) - sign * 60)
        attempt = AccessAttempt.objects.create(username=name, failures_since_start=1)
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=now - timedelta(minutes=15) - off)
        SeedCheckpoint.objects.create(key=name, run_id=UUID(NO_ID), updated_at=now - CHECKPOINTS_KEPT_FOR - off)


def test_prune_deletes_history_if_asked() -> None:
    make_entry(timezone.now() - timedelta(days=4_000))

    assert run("prune", "--history-older-than=365")[-1] == "1 history entries deleted"
    assert ids() == []
