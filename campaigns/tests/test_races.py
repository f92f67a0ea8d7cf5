"""Calls that meet on one campaign, in each order: every answer is one that its order explains, and no step is lost.

The test holds the campaign's row until both calls wait for it; then they go on in the order in which they came.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.models import Campaign, CampaignStep
from campaigns.steps import locked
from campaigns.tests.api import (
    ROOT,
    add_steps,
    campaign_url,
    faults,
    not_editable,
    not_found,
    reorder,
    replace_steps,
    stale,
    step_url,
)
from campaigns.tests.factories import actions, history_of, ids, make_campaign, step_body, templates
from campaigns.tests.races import caller, in_line, threads, wait_until_blocked

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def both(campaign: Campaign, *calls: Callable[[], Any]) -> list[Any]:
    """The answers of calls that all waited for the campaign, in the order given."""
    with in_line(campaign) as start:
        started = [start(call) for call in calls]
    return [future.result() for future in started]


def add(campaign: Campaign, position: int, **headers: str) -> Any:
    return caller().post(campaign_url(campaign, "/steps"), step_body(position), headers=headers)


# --- Add against add -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["add", "add with a key"])
def test_of_two_adders_with_one_tag_the_second_is_told_of_the_first(headers: dict[str, str]) -> None:
    campaign = make_campaign(steps=1)
    seen = {"If-Match": caller().get(campaign_url(campaign, "/steps"))["ETag"]}
    added, second, many = both(
        campaign,
        lambda: add(campaign, 1, **seen, **headers),
        lambda: add(campaign, 2, **seen),
        lambda: add_steps(caller(), campaign, [step_body(3), step_body(4)], **seen),
    )
    assert added.status_code == 201
    now = stale(caller().get(campaign_url(campaign, "/steps"))["ETag"])
    assert [(it.status_code, it.json()) for it in (second, many)] == [(412, now), (412, now)]
    assert [position for position, _ in templates(campaign)] == [0, 1]


# --- Reorder against add ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["add", "add with a key"])
def test_a_step_added_after_a_reorder_takes_its_place(headers: dict[str, str]) -> None:
    campaign = make_campaign(steps=2)
    backwards = ids(campaign)[::-1]
    reordered, added = both(
        campaign, lambda: reorder(caller(), campaign, backwards), lambda: add(campaign, 2, **headers)
    )
    assert (reordered.status_code, added.status_code) == (200, 201)
    assert templates(campaign) == [(0, "t1"), (1, "t0"), (2, "t2")]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["add", "add with a key"])
def test_a_reorder_that_does_not_know_of_a_step_added_before_it_is_refused(headers: dict[str, str]) -> None:
    campaign = make_campaign(steps=2)
    backwards = ids(campaign)[::-1]
    added, reordered = both(
        campaign, lambda: add(campaign, 2, **headers), lambda: reorder(caller(), campaign, backwards)
    )
    assert added.status_code == 201
    assert faults(reordered) == [("step_ids", "missing")]
    assert templates(campaign) == [(0, "t0"), (1, "t1"), (2, "t2")]


def test_a_step_added_where_a_reorder_has_put_another_is_refused_with_the_holder() -> None:
    campaign = make_campaign(steps=1)
    CampaignStep.objects.update(position=5)
    (step_id,) = ids(campaign)
    reordered, added = both(campaign, lambda: reorder(caller(), campaign, [step_id]), lambda: add(campaign, 0))
    assert (reordered.status_code, added.status_code) == (200, 412)
    assert added.json()["details"] == {
        "reason": "position_taken",
        "position": 0,
        "step_id": step_id,
        "next_position": 1,
    }


# --- Delete against patch --------------------------------------------------------------------------------------------


def test_a_step_deleted_before_its_change_is_not_found() -> None:
    campaign = make_campaign(steps=2)
    step = campaign.steps.get(position=0)
    url = step_url(step)
    deleted, patched = both(campaign, lambda: caller().delete(url), lambda: caller().patch(url, {"delay_minutes": 5}))
    assert deleted.status_code == 204
    assert (patched.status_code, patched.json()) == (404, not_found("step", step.id))
    assert (templates(campaign), actions(campaign)) == ([(1, "t1")], ["step.deleted"])


def test_a_step_changed_before_its_deletion_is_deleted_as_changed() -> None:
    campaign = make_campaign(steps=2)
    url = step_url(campaign.steps.get(position=0))
    patched, deleted = both(campaign, lambda: caller().patch(url, {"delay_minutes": 5}), lambda: caller().delete(url))
    assert (patched.status_code, deleted.status_code) == (200, 204)
    assert templates(campaign) == [(1, "t1")]
    assert [entry["before"]["delay_minutes"] for entry in history_of(campaign)] == [0, 5]


def test_a_deletion_on_condition_is_refused_after_a_change() -> None:
    campaign = make_campaign(steps=1)
    url = step_url(campaign.steps.get())
    patched, deleted = both(
        campaign,
        lambda: caller().patch(url, {"delay_minutes": 5}),
        lambda: caller().delete(url, headers={"If-Match": '"1"'}),
    )
    assert patched.status_code == 200
    assert (deleted.status_code, deleted.json()) == (412, stale('"2"'))
    assert templates(campaign) == [(0, "t0")]


def test_of_two_changes_on_condition_one_wins() -> None:
    campaign = make_campaign(steps=1)
    url = step_url(campaign.steps.get())
    first, second = both(
        campaign,
        lambda: caller().patch(url, {"delay_minutes": 1}, headers={"If-Match": '"1"'}),
        lambda: caller().patch(url, {"delay_minutes": 2}, headers={"If-Match": '"1"'}),
    )
    assert (first.status_code, second.status_code) == (200, 412)
    assert campaign.steps.get().delay_minutes == 1


def test_two_changes_of_different_fields_both_stay() -> None:
    campaign = make_campaign(steps=1)
    url = step_url(campaign.steps.get())
    both(
        campaign,
        lambda: caller().patch(url, {"delay_minutes": 1}),
        lambda: caller().patch(url, {"template_id": "new"}),
    )
    step = campaign.steps.get()
    assert (step.delay_minutes, step.template_id, step.version) == (1, "new", 3)


# --- Replace against reorder -----------------------------------------------------------------------------------------


def test_a_reorder_after_a_replacement_is_refused_with_what_it_did_not_know() -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    replaced, reordered = both(
        campaign,
        lambda: replace_steps(caller(), campaign, [step_body(0, id=first), step_body(7)]),
        lambda: reorder(caller(), campaign, [second, first]),
    )
    assert replaced.status_code == 200
    assert faults(reordered) == [("step_ids[0]", "unknown"), ("step_ids", "missing")]
    assert templates(campaign) == [(0, "t0"), (7, "t7")]


def test_a_replacement_after_a_reorder_is_what_stays() -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    reordered, replaced = both(
        campaign,
        lambda: reorder(caller(), campaign, [second, first]),
        lambda: replace_steps(caller(), campaign, [step_body(0, id=first), step_body(7)]),
    )
    assert (reordered.status_code, replaced.status_code) == (200, 200)
    assert templates(campaign) == [(0, "t0"), (7, "t7")]


@pytest.mark.parametrize("reorder_first", [True, False])
def test_on_condition_only_the_first_of_them_takes_effect(reorder_first: bool) -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    condition = {"If-Match": caller().get(campaign_url(campaign, "/steps"))["ETag"]}
    calls = [
        lambda: reorder(caller(), campaign, [second, first], **condition),
        lambda: replace_steps(caller(), campaign, [step_body(0, id=first), step_body(7)], **condition),
    ]
    answers = both(campaign, *(calls if reorder_first else calls[::-1]))
    assert [answer.status_code for answer in answers] == [200, 412]
    assert answers[1].json() == stale(answers[0]["ETag"])
    assert templates(campaign) == ([(0, "t1"), (1, "t0")] if reorder_first else [(0, "t0"), (7, "t7")])


# --- The campaign's life against its steps ---------------------------------------------------------------------------

ADDS: dict[str, Callable[[Campaign], Any]] = {
    "add": lambda campaign: add(campaign, 0),
    "add with a key": lambda campaign: add(campaign, 0, **{"Idempotency-Key": "k"}),
    "shift": lambda campaign: caller().post(campaign_url(campaign, "/steps?on_conflict=shift"), step_body(0)),
    "bulk": lambda campaign: caller().post(campaign_url(campaign, "/steps/bulk"), {"steps": [step_body(0)]}),
}


@pytest.mark.parametrize("how", ADDS)
def test_a_step_for_a_campaign_deleted_before_it_finds_none(how: str) -> None:
    campaign = make_campaign()
    deleted, added = both(campaign, lambda: caller().delete(campaign_url(campaign)), lambda: ADDS[how](campaign))
    assert deleted.status_code == 204
    assert (added.status_code, added.json()) == (404, not_found("campaign", campaign.id))
    assert (CampaignStep.objects.count(), actions(campaign)) == (0, ["campaign.deleted"])


@pytest.mark.parametrize("how", ADDS)
def test_a_step_added_before_its_campaign_is_deleted_goes_with_it(how: str) -> None:
    campaign = make_campaign()
    added, deleted = both(campaign, lambda: ADDS[how](campaign), lambda: caller().delete(campaign_url(campaign)))
    assert (added.status_code, deleted.status_code) == (201, 204)
    assert not Campaign.objects.exists()
    assert not CampaignStep.objects.exists()
    assert history_of(campaign)[-1]["before"]["steps"] == 1


def test_the_last_step_is_not_deleted_from_a_campaign_that_was_activated_before() -> None:
    campaign = make_campaign(steps=1)
    url = step_url(campaign.steps.get())
    activated, deleted = both(
        campaign, lambda: caller().post(campaign_url(campaign, "/activate")), lambda: caller().delete(url)
    )
    assert activated.status_code == 200
    assert (deleted.status_code, deleted.json()) == (412, not_editable(campaign, "active"))


def test_a_campaign_whose_last_step_was_deleted_before_is_not_activated() -> None:
    campaign = make_campaign(steps=1)
    url = step_url(campaign.steps.get())
    deleted, activated = both(
        campaign, lambda: caller().delete(url), lambda: caller().post(campaign_url(campaign, "/activate"))
    )
    assert (deleted.status_code, activated.status_code) == (204, 412)
    assert activated.json()["details"]["reason"] == "not_ready"
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_of_two_transitions_one_wins() -> None:
    campaign = make_campaign(status="active", steps=1)
    paused, completed = both(
        campaign,
        lambda: caller().post(campaign_url(campaign, "/pause")),
        lambda: caller().post(campaign_url(campaign, "/pause")),
    )
    assert (paused.status_code, completed.status_code) == (200, 412)
    assert completed.json()["details"]["reason"] == "invalid_transition"
    assert actions(campaign) == ["campaign.paused"]


def test_a_copy_has_the_steps_of_one_moment() -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    reordered, copied = both(
        campaign,
        lambda: reorder(caller(), campaign, [second, first]),
        lambda: caller().post(campaign_url(campaign, "/duplicate")),
    )
    assert (reordered.status_code, copied.status_code) == (200, 201)
    assert templates(Campaign.objects.get(pk=copied.json()["id"])) == [(0, "t1"), (1, "t0")]


# --- External ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("commits", [True, False])
def test_an_external_id_goes_to_the_first_that_commits(commits: bool) -> None:
    with threads() as start:
        with transaction.atomic():
            make_campaign(external_id="crm-1")
            second = start(lambda: caller().post(ROOT, {"name": "Second", "external_id": "crm-1"}))
            wait_until_blocked()
            transaction.set_rollback(not commits)
        answer = second.result()
    if commits:
        assert faults(answer) == [("external_id", "unique")]
    else:
        assert answer.status_code == 201
    assert Campaign.objects.filter(external_id="crm-1").count() == 1


def test_an_external_id_that_is_given_up_at_that_moment_is_still_a_400() -> None:
    """Its holder is deleted after the database has refused, and before anybody could look it up."""
    holder = make_campaign(external_id="crm-1")

    def delete_holder(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("ROLLBACK TO SAVEPOINT"):
            with threads() as start:
                start(lambda: Campaign.objects.filter(pk=holder.pk).delete()).result()
        return result

    with connection.execute_wrapper(delete_holder):
        answer = caller().post(ROOT, {"name": "Second", "external_id": "crm-1"})
    assert faults(answer) == [("external_id", "unique")]
    assert not Campaign.objects.exists()


def test_what_only_refers_to_a_campaign_waits_for_no_write_of_its_steps() -> None:
    campaign = make_campaign()

    def refer() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM campaigns_campaign WHERE id = %s FOR KEY SHARE NOWAIT", [campaign.id])
            return cursor.fetchall()

    with threads() as start, locked(campaign.id):
        assert start(refer).result() == [(campaign.id,)]
