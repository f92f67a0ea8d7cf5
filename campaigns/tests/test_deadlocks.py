"""A write that the database rolls back for a deadlock is tried again, twice at most."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import campaign_url, reorder, replace_steps, step_url
from campaigns.tests.factories import actions, ids, make_campaign, step_body, templates
from campaigns.tests.races import WAIT_SECONDS, caller, threads, wait_until_blocked
from messaging_project import database_errors

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@contextmanager
def deadlocks(
    campaign: Campaign, step: CampaignStep, times: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[float]]:
    """`times` times, when this session has the campaign and is about to write the step, another one has the step and
    wants the campaign. This session is the one that finds out, and so the one that the database rolls back.

    The rival then gets the campaign, and keeps it until this session pauses: a retry without a pause waits in vain.
    Gives the pauses, in seconds.
    """
    pauses: list[float] = []
    rivals: list[tuple[Event, Future[None]]] = []

    def rival(may_end: Event) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '10min'")
            cursor.execute("SELECT FROM campaigns_campaignstep WHERE id = %s FOR UPDATE", [step.id])
            cursor.execute("SELECT FROM campaigns_campaign WHERE id = %s FOR UPDATE", [campaign.id])
            assert may_end.wait(WAIT_SECONDS), "the other session didn't pause"

    def let_rival_end(seconds: float) -> None:
        pauses.append(seconds)
        may_end, ended = rivals[-1]
        may_end.set()
        ended.result()

    with threads() as start:

        def meet(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            plain = sql.replace('"', "").lstrip()
            writes_steps = plain.startswith(("UPDATE campaigns_campaignstep", "DELETE FROM campaigns_campaignstep"))
            if writes_steps and len(rivals) < times:
                may_end = Event()
                rivals.append((may_end, start(lambda: rival(may_end))))
                connection.connection.execute("SET LOCAL deadlock_timeout = '10ms'")
                wait_until_blocked()
            return execute(sql, params, many, context)

        monkeypatch.setattr(database_errors, "sleep", let_rival_end)
        with connection.execute_wrapper(meet):
            yield pauses
        assert len(rivals) == times
        rivals[-1][0].set()


WRITES: dict[str, Callable[[Campaign, CampaignStep, dict[str, str]], Any]] = {
    "change": lambda _, step, headers: caller().patch(step_url(step), {"delay_minutes": 5}, headers=headers),
    "delete": lambda _, step, headers: caller().delete(step_url(step), headers=headers),
    "reorder": lambda campaign, _, headers: reorder(caller(), campaign, ids(campaign)[::-1], **headers),
    "replace": lambda campaign, _, headers: replace_steps(caller(), campaign, [step_body(5)], **headers),
    "delete the campaign": lambda campaign, _, headers: caller().delete(campaign_url(campaign), headers=headers),
    "shift": lambda campaign, _, headers: caller().post(
        campaign_url(campaign, "/steps?on_conflict=shift"), step_body(0), headers=headers
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_deadlock_is_survived(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign(steps=2)
    with deadlocks(campaign, campaign.steps.get(position=0), 2, monkeypatch) as pauses:
        answer = WRITES[name](campaign, campaign.steps.get(position=0), {})
    assert answer.status_code in {200, 201, 204}
    assert len(pauses) == 2
    assert len(set(actions(campaign))) == len(actions(campaign))  # only the last attempt left anything


def test_a_deadlock_with_an_idempotency_key_is_survived_too(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign(steps=2)
    headers = {"Idempotency-Key": "k"}
    with deadlocks(campaign, campaign.steps.get(position=0), 2, monkeypatch) as pauses:
        first = WRITES["shift"](campaign, campaign.steps.get(position=0), headers)
    assert (len(pauses), first.status_code) == (2, 201)
    again = WRITES["shift"](campaign, campaign.steps.get(position=0), headers)
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert [position for position, _ in templates(campaign)] == [0, 1, 2]


def test_deadlock_upon_deadlock_is_unavailable_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign(steps=2)
    with deadlocks(campaign, campaign.steps.get(position=0), 3, monkeypatch) as pauses:
        answer = WRITES["change"](campaign, campaign.steps.get(position=0), {})
    assert len(pauses) == 2  # there is none before giving up
    assert (answer.status_code, answer.json()["error"], answer["Retry-After"]) == (503, "unavailable", "5")
    assert (templates(campaign), actions(campaign)) == ([(0, "t0"), (1, "t1")], [])
