"""What races may not do, each interleaving forced on PostgreSQL by locks that other connections hold.

A writer inside `transaction.atomic()` has done its work and not committed; the others are seen to wait for it.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from campaigns import lifecycle
from campaigns.exceptions import CampaignNotEditable
from campaigns.models import Campaign, CampaignStep
from campaigns.steps import add_step, remove_step
from campaigns.tests.factories import (
    ACTOR,
    actions,
    make_campaign,
    make_step,
    positions,
    step_body,
    step_fields,
)
from campaigns.tests.races import at_once, other_connection, post, threads, wait_until_blocked

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
LOCK_TIMEOUT_MS = settings.DATABASE_TIMEOUTS_MS.get("lock_timeout")
BOTH_WAYS = pytest.mark.parametrize("query", ["", "?on_conflict=shift"], ids=["reject", "shift"])


def add(campaign: Campaign, position: int = 0, query: str = "") -> Callable[[], tuple[int, Any]]:
    return lambda: post(f"{campaign.id}/steps{query}", step_body(position))


def transition(campaign: Campaign, verb: str) -> Callable[[], tuple[int, Any]]:
    return lambda: post(f"{campaign.id}/{verb}")


def test_of_fifty_adders_to_one_position_one_wins() -> None:
    campaign = make_campaign()
    answers = at_once([add(campaign, 3)] * 50)
    winner = CampaignStep.objects.get()
    refusal = {"reason": "position_taken", "position": 3, "step_id": str(winner.id), "next_position": 4}
    assert sorted(status for status, _ in answers) == [201] + [412] * 49
    assert [body["id"] for status, body in answers if status == 201] == [str(winner.id)]
    assert [body["details"] for status, body in answers if status == 412] == [refusal] * 49
    assert actions(campaign) == ["step.added"]


def test_adders_that_shift_at_one_position_all_succeed() -> None:
    campaign = make_campaign()
    answers = at_once([add(campaign, 0, "?on_conflict=shift")] * 10)
    assert [status for status, _ in answers] == [201] * 10
    assert positions(campaign) == list(range(10))


def test_adders_to_different_positions_do_not_wait_for_each_other() -> None:
    campaign = make_campaign()
    with transaction.atomic():
        add_step(campaign.id, step_fields(0), actor=ACTOR)
        with threads() as start:
            status, _ = start(add(campaign, 1)).result()  # would not return if it waited
    assert (status, positions(campaign)) == (201, [0, 1])


# --- Steps and an activation -----------------------------------------------------------------------------------------


@BOTH_WAYS
def test_no_step_is_added_after_an_activation(query: str) -> None:
    campaign = make_campaign(steps=1)
    with threads() as start:
        with transaction.atomic():
            lifecycle.change_status(campaign.id, "active", actor=ACTOR)
            adders = [start(add(campaign, position, query)) for position in range(5)]
            wait_until_blocked(5)
        answers = [adder.result() for adder in adders]
    refusal = {"reason": "campaign_not_editable", "status": "active", "editable_statuses": ["draft", "paused"]}
    assert [(status, body["details"]) for status, body in answers] == [(412, refusal)] * 5
    assert positions(campaign) == [0]
    assert actions(campaign) == ["campaign.activated"]


@BOTH_WAYS
def test_an_activation_waits_for_a_step_that_is_being_added_and_counts_it(query: str) -> None:
    campaign = make_campaign()
    with threads() as start:
        with transaction.atomic():
            add_step(campaign.id, step_fields(), actor=ACTOR, shift=bool(query))
            activation = start(transition(campaign, "activate"))
            wait_until_blocked()
        status, body = activation.result()
    assert (status, body["status"], positions(campaign)) == (200, "active", [0])


def test_a_campaign_whose_last_step_is_being_deleted_is_not_activated() -> None:
    campaign = make_campaign(steps=1)
    with threads() as start:
        with transaction.atomic():
            remove_step(campaign.id, campaign.steps.get().id, actor=ACTOR)
            activation = start(transition(campaign, "activate"))
            wait_until_blocked()
        status, body = activation.result()
    campaign.refresh_from_db()
    assert (status, body["details"]["reason"], campaign.status, positions(campaign)) == (412, "not_ready", "draft", [])


def test_the_last_step_of_a_campaign_that_is_being_activated_is_not_deleted() -> None:
    campaign = make_campaign(steps=1)
    step = campaign.steps.get()
    with threads() as start:
        with transaction.atomic():
            lifecycle.change_status(campaign.id, "active", actor=ACTOR)
            removal = start(lambda: remove_step(campaign.id, step.id, actor=ACTOR))
            wait_until_blocked()
        with pytest.raises(CampaignNotEditable):
            removal.result()
    campaign.refresh_from_db()
    assert (campaign.status, positions(campaign)) == ("active", [0])


def test_an_activation_that_is_rolled_back_lets_the_step_in() -> None:
    campaign = make_campaign(steps=1)
    with threads() as start:
        with transaction.atomic():
            lifecycle.change_status(campaign.id, "active", actor=ACTOR)
            adder = start(add(campaign, 1))
            wait_until_blocked()
            transaction.set_rollback(True)
        status, _ = adder.result()
    assert (status, positions(campaign)) == (201, [0, 1])


# --- Two transitions -------------------------------------------------------------------------------------------------


def test_of_ten_activations_one_wins() -> None:
    campaign = make_campaign(steps=1)
    answers = at_once([transition(campaign, "activate")] * 10)
    campaign.refresh_from_db()
    assert sorted(status for status, _ in answers) == [200] + [412] * 9
    assert {body["details"]["reason"] for status, body in answers if status == 412} == {"invalid_transition"}
    assert (campaign.status, campaign.version, actions(campaign)) == ("active", 2, ["campaign.activated"])


def test_of_two_different_transitions_the_second_is_judged_by_what_the_first_left() -> None:
    campaign = make_campaign(steps=1)
    with threads() as start:
        with transaction.atomic():
            lifecycle.change_status(campaign.id, "archived", actor=ACTOR)
            activation = start(transition(campaign, "activate"))
            wait_until_blocked()
        status, body = activation.result()
    campaign.refresh_from_db()
    refusal = {"reason": "invalid_transition", "status": "archived", "target": "active", "allowed_targets": []}
    assert (status, body["details"], campaign.status) == (412, refusal, "archived")
    assert actions(campaign) == ["campaign.archived"]


# --- The holder of a position ----------------------------------------------------------------------------------------


@BOTH_WAYS
def test_who_waits_for_a_position_gets_it_when_its_holder_rolls_back(query: str) -> None:
    campaign = make_campaign()
    with threads() as start:
        with transaction.atomic():
            add_step(campaign.id, step_fields(0, template_id="gone"), actor=ACTOR)
            adder = start(add(campaign, 0, query))
            wait_until_blocked()
            transaction.set_rollback(True)
        status, _ = adder.result()
    assert (status, campaign.steps.get().template_id, actions(campaign)) == (201, "t0", ["step.added"])


def test_who_waits_for_a_position_is_told_its_holder_when_that_commits() -> None:
    campaign = make_campaign()
    with threads() as start:
        with transaction.atomic():
            holder = add_step(campaign.id, step_fields(0), actor=ACTOR)
            adder = start(add(campaign, 0))
            wait_until_blocked()
        status, body = adder.result()
    assert (status, body["details"]["reason"], body["details"]["step_id"]) == (412, "position_taken", str(holder.id))


class Meanwhile:
    """Deletes a campaign's step from another connection just before its holder is looked up, up to `times` times."""

    def __init__(self, campaign: Campaign, *, times: int) -> None:
        self.campaign = campaign
        self.times = times

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        looks_up_the_holder = sql.startswith("SELECT") and "campaigns_campaignstep" in sql
        if not looks_up_the_holder or not self.times:
            return execute(sql, parameters, many, context)
        self.times -= 1
        with other_connection() as other:
            other.execute("DELETE FROM campaigns_campaignstep WHERE campaign_id = %s", [self.campaign.id])
            other.commit()
        answer = execute(sql, parameters, many, context)
        if self.times:
            with threads() as start:
                start(lambda: make_step(self.campaign, 0)).result()
        return answer


