"""POST …/steps/bulk: many steps in one call, all or nothing."""

import pytest
from rest_framework.test import APIClient

from campaigns.tests.api import add_steps, campaign_url, faults
from campaigns.tests.factories import make_campaign, positions, step_body, stored, told

pytestmark = pytest.mark.django_db


def test_bulk_adds_all_steps_and_gives_them_in_the_order_of_the_body(client: APIClient) -> None:
    campaign = make_campaign(steps=1)
    bodies = [
        step_body(7, delay_minutes=60, variables={"name": "Zoë 🚀", "big": 2**80, "list": [1.5, None, True, {}]}),
        step_body(3),
    ]
    answer = add_steps(client, campaign, bodies)
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
    answer = add_steps(client, campaign, [step_body(position) for position in range(count)])
    assert answer.status_code == status
    assert positions(campaign) == list(range(count if status == 201 else 0))
    if status == 400:
        assert faults(answer) == [("steps", "max_length" if count else "min_length")]


def test_bulk_names_every_fault_with_its_index_and_writes_nothing(client: APIClient) -> None:
    campaign = make_campaign()
    before = stored()
    answer = add_steps(
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
    answer = add_steps(client, make_campaign(), [{} for _ in range(50)])
    assert len(faults(answer)) == 100
    assert answer.json()["details"]["total"] == 150
    assert add_steps(client, make_campaign(), [5, 5]).json()["message"].endswith("not a number. (1 more)")
    exactly = add_steps(client, make_campaign(), [5] * 100)
    assert (len(faults(exactly)), "total" in exactly.json()["details"]) == (100, False)


def test_bulk_is_refused_whole_where_one_position_is_taken(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    holder = campaign.steps.get(position=2)
    before = stored()
    answer = add_steps(client, campaign, [step_body(9), step_body(2), step_body(0), step_body(3)])
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
