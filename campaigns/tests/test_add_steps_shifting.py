"""POST …/steps/bulk?on_conflict=shift: room for many, as if they came one by one, lowest first."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from campaigns.exceptions import NoRoom
from campaigns.lifecycle import duplicate_campaign
from campaigns.many_steps import add_steps, reorder_steps
from campaigns.models import Campaign
from campaigns.positions import json_table
from campaigns.steps import add_step
from campaigns.tests.api import campaign_url
from campaigns.tests.factories import ACTOR, history_of, make_campaign, make_step, step_body, step_fields, stored

pytestmark = pytest.mark.django_db
TOP = 2_147_483_647


def bulk(client: APIClient, campaign: Campaign, positions: list[int]) -> Any:
    steps = [step_body(position, template_id="new") for position in positions]
    return client.post(campaign_url(campaign, "/steps/bulk?on_conflict=shift"), {"steps": steps})


def layout(campaign: Campaign) -> list[tuple[int, str, int]]:
    rows = campaign.steps.order_by("position")
    return list(rows.values_list("position", "template_version_id", "version"))


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ([0, 1, 2], [0], {0: 1, 1: 2, 2: 3}),
        ([0, 1, 2], [1, 0], {0: 2, 1: 3, 2: 4}),
        ([0, 1, 2], [0, 2], {0: 1, 1: 3, 2: 4}),
        ([0, 2], [1], {}),
        ([0, 2, 3, 9], [2, 9], {2: 3, 3: 4, 9: 10}),
        ([5, 7], [5, 6, 8], {5: 7, 7: 9}),
        ([], [3, 1], {}),
        ([TOP - 1], [TOP - 1], {TOP - 1: TOP}),
    ],
)
def test_each_new_step_stands_where_it_asked_to(
    client: APIClient, held: list[int], wanted: list[int], expected: dict[int, int]
) -> None:
    campaign = make_campaign()
    for position in held:
        make_step(campaign, position, template_id="old", template_version_id=f"old-{position}")
    answer = bulk(client, campaign, wanted)
    assert answer.status_code == 201, answer.content
    assert [row["position"] for row in answer.json()["results"]] == wanted
    new = [(position, f"t{position}-v1", 1) for position in wanted]
    old = [(expected.get(position, position), f"old-{position}", 2 if position in expected else 1) for position in held]
    assert layout(campaign) == sorted(new + old)
    shifted = [entry["after"] for entry in history_of(campaign) if entry["action"] == "steps.shifted"]
    counts = {"from_position": min(expected, default=0), "to_position": max(expected.values(), default=0)}
    assert shifted == ([{**counts, "steps": len(expected)}] if expected else [])


def one_by_one(campaign: Campaign, wanted: list[int]) -> None:
    for position in sorted(wanted):
        add_step(campaign.id, step_fields(position), actor=ACTOR, shift=True)


def at_once(campaign: Campaign, wanted: list[int]) -> None:
    add_steps(campaign.id, [step_fields(position) for position in wanted], actor=ACTOR, shift=True)


def outcome(add: Callable[[Campaign, list[int]], None], held: list[int], wanted: list[int]) -> Any:
    """Where the steps stand afterwards, or the position for which there is no room."""
    campaign = make_campaign()
    for position in held:
        make_step(campaign, position, template_version_id=f"old-{position}")
    try:
        add(campaign, wanted)
    except NoRoom as refusal:
        return refusal.position
    return [(position, version_id) for position, version_id, _ in layout(campaign)]


SMALL = st.lists(st.integers(0, 12), unique=True, max_size=8)
AT_THE_TOP = st.lists(st.integers(TOP - 8, TOP), unique=True, max_size=6)


@given(held=st.one_of(SMALL, AT_THE_TOP), wanted=st.one_of(SMALL, AT_THE_TOP).filter(bool))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_comes_to_what_adding_them_one_by_one_comes_to(held: list[int], wanted: list[int]) -> None:
    assert outcome(at_once, held, wanted) == outcome(one_by_one, held, wanted)


def test_without_room_nothing_is_added(client: APIClient) -> None:
    campaign = make_campaign()
    for position in (TOP, TOP - 1):
        make_step(campaign, position)
    before = stored()
    answer = bulk(client, campaign, [3, TOP - 1])
    assert answer.status_code == 412
    assert answer.json()["details"] == {"reason": "no_room", "position": TOP - 1}
    assert stored() == before


def test_the_first_position_without_room_is_named() -> None:
    campaign = make_campaign()
    make_step(campaign, TOP - 1)
    with pytest.raises(NoRoom) as refusal:
        at_once(campaign, [TOP - 1, TOP])
    assert refusal.value.position == TOP  # the step at TOP - 1 has room there as long as nobody else wants it


def test_many_steps_move_far_in_a_few_statements(client: APIClient) -> None:
    campaign = make_campaign(steps=600)
    wanted = list(range(0, 400, 2))
    with CaptureQueriesContext(connection) as queries:
        assert bulk(client, campaign, wanted).status_code == 201
    assert len(queries) < 15
    assert [row[0] for row in layout(campaign)] == list(range(800))
    assert (
        list(campaign.steps.filter(template_id="new").order_by("position").values_list("position", flat=True)) == wanted
    )


@pytest.mark.postgresql
@pytest.mark.parametrize("write", ["shift", "reorder", "duplicate"])
def test_a_database_that_knows_only_short_campaigns_compares_no_step_with_each_other(write: str) -> None:
    for _ in range(20):
        make_campaign(steps=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_campaignstep")
    campaign = make_campaign(steps=300)
    with CaptureQueriesContext(connection) as queries:
        if write == "shift":
            add_steps(campaign.id, [step_fields(position) for position in range(0, 60, 2)], actor=ACTOR, shift=True)
        elif write == "reorder":
            ids = campaign.steps.order_by("-position").values_list("id", flat=True)
            reorder_steps(campaign.id, [str(step_id) for step_id in ids], actor=ACTOR)
        else:
            duplicate_campaign(campaign.id, actor=ACTOR)
    joins = [query["sql"] for query in queries if "_to_recordset" in query["sql"]]
    assert joins
    with connection.cursor() as cursor:
        for sql in joins:
            cursor.execute(f"EXPLAIN {sql}")
            assert "Join Filter" not in str(cursor.fetchall())


@pytest.mark.parametrize("write", ["reorder", "duplicate"])
def test_the_contents_of_steps_that_only_move_or_are_copied_are_not_sent(write: str) -> None:
    campaign = make_campaign()
    for position in range(3):
        make_step(campaign, position, variables={"long": "contents"})
    ids = [str(step_id) for step_id in campaign.steps.order_by("-position").values_list("id", flat=True)]
    with CaptureQueriesContext(connection) as queries:
        if write == "reorder":
            reorder_steps(campaign.id, ids, actor=ACTOR)
            written = campaign
        else:
            written = duplicate_campaign(campaign.id, actor=ACTOR)
    assert [step.variables for step in written.steps.all()] == [{"long": "contents"}] * 3
    assert not [query["sql"] for query in queries if "contents" in query["sql"]]


def test_a_parameter_of_json_objects_is_a_table() -> None:
    objects = [{"step": "b", "position": TOP}, {"step": "a", "position": 0}]
    table = json_table("given", step="text", position="bigint")[connection.vendor]
    with connection.cursor() as cursor:
        sql = f"SELECT given.step, given.position FROM {table} ORDER BY given.step"  # noqa: S608 - names in the code
        cursor.execute(sql, {"given": json.dumps(objects)})
        assert cursor.fetchall() == [("a", 0), ("b", TOP)]
