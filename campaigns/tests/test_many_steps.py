"""POST …/steps/bulk, PUT …/steps/order and PUT …/steps: many steps in one call, all or nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import NO_ID, campaign_url, faults, not_found
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, step_body, stored

pytestmark = pytest.mark.django_db


def bulk(client: APIClient, campaign: Campaign, steps: Any) -> Any:
    return client.post(campaign_url(campaign, "/steps/bulk"), {"steps": steps})


def order(client: APIClient, campaign: Campaign, step_ids: Any) -> Any:
    return client.put(campaign_url(campaign, "/steps/order"), {"step_ids": step_ids})


def replace(client: APIClient, campaign: Campaign, steps: Any) -> Any:
    return client.put(campaign_url(campaign, "/steps"), {"steps": steps})


def ids(campaign: Campaign) -> list[str]:
    return [str(step.id) for step in campaign.steps.order_by("position")]


def sequence_of(campaign: Campaign) -> list[tuple[int, str, int]]:
    """(position, template, version) of each step."""
    return list(campaign.steps.order_by("position").values_list("position", "template_id", "version"))


def told(campaign: Campaign) -> list[tuple[str, Any, Any]]:
    return [(entry["action"], entry["before"], entry["after"]) for entry in history_of(campaign)]


@pytest.fixture
def few_parameters() -> Iterator[Callable[[int], None]]:
    """Lowers SQLite's limit for one test: it is compiled in, 250,000 here and 32,766 there. PostgreSQL has none."""
    before = None

    def limit(number: int) -> None:
        nonlocal before
        if connection.vendor == "sqlite":
            before = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, number)

    yield limit
    if before is not None:
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


# --- Bulk ------------------------------------------------------------------------------------------------------------


def test_bulk_adds_all_steps_and_gives_them_in_the_order_of_the_body(client: APIClient) -> None:
    campaign = make_campaign(steps=1)
    bodies = [
        step_body(7, delay_minutes=60, variables={"name": "Zoë 🚀", "big": 2**80, "list": [1.5, None, True, {}]}),
        step_body(3),
    ]
    answer = bulk(client, campaign, bodies)
    steps = [campaign.steps.get(position=7), campaign.steps.get(position=3)]
    assert answer.status_code == 201
    assert answer.json() == {
        "results": [
            {"id": str(step.id), "campaign_id": str(campaign.id), "delay_minutes": 0, "variables": {}, **body}
            for step, body in zip(steps, bodies, strict=True)
        ]
    }
    assert answer["Location"] == f"http://testserver{campaign_url(campaign, '/steps')}"
    assert [step.fields._asdict() for step in steps] == [
        {"delay_minutes": 0, "variables": {}, **body} for body in bodies
    ]
    assert told(campaign) == [("steps.added", None, {"steps": 2})]


@pytest.mark.parametrize(("count", "status"), [(1, 201), (1_000, 201), (0, 400), (1_001, 400)])
def test_bulk_takes_1_to_1000_steps(client: APIClient, count: int, status: int) -> None:
    campaign = make_campaign()
    answer = bulk(client, campaign, [step_body(position) for position in range(count)])
    assert answer.status_code == status
    assert positions(campaign) == list(range(count if status == 201 else 0))
    if status == 400:
        assert faults(answer) == [("steps", "max_length" if count else "min_length")]


def test_bulk_names_every_fault_with_its_index_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    before = stored()
    answer = bulk(
        client,
        campaign,
        [
            step_body(0),
            step_body(-1, template_id=5),
            "no step",
            step_body(0),
            {"position": 3, "template_version_id": "v", "variables": {"a": ["\u0000"]}},
            {**step_body(), "position": 0.0},
            step_body(4, template_version_id=""),
        ],
    )
    assert faults(answer) == [
        ("steps[1].position", "min_value"),
        ("steps[1].template_id", "invalid_type"),
        ("steps[2]", "invalid_type"),
        ("steps[3].position", "repeated"),
        ("steps[4].template_id", "required"),
        ("steps[4].variables.a[0]", "null_character"),
        ("steps[5].position", "repeated"),
        ("steps[6].template_version_id", "blank"),
    ]
    assert answer.json()["details"]["errors"][2]["message"] == "Must be a JSON object, not a string."
    assert answer.json()["details"]["errors"][3]["message"] == "Must differ from the position of step 0."
    assert stored() == before