def test_a_holder_that_vanishes_before_it_is_named_leaves_its_position() -> None:
    campaign = make_campaign()
    holder = make_step(campaign, 0)
    with connection.execute_wrapper(Meanwhile(campaign, times=1)):
        status, body = post(f"{campaign.id}/steps", step_body(0))
    assert (status, body["id"] != str(holder.id), positions(campaign)) == (201, True, [0])


def test_holders_that_vanish_again_and_again_make_the_caller_try_later() -> None:
    campaign = make_campaign()
    make_step(campaign, 0)
    with connection.execute_wrapper(Meanwhile(campaign, times=9)):
        status, body = post(f"{campaign.id}/steps", step_body(0))
    message = "Other changes to the same campaign kept getting in the way: try again."
    assert (status, body) == (503, {"error": "unavailable", "message": message})
    assert actions(campaign) == []


# --- The campaign's end ----------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_a_step_for_a_campaign_that_is_being_deleted_is_not_found(query: str) -> None:
    campaign = make_campaign(steps=1)
    with threads() as start:
        with transaction.atomic():
            lifecycle.delete_campaign(campaign.id, actor=ACTOR)
            adder = start(add(campaign, 0, query))
            wait_until_blocked()
        status, body = adder.result()
    assert (status, body["error"], CampaignStep.objects.count()) == (404, "not_found", 0)


