"""A transaction that the database gives up for another's sake is run again, whatever it writes: three times in all."""

from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.models import Campaign, HistoryEntry
from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.factories import ACTOR, make_campaign, stored
from campaigns.tests.test_operations_by_status import OPERATIONS

pytestmark = pytest.mark.django_db(transaction=True)
WRITES = [name for name, operation in OPERATIONS.items() if operation.writes]
LOST = [psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected]


class Losing:
    """Around the statements of a connection: each of its first `times` entries in the history meets `loss`."""

    def __init__(self, loss: type[psycopg.Error], times: int) -> None:
        self.loss, self.left = loss, times

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if self.left and "INSERT INTO" in sql and "campaigns_historyentry" in sql:
            self.left -= 1
            raise OperationalError("lost") from self.loss("lost")
        return execute(sql, parameters, many, context)


def call(client: APIClient, name: str, campaign: Campaign, **headers: str) -> Any:
    """Call one of OPERATIONS on a campaign with steps."""
    operation = OPERATIONS[name]
    ids = [str(step.id) for step in campaign.steps.order_by("position")]
    address = campaign_url(campaign, operation.path.format(step_id=ids[0]))
    return getattr(client, operation.method)(address, operation.body(ids), headers=headers)


@pytest.mark.parametrize("loss", LOST)
@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_run_again(client: APIClient, name: str, loss: type[psycopg.Error]) -> None:
    campaign = make_campaign(status=OPERATIONS[name].allowed[0], steps=2)
    losing = Losing(loss, times=2)

    with connection.execute_wrapper(losing):
        answer = call(client, name, campaign)

    assert (answer.status_code, losing.left) == (OPERATIONS[name].code, 0), answer.content
    actions = list(HistoryEntry.objects.values_list("action", flat=True))
    assert len(set(actions)) == len(actions)  # nothing is there twice


@pytest.mark.parametrize("loss", LOST)
def test_a_new_campaign_is_tried_again(client: APIClient, loss: type[psycopg.Error]) -> None:
    losing = Losing(loss, times=2)

    with connection.execute_wrapper(losing):
        answer = client.post(ROOT, {"name": "Welcome"})

    assert (answer.status_code, losing.left) == (201, 0)
    assert [str(campaign.id) for campaign in Campaign.objects.all()] == [answer.json()["id"]]


@pytest.mark.parametrize("name", [name for name in WRITES if OPERATIONS[name].method == "post"])
def test_a_write_under_an_idempotency_key_is_run_again_with_its_key(client: APIClient, name: str) -> None:
    campaign = make_campaign(status=OPERATIONS[name].allowed[0], steps=2)
    headers = {"Idempotency-Key": "k"}

    with connection.execute_wrapper(Losing(LOST[0], times=2)):
        first = call(client, name, campaign, **headers)
    after = stored()
    again = call(client, name, campaign, **headers)

    assert (first.status_code, again.content) == (OPERATIONS[name].code, first.content)
    assert stored() == after


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_is_lost_again_and_again_is_given_up(client: APIClient, name: str) -> None:
    campaign = make_campaign(status=OPERATIONS[name].allowed[0], steps=2)
    before = stored()

    with connection.execute_wrapper(Losing(LOST[0], times=3)):
        answer = call(client, name, campaign)

    assert (answer.status_code, answer.json()["error"], answer["Retry-After"]) == (503, "unavailable", "5")
    assert stored() == before


def test_inside_a_callers_transaction_only_the_caller_can_begin_again() -> None:
    campaign = make_campaign()
    before = stored()
    losing = Losing(LOST[0], times=2)

    with pytest.raises(OperationalError), connection.execute_wrapper(losing), transaction.atomic():
        lifecycle.change_status(campaign.id, "archived", actor=ACTOR)

    assert losing.left == 1
    assert stored() == before