def test_the_first_100_faults_are_listed_with_their_number(client: APIClient) -> None:
    answer = bulk(client, make_campaign(), [{} for _ in range(50)])
    assert len(faults(answer)) == 100
    assert answer.json()["details"]["total"] == 150
    assert bulk(client, make_campaign(), [5, 5]).json()["message"].endswith("not a number. (1 more)")
    exactly = bulk(client, make_campaign(), [5] * 100)
    assert (len(faults(exactly)), "total" in exactly.json()["details"]) == (100, False)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "steps", "required"),
        ({"steps": None}, "steps", "null"),
        ({"steps": {}}, "steps", "invalid_type"),
        ({"steps": "x"}, "steps", "invalid_type"),
        ([], "", "invalid_type"),
        (5, "", "invalid_type"),
    ],
)
def test_a_body_without_an_array_of_steps_is_refused(client: APIClient, body: Any, field: str, code: str) -> None:
    campaign = make_campaign(steps=1)
    before = stored()
    for method, path in (("post", "/steps/bulk"), ("put", "/steps")):
        assert faults(getattr(client, method)(campaign_url(campaign, path), body)) == [(field, code)]
    assert stored() == before


def test_bulk_is_refused_whole_where_one_position_is_taken(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    holder = campaign.steps.get(position=2)
    before = stored()
    answer = bulk(client, campaign, [step_body(9), step_body(2), step_body(0), step_body(3)])
    assert (answer.status_code, answer.json()) == (
        412,
        {
            "error": "bad_state",
            "message": "Position 2 holds another step. The next free position is 3; "
            "?on_conflict=shift makes room instead.",
            "details": {"reason": "position_taken", "position": 2, "step_id": str(holder.id), "next_position": 3},
        },
    )
    assert stored() == before


# --- Order -----------------------------------------------------------------------------------------------------------


def test_order_renumbers_from_0_and_changes_only_what_moves(client: APIClient) -> None:
    campaign = make_campaign()
    for position in (0, 5, 9, 2_147_483_647):
        make_step(campaign, position)
    first, second, third, last = ids(campaign)
    other = make_campaign(steps=3)
    answer = order(client, campaign, [first, last, third, second])

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
    assert order(client, campaign, ids(campaign)).status_code == 200
    assert stored() == before


def test_the_order_of_no_steps_is_empty(client: APIClient) -> None:
    answer = order(client, make_campaign(), [])
    assert (answer.status_code, answer.json()) == (200, {"results": []})


def test_order_takes_ids_in_capitals(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert order(client, campaign, [step_id.upper() for step_id in reversed(ids(campaign))]).status_code == 200
    assert [template for _, template, _ in sequence_of(campaign)] == ["t1", "t0"]


def test_order_names_missing_unknown_and_repeated_ids_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    first, second, third = ids(campaign)
    foreign = ids(make_campaign(steps=1))[0]
    before = stored()
    answer = order(client, campaign, [third, foreign, third, "x" * 1_000, NO_ID])
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
        f"{'x' * 64} is not a step of this campaign.",
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
    assert faults(order(client, make_campaign(steps=1), step_ids)) == expected


def test_an_empty_id_beside_all_others_is_unknown(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert faults(order(client, campaign, ["", *ids(campaign)])) == [("step_ids[0]", "unknown")]


def test_a_databases_limit_on_parameters_does_not_limit_how_many_can_be_reordered(
    client: APIClient, few_parameters: Callable[[int], None]
) -> None:
    count = 300
    campaign = make_campaign(steps=count)
    few_parameters(100)
    last, *others = ids(campaign)[::-1]
    answer = order(client, campaign, [last, *others[::-1]])
    assert [(row["id"], row["position"]) for row in answer.json()["results"][:2]] == [(last, 0), (others[-1], 1)]
    assert ids(campaign) == [last, *others[::-1]]
    assert positions(campaign) == list(range(count))


# --- Replace ---------------------------------------------------------------------------------------------------------


def test_a_sequence_that_is_too_long_to_replace_can_be_changed_otherwise(client: APIClient) -> None:
    answer = replace(client, make_campaign(), [None] * 10_001)
    remedy = "Change a longer sequence by addSteps, changeStep and deleteStep."
    message = f"Must have at most 10,000 items; it has 10,001. {remedy}"
    fault = {"field": "steps", "code": "max_length", "message": message}
    assert (answer.status_code, answer.json()["details"]) == (400, {"errors": [fault]})


def test_replace_keeps_changes_adds_and_removes(client: APIClient) -> None:
    campaign = make_campaign(steps=4)
    kept, changed, moved, removed = campaign.steps.order_by("position")
    CampaignStep.objects.update(created_at="2020-01-01T00:00:00Z", updated_at="2020-01-01T00:00:00Z")
    other = make_campaign(steps=2)
    answer = replace(
        client,
        campaign,
        [
            step_body(5, template_id="new"),
            step_body(0, id=str(kept.id)),
            step_body(1, id=str(changed.id), variables={"name": "Ada"}),
            step_body(9, template_id="t2", template_version_id="t2-v1", id=str(moved.id)),
        ],
    )
    assert answer.status_code == 200
    added = campaign.steps.get(position=5)
    assert [(step["id"], step["position"]) for step in answer.json()["results"]] == [
        (str(kept.id), 0),
        (str(changed.id), 1),
        (str(added.id), 5),
        (str(moved.id), 9),
    ]
    assert answer.json()["results"] == client.get(campaign_url(campaign, "/steps")).json()["results"]
    assert sequence_of(campaign) == [(0, "t0", 1), (1, "t1", 2), (5, "new", 1), (9, "t2", 2)]
    assert not CampaignStep.objects.filter(pk=removed.pk).exists()
    assert sequence_of(other) == [(0, "t0", 1), (1, "t1", 1)]
    assert answer["ETag"] == client.get(campaign_url(campaign, "/steps"))["ETag"]
    assert told(campaign) == [("steps.replaced", None, {"added": 1, "changed": 2, "removed": 1})]
    years = {str(step.id): (step.created_at.year, step.updated_at.year > 2020) for step in campaign.steps.all()}
    assert [years[str(step.id)] for step in (kept, changed, moved)] == [(2020, False), (2020, True), (2020, True)]


@pytest.mark.parametrize("new_order", [[1, 0], [2, 0, 1], [3, 2, 1, 0]])
def test_replace_may_swap_positions(client: APIClient, new_order: list[int]) -> None:
    campaign = make_campaign(steps=len(new_order))
    bodies = client.get(campaign_url(campaign, "/steps")).json()["results"]
    for body, position in zip(bodies, new_order, strict=True):
        body["position"] = position
    assert replace(client, campaign, bodies).status_code == 200
    after = client.get(campaign_url(campaign, "/steps")).json()["results"]
    assert after == sorted(bodies, key=lambda body: body["position"])


def test_a_new_step_may_take_the_place_of_one_that_moves_or_goes(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    first, _ = ids(campaign)
    new = [step_body(0, template_id="a"), step_body(1, template_id="b"), step_body(2, id=first, template_id="t0")]
    assert replace(client, campaign, new).status_code == 200
    assert sequence_of(campaign) == [(0, "a", 1), (1, "b", 1), (2, "t0", 2)]


def test_what_was_read_can_be_put_back_and_changes_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    make_step(campaign, 3, variables={"a": [1, 1.0, True, None, "ü", {"b": 2**70}], "c": {}})
    before = stored()
    read = client.get(campaign_url(campaign, "/steps"))
    answer = replace(client, campaign, read.json()["results"])
    assert (answer.status_code, answer["ETag"]) == (200, read["ETag"])
    assert stored() == before


def test_the_sequence_may_be_emptied(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert replace(client, campaign, []).json() == {"results": []}
    assert positions(campaign) == []


@pytest.mark.parametrize("step_id", [None, "absent"])
def test_a_step_without_an_id_is_new(client: APIClient, step_id: str | None) -> None:
    campaign = make_campaign(steps=1)
    old = ids(campaign)
    replace(client, campaign, [step_body(0, **({} if step_id else {"id": None}))])
    assert positions(campaign) == [0]
    assert ids(campaign) != old


def test_replace_names_every_fault_with_its_index_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    foreign = ids(make_campaign(steps=1))[0]
    before = stored()
    fields = [step_body(0, id=5), step_body(1, id="x"), step_body(1, id=""), step_body(3, delay_minutes=-1, id=first)]
    assert faults(replace(client, campaign, fields)) == [
        ("steps[0].id", "invalid_type"),
        ("steps[1].id", "unknown"),
        ("steps[2].id", "unknown"),
        ("steps[2].position", "repeated"),
        ("steps[3].delay_minutes", "min_value"),
    ]
    owners = [step_body(0, id=foreign), step_body(1, id=second), step_body(2, id=NO_ID), step_body(3, id=second)]
    assert faults(replace(client, campaign, owners)) == [
        ("steps[0].id", "unknown"),
        ("steps[2].id", "unknown"),
        ("steps[3].id", "repeated"),
    ]
    assert stored() == before


def test_more_steps_than_a_statement_has_parameters_can_be_removed(
    client: APIClient, few_parameters: Callable[[int], None]
) -> None:
    campaign = make_campaign(steps=300)
    few_parameters(200)
    assert replace(client, campaign, [step_body(0)]).status_code == 200
    assert positions(campaign) == [0]


# --- All three -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/steps/bulk", {"steps": [step_body(0)]}),
        ("post", "/steps/bulk", {"steps": "no"}),
        ("put", "/steps/order", {"step_ids": []}),
        ("put", "/steps/order", {"step_ids": "no"}),
        ("put", "/steps", {"steps": []}),
        ("put", "/steps", {"steps": "no"}),
    ],
)
@pytest.mark.parametrize("id", [NO_ID, "none"])
def test_a_campaign_that_does_not_exist_is_told_before_the_bodys_faults(
    client: APIClient, method: str, path: str, body: Any, id: str
) -> None:
    answer = getattr(client, method)(campaign_url(id, path), body)
    assert (answer.status_code, answer.json()) == (404, not_found("campaign", id))


# Locking, judging, writing, and the history entry.
STATEMENTS = {"bulk": 4, "order": 5, "replace": 7}


@pytest.mark.parametrize("count", [1, 200])
def test_the_number_of_statements_does_not_depend_on_the_number_of_steps(client: APIClient, count: int) -> None:
    campaign = make_campaign(steps=count)
    old = ids(campaign)
    counted = {}
    with CaptureQueriesContext(connection) as queries:
        assert bulk(client, campaign, [step_body(n) for n in range(count, 2 * count)]).status_code == 201
    counted["bulk"] = statements(queries)
    all_ids = ids(campaign)
    with CaptureQueriesContext(connection) as queries:
        assert order(client, campaign, all_ids[::-1]).status_code == 200
    counted["order"] = statements(queries)
    new = [step_body(n, id=step_id) for n, step_id in enumerate(old)] + [step_body(n + count) for n in range(count)]
    with CaptureQueriesContext(connection) as queries:
        assert replace(client, campaign, new).status_code == 200
    counted["replace"] = statements(queries)
    assert counted == STATEMENTS


def statements(queries: CaptureQueriesContext) -> int:
    """How many there were, without those that begin and end transactions."""
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for query in queries)
