"""PUT …/steps: a whole sequence in place of the one before."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from campaigns.models import CampaignStep
from campaigns.tests.api import NO_ID, campaign_url, faults, replace_steps
from campaigns.tests.factories import ids, make_campaign, make_step, positions, sequence_of, step_body, stored, told

pytestmark = pytest.mark.django_db


def test_a_sequence_that_is_too_long_to_replace_can_be_changed_otherwise(client: APIClient) -> None:
    answer = replace_steps(client, make_campaign(), [None] * 10_001)
    remedy = "Change a longer sequence by addSteps, changeStep and deleteStep."
    message = f"Must have at most 10,000 items; it has 10,001. {remedy}"
    fault = {"field": "steps", "code": "max_length", "message": message}
    assert (answer.status_code, answer.json()["details"]) == (400, {"errors": [fault]})


def test_replace_keeps_changes_adds_and_removes(client: APIClient) -> None:
    campaign = make_campaign(steps=4)
    kept, changed, moved, removed = campaign.steps.order_by("position")
    CampaignStep.objects.update(created_at="2020-01-01T00:00:00Z", updated_at="2020-01-01T00:00:00Z")
    other = make_campaign(steps=2)
    answer = replace_steps(
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
    assert replace_steps(client, campaign, bodies).status_code == 200
    after = client.get(campaign_url(campaign, "/steps")).json()["results"]
    assert after == sorted(bodies, key=lambda body: body["position"])


def test_a_new_step_may_take_the_place_of_one_that_moves_or_goes(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    first, _ = ids(campaign)
    new = [step_body(0, template_id="a"), step_body(1, template_id="b"), step_body(2, id=first, template_id="t0")]
    assert replace_steps(client, campaign, new).status_code == 200
    assert sequence_of(campaign) == [(0, "a", 1), (1, "b", 1), (2, "t0", 2)]


def test_what_was_read_can_be_put_back_and_changes_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    make_step(campaign, 3, variables={"a": [1, 1.0, True, None, "ü", {"b": 2**70}], "c": {}})
    before = stored()
    read = client.get(campaign_url(campaign, "/steps"))
    answer = replace_steps(client, campaign, read.json()["results"])
    assert (answer.status_code, answer["ETag"]) == (200, read["ETag"])
    assert stored() == before


def test_the_sequence_may_be_emptied(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    assert replace_steps(client, campaign, []).json() == {"results": []}
    assert positions(campaign) == []


@pytest.mark.parametrize("step_id", [None, "absent"])
def test_a_step_without_an_id_is_new(client: APIClient, step_id: str | None) -> None:
    campaign = make_campaign(steps=1)
    old = ids(campaign)
    replace_steps(client, campaign, [step_body(0, **({} if step_id else {"id": None}))])
    assert positions(campaign) == [0]
    assert ids(campaign) != old


def test_replace_names_every_fault_with_its_index_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    first, second = ids(campaign)
    foreign = ids(make_campaign(steps=1))[0]
    before = stored()
    fields = [step_body(0, id=5), step_body(1, id="x"), step_body(1, id=""), step_body(3, delay_minutes=-1, id=first)]
    assert faults(replace_steps(client, campaign, fields)) == [
        ("steps[0].id", "invalid_type"),
        ("steps[1].id", "unknown"),
        ("steps[2].id", "unknown"),
        ("steps[2].position", "repeated"),
        ("steps[3].delay_minutes", "min_value"),
    ]
    owners = [step_body(0, id=foreign), step_body(1, id=second), step_body(2, id=NO_ID), step_body(3, id=second)]
    assert faults(replace_steps(client, campaign, owners)) == [
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
    assert replace_steps(client, campaign, [step_body(0)]).status_code == 200
    assert positions(campaign) == [0]
