"""POST /v1/messaging/campaigns/{id}/steps at a position that is taken, with and without `?on_conflict=shift`."""

from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.steps import position_taken
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, sequence_of, step_body, stored

pytestmark = pytest.mark.django_db
LAST = 2_147_483_647  # the highest position


def add(client: APIClient, campaign: Campaign, position: int, query: str = "") -> Any:
    return client.post(f"/v1/messaging/campaigns/{campaign.id}/steps{query}", step_body(position, template_id="new"))


def campaign_with_steps_at(*taken: int) -> Campaign:
    campaign = make_campaign()
    for position in taken:
        make_step(campaign, position)
    return campaign


@pytest.mark.parametrize("query", ["", "?on_conflict=reject"])
@pytest.mark.parametrize(
    ("taken", "position", "next_position"),
    [
        ([0], 0, 1),
        ([0, 1, 2, 4], 0, 3),
        ([0, 1, 2, 4], 2, 3),
        ([0, 1, 2, 4], 4, 5),
        ([5, LAST - 1], LAST - 1, LAST),
        ([5, LAST], LAST, None),
        ([5, LAST - 1, LAST], LAST - 1, None),
    ],
)
def test_a_taken_position_is_refused_with_its_holder_and_the_next_free_one(
    client: APIClient, taken: list[int], position: int, next_position: int | None, query: str
) -> None:
    campaign = campaign_with_steps_at(*taken)
    make_step(make_campaign(), 3)  # another campaign's steps don't matter
    holder = campaign.steps.get(position=position)
    before = stored()
    answer = add(client, campaign, position, query)
    way_out = f"The next free position is {next_position}; ?on_conflict=shift makes room instead."
    if next_position is None:
        way_out = "No higher position is free: choose a lower one, or reorder the steps first."
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "bad_state",
        "message": f"Position {position} holds another step. {way_out}",
        "details": {
            "reason": "position_taken",
            "position": position,
            "step_id": str(holder.id),
            "next_position": next_position,
        },
    }
    assert stored() == before


@pytest.mark.parametrize("run", [63, 64, 65, 191, 192, 193])
def test_the_next_free_position_is_found_behind_a_run_of_any_length(run: int) -> None:
    """The search reads ranges of 64, 128, … positions."""
    campaign = make_campaign(steps=run)
    make_step(campaign, run + 1)
    taken = position_taken(campaign.id, 0)
    assert taken is not None
    assert taken.next_position == run


@pytest.mark.postgresql
@pytest.mark.parametrize("shift", [False, True], ids=["reject", "shift"])
def test_a_long_run_is_read_a_few_times_at_most_though_the_planner_knows_nothing_of_it(
    client: APIClient, shift: bool
) -> None:
    """Statistics of rows that aren't committed don't exist. A plan that met each step with each read 500,500 rows."""
    campaign = make_campaign(steps=1_000)
    read_before = rows_of_steps_read()
    add(client, campaign, 0, "?on_conflict=shift" if shift else "")
    assert rows_of_steps_read() - read_before < 10 * 1_000


def rows_of_steps_read() -> int:
    """How many rows of the table of steps this transaction has read."""
    sql = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = %s::regclass"
    with connection.cursor() as cursor:
        cursor.execute(sql, [CampaignStep._meta.db_table])
        return int(cursor.fetchone()[0])


def test_a_retried_request_never_makes_a_second_step(client: APIClient) -> None:
    campaign = make_campaign()
    first, second = add(client, campaign, 0), add(client, campaign, 0)
    assert (first.status_code, second.status_code) == (201, 412)
    assert second.json()["details"]["step_id"] == first.json()["id"]
    assert positions(campaign) == [0]


def test_the_same_position_is_free_in_another_campaign(client: APIClient) -> None:
    campaign_with_steps_at(0)
    other = make_campaign()
    assert add(client, other, 0).status_code == 201
    assert CampaignStep.objects.filter(position=0).count() == 2