def test_a_row_deleted_without_the_projects_functions_is_not_found_either() -> None:
    campaign = make_campaign()
    with threads() as start, other_connection() as other:
        other.execute("DELETE FROM campaigns_campaign WHERE id = %s", [campaign.id])
        adder = start(add(campaign))
        wait_until_blocked()
        other.commit()
        status, body = adder.result()
    assert (status, body["error"]) == (404, "not_found")


def test_a_deletion_takes_a_step_with_it_that_is_being_added() -> None:
    campaign = make_campaign()
    with threads() as start:
        with transaction.atomic():
            add_step(campaign.id, step_fields(), actor=ACTOR)
            deletion = start(lambda: lifecycle.delete_campaign(campaign.id, actor=ACTOR))
            wait_until_blocked()
        deletion.result()
    assert (Campaign.objects.count(), CampaignStep.objects.count()) == (0, 0)
    assert actions(campaign) == ["step.added", "campaign.deleted"]


# --- Deadlocks -------------------------------------------------------------------------------------------------------


@BOTH_WAYS
def test_whoever_loses_a_deadlock_is_run_again(query: str) -> None:
    """Under the time limit of a process that serves, and with the server's own deadlock_timeout."""
    campaign = make_campaign()

    def serve() -> tuple[int, Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(LOCK_TIMEOUT_MS)])
        return add(campaign, 0, query)()

    with threads() as start, other_connection() as other:
        other.execute("SET deadlock_timeout = '1min'")  # so that the adder's end notices it, and loses
        other.execute(
            "INSERT INTO campaigns_campaignstep (id, campaign_id, position, template_id, template_version_id,"
            " delay_minutes, variables, version) VALUES (gen_random_uuid(), %s, 0, 't', 'v', 0, '{}', 1)",
            [campaign.id],
        )
        adder = start(serve)
        wait_until_blocked()  # the adder holds the campaign and waits for the position
        other.execute("UPDATE campaigns_campaign SET name = 'x' WHERE id = %s", [campaign.id])  # and this for the adder
        wait_until_blocked()  # the adder, run again, waits for the campaign
        other.rollback()
        status, _ = adder.result()
    assert (status, positions(campaign), actions(campaign)) == (201, [0], ["step.added"])
