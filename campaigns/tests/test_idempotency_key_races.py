"""Two uses of one Idempotency-Key at once: one effect, whatever the order."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.factories import make_campaign, positions, step_body
from campaigns.tests.races import caller, in_line, threads, wait_until_blocked
from messaging_project.api import idempotency
from messaging_project.api.models import IdempotentAnswer

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
KEY = "one-key"


def add(campaign: Campaign, subject: str = "writer") -> Any:
    headers = {"Idempotency-Key": KEY}
    return caller(subject).post(campaign_url(campaign, "/steps"), step_body(0), headers=headers)


def test_the_second_waits_for_the_first_and_gives_its_answer() -> None:
    campaign = make_campaign()
    with in_line(campaign) as start:
        first = start(lambda: add(campaign))  # has the key, and waits for the campaign
        second = start(lambda: add(campaign))  # waits for the key
    assert (first.result().status_code, second.result().status_code) == (201, 201)
    assert first.result().content == second.result().content
    assert [answer.result().get("Idempotent-Replayed") for answer in (first, second)] == [None, "true"]
    assert positions(campaign) == [0]


def test_the_second_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first waits for the campaign, and longer: the limit is only for the wait for the key."""
    monkeypatch.setattr(idempotency, "WAIT_MS", 100)
    campaign = make_campaign()
    with in_line(campaign) as start:
        first = start(lambda: add(campaign))
        second = add(campaign)
        wait_until_blocked()
    assert (second.status_code, second["Retry-After"]) == (409, "1")
    assert second.json() == {
        "error": "idempotency_in_progress",
        "message": "Another request with this Idempotency-Key is still being answered: try again.",
    }
    assert first.result().status_code == 201
    assert add(campaign).content == first.result().content
    assert positions(campaign) == [0]


def test_the_second_takes_effect_where_the_first_is_rolled_back() -> None:
    campaign = make_campaign()
    with in_line(campaign) as start:
        first = start(lambda: add(campaign))
        holder = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> %s"
        second = start(lambda: add(campaign))
        with connection.cursor() as cursor:
            cursor.execute(f"{holder} AND query LIKE '%%FOR SHARE%%'", [connection.connection.info.backend_pid])
            assert len(cursor.fetchall()) == 1
        assert first.result().status_code == 503
    assert second.result().status_code == 201
    assert second.result().get("Idempotent-Replayed") is None
    assert positions(campaign) == [0]


def test_the_second_is_judged_anew_where_the_first_was_refused() -> None:
    campaign = make_campaign()
    with in_line(campaign) as start:
        first, second = start(lambda: add(campaign)), start(lambda: add(campaign))
        Campaign.objects.update(status="active")
    assert [answer.result().status_code for answer in (first, second)] == [412, 412]
    assert not IdempotentAnswer.objects.exists()


def test_two_callers_with_one_key_do_not_wait_for_each_other() -> None:
    campaign, other = make_campaign(), make_campaign()
    with in_line(campaign) as start:
        first = start(lambda: add(campaign, "one"))
        assert add(other, "two").status_code == 201
    assert first.result().status_code == 201


def test_two_uses_of_an_old_key_have_one_effect_too(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    headers = {"Idempotency-Key": KEY}
    caller().post(ROOT, {"name": "Old"}, headers=headers)
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    with in_line(campaign) as start:
        first, second = start(lambda: add(campaign)), start(lambda: add(campaign))
        monkeypatch.setattr(idempotency, "WAIT_MS", 100)
        third = add(campaign)
    assert [answer.result().status_code for answer in (first, second)] == [201, 201]
    assert second.result()["Idempotent-Replayed"] == "true"
    assert third.status_code == 409
    assert positions(campaign) == [0]


def test_a_key_that_is_pruned_while_it_is_waited_for_is_no_error() -> None:
    """The answer is there when the second asks, and gone when it reads."""
    campaign = make_campaign()

    def prune_before_reading(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT") and "messaging_api_idempotentanswer" in sql:
            with threads() as start:
                start(lambda: IdempotentAnswer.objects.all().delete()).result()
        return execute(sql, params, many, context)

    assert add(campaign).status_code == 201
    with connection.execute_wrapper(prune_before_reading):
        answer = add(campaign)
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    assert add(campaign).status_code == 412  # judged anew
    assert positions(campaign) == [0]


def test_the_wait_ends_with_the_key_and_the_effect_waits_as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MS", 12_345)
    seen = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "campaigns_campaign" in sql:
            seen.append(connection.connection.execute("SHOW lock_timeout").fetchone()[0])
        return execute(sql, params, many, context)

    campaign = make_campaign()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        (configured,) = cursor.fetchone()
    with connection.execute_wrapper(look):
        assert add(campaign).status_code == 201
    assert seen == [configured]