@pytest.mark.parametrize(
    ("taken", "position", "expected"),
    [
        ([], 0, [(0, "new", 1)]),
        ([0, 2], 1, [(0, "t0", 1), (1, "new", 1), (2, "t2", 1)]),
        ([0, 1], 2, [(0, "t0", 1), (1, "t1", 1), (2, "new", 1)]),
        ([0, 1, 2], 0, [(0, "new", 1), (1, "t0", 2), (2, "t1", 2), (3, "t2", 2)]),
        ([0, 1, 2], 1, [(0, "t0", 1), (1, "new", 1), (2, "t1", 2), (3, "t2", 2)]),
        ([0, 1, 2], 2, [(0, "t0", 1), (1, "t1", 1), (2, "new", 1), (3, "t2", 2)]),
        ([0, 1, 3, 4], 0, [(0, "new", 1), (1, "t0", 2), (2, "t1", 2), (3, "t3", 1), (4, "t4", 1)]),
        (
            [LAST - 2, LAST - 1],
            LAST - 1,
            [(LAST - 2, f"t{LAST - 2}", 1), (LAST - 1, "new", 1), (LAST, f"t{LAST - 1}", 2)],
        ),
        ([0, LAST], 0, [(0, "new", 1), (1, "t0", 2), (LAST, f"t{LAST}", 1)]),
    ],
    ids=["empty", "gap", "end", "start", "middle", "last", "gap stops the run", "up to the limit", "limit is far"],
)
def test_shift_moves_the_unbroken_run_up_by_one(
    client: APIClient, taken: list[int], position: int, expected: list[tuple[int, str, int]]
) -> None:
    campaign = campaign_with_steps_at(*taken)
    other = campaign_with_steps_at(0, 1, 2)
    untouched = sequence_of(other)
    answer = add(client, campaign, position, "?on_conflict=shift")
    assert answer.status_code == 201
    assert answer.json()["position"] == position
    assert sequence_of(campaign) == expected
    assert sequence_of(other) == untouched


def test_a_shift_keeps_the_other_fields_and_renews_updated_at(client: APIClient) -> None:
    campaign = make_campaign()
    moved = make_step(campaign, 0, delay_minutes=5, variables={"a": 1})
    CampaignStep.objects.update(updated_at="2020-01-01T00:00:00Z", created_at="2020-01-01T00:00:00Z")
    before = CampaignStep.objects.values().get(pk=moved.pk)
    assert add(client, campaign, 0, "?on_conflict=shift").status_code == 201
    after = CampaignStep.objects.values().get(pk=moved.pk)
    assert after == {**before, "position": 1, "version": 2, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize(("taken", "position"), [([LAST], LAST), ([LAST - 2, LAST - 1, LAST], LAST - 2)])
def test_a_shift_past_the_highest_position_has_no_room(client: APIClient, taken: list[int], position: int) -> None:
    campaign = campaign_with_steps_at(*taken)
    before = stored()
    answer = add(client, campaign, position, "?on_conflict=shift")
    assert answer.status_code == 412
    assert answer.json() == {
        "error": "bad_state",
        "message": f"There is no room at position {position}: the steps from there on reach the highest position. "
        "Choose a lower position, or reorder the steps first.",
        "details": {"reason": "no_room", "position": position},
    }
    assert stored() == before


@pytest.mark.parametrize("status", ["active", "completed", "archived"])
def test_a_shift_needs_an_editable_campaign_too(client: APIClient, status: str) -> None:
    campaign = make_campaign(status=status, steps=2)
    before = stored()
    answer = add(client, campaign, 0, "?on_conflict=shift")
    assert answer.status_code == 412
    assert answer.json()["details"] == {
        "reason": "campaign_not_editable",
        "status": status,
        "editable_statuses": ["draft", "paused"],
    }
    assert stored() == before


def test_a_shift_into_a_campaign_that_does_not_exist_is_not_found(client: APIClient) -> None:
    answer = client.post(
        "/v1/messaging/campaigns/0190c2ab-1111-7abc-8def-0123456789ab/steps?on_conflict=shift", step_body()
    )
    assert answer.status_code == 404
    assert answer.json()["details"] == {"resource": "campaign", "id": "0190c2ab-1111-7abc-8def-0123456789ab"}


def test_history_tells_of_a_shift_once_with_its_counts(client: APIClient) -> None:
    campaign = campaign_with_steps_at(0, 1, 2, 9)
    add(client, campaign, 1, "?on_conflict=shift")
    entries = [(entry["action"], entry["before"], entry["after"]) for entry in history_of(campaign)]
    assert entries == [
        ("steps.shifted", None, {"from_position": 1, "to_position": 3, "steps": 2}),
        (
            "step.added",
            None,
            {**step_body(1, template_id="new"), "delay_minutes": 0, "variables": {}},
        ),
    ]


def test_a_shift_that_finds_the_position_free_tells_only_of_the_step(client: APIClient) -> None:
    campaign = campaign_with_steps_at(0)
    add(client, campaign, 1, "?on_conflict=shift")
    assert [entry["action"] for entry in history_of(campaign)] == ["step.added"]
