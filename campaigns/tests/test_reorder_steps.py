"""PUT …/steps/order: a new order for all steps of a campaign."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.tests.api import NO_ID, campaign_url, faults, reorder
from campaigns.tests.factories import ids, make_campaign, make_step, positions, sequence_of, stored, told

pytestmark = pytest.mark.django_db


def test_order_renumbers_from_0_and_changes_only_what_moves(client: APIClient) -> None:
    campaign = make_campaign()
    for position in (0, 5, 9, 2_147_483_647):
        make_step(campaign, position)
    first, second, third, last = ids(campaign)
    other = make_campaign(steps=3)
    answer = reorder(client, campaign, [first, last, third, second])

    assert answer.status_code == 200
    assert [step["id"] for step in answer.json()["results"]] == [first, last, third, second]
    assert [step["position"] for step in answer.json()["results"]] == [0, 1, 2, 3]
    assert sequence_of(campaign) == [(0, "t0", 1), (1, "t2147483647", 2), (2, "t9", 2), (3, "t5", 2)]
    assert sequence_of(other) == [(0, "t0", 1), (1, "t1", 1), (2, "t2", 1)]
    assert answer["ETag"] == client.get(campaign_url(campaign, "/steps"))["ETag"]
    assert told(campaign) == [("steps.reordered", None, {"steps": 3})]


def test_the_order_that_is_there_already_changes_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    before = stored()
    assert reorder(client, campaign, ids(campaign)).status_code == 200
    assert stored() == before


def test_the_order_of_no_steps_is_empty(client: APIClient) -> None:
    answer = reorder(client, make_campaign(), [])
    assert (answer.status_code, answer.json()) == (200, {"results": []})


def test_order_takes_ids_in_capitals(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert reorder(client, campaign, [step_id.upper() for step_id in reversed(ids(campaign))]).status_code == 200
    assert [template for _, template, _ in sequence_of(campaign)] == ["t1", "t0"]


def test_order_names_missing_unknown_and_repeated_ids_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    first, second, third = ids(campaign)
    foreign = ids(make_campaign(steps=1))[0]
    before = stored()
    answer = reorder(client, campaign, [third, foreign, third, "x" * 1_000, NO_ID])
    assert faults(answer) == [
        ("step_ids[1]", "unknown"),
        ("step_ids[3]", "unknown"),
        ("step_ids[4]", "unknown"),
        ("step_ids[2]", "repeated"),
        ("step_ids", "missing"),
        ("step_ids", "missing"),
    ]
    assert [fault["message"] for fault in answer.json()["details"]["errors"]] == [
        f"{foreign} is not a step of this campaign.",
        f"{'x' * 64}… is not a step of this campaign.",
        f"{NO_ID} is not a step of this campaign.",
        f"{third} is listed twice.",
        f"{first} must be listed too.",
        f"{second} must be listed too.",
    ]
    assert stored() == before


@pytest.mark.parametrize(
    ("step_ids", "expected"),
    [
        (None, [("step_ids", "null")]),
        ("abc", [("step_ids", "invalid_type")]),
        ([5, None, "x", []], [(f"step_ids[{index}]", "invalid_type") for index in (0, 1, 3)]),
        ([""], [("step_ids[0]", "unknown"), ("step_ids", "missing")]),
    ],
)
def test_order_takes_an_array_of_strings(client: APIClient, step_ids: Any, expected: Any) -> None:
    assert faults(reorder(client, make_campaign(steps=1), step_ids)) == expected


def test_an_empty_id_beside_all_others_is_unknown(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert faults(reorder(client, campaign, ["", *ids(campaign)])) == [("step_ids[0]", "unknown")]


def test_a_databases_limit_on_parameters_does_not_limit_how_many_can_be_reordered(
    client: APIClient, few_parameters: Callable[[int], None]
) -> None:
    count = 300
    campaign = make_campaign(steps=count)
    few_parameters(100)
    last, *others = ids(campaign)[::-1]
    answer = reorder(client, campaign, [last, *others[::-1]])
    assert [(row["id"], row["position"]) for row in answer.json()["results"][:2]] == [(last, 0), (others[-1], 1)]
    assert ids(campaign) == [last, *others[::-1]]
    assert positions(campaign) == list(range(count))
