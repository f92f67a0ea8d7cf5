"""What is no step is refused, with every fault named and nothing written."""

import pytest
from rest_framework.test import APIClient

from campaigns.tests.bad_input import CASES, Case, outcome
from campaigns.tests.factories import make_campaign, step_body, stored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_and_nothing_is_written(client: APIClient, case: Case) -> None:
    campaign = make_campaign(steps=1)
    before = stored()
    path = case.path.replace("{id}", str(campaign.id))
    answer = client.generic(case.method, path, case.body or b"", case.content_type)  # type: ignore[arg-type]
    assert outcome(answer.status_code, answer.content) == case.expected
    assert answer["Content-Type"] == "application/json"
    assert stored() == before


def test_the_first_hundred_faults_are_listed_with_their_total(client: APIClient) -> None:
    campaign = make_campaign()
    body = step_body(variables={"list": ["\x00"] * 150})
    answer = client.post(f"/v1/messaging/campaigns/{campaign.id}/steps", body)
    message = "Must not contain the character U+0000."
    assert answer.json() == {
        "error": "validation_error",
        "message": f"variables.list[0]: {message} (149 more)",
        "details": {
            "errors": [
                {"field": f"variables.list[{index}]", "code": "null_character", "message": message}
                for index in range(100)
            ],
            "total": 150,
        },
    }


def test_long_names_are_cut_where_faults_name_them(client: APIClient) -> None:
    campaign = make_campaign()
    body = step_body(variables={"n" * 100_000: ["\x00"] * 2_000})
    answer = client.post(f"/v1/messaging/campaigns/{campaign.id}/steps", body)
    details = answer.json()["details"]
    assert [error["field"] for error in details["errors"]] == [
        f'variables["{"n" * 64}…"][{index}]' for index in range(100)
    ]
    assert details["total"] == 2_000


def test_an_impossible_id_is_repeated_in_part_only(client: APIClient) -> None:
    answer = client.post(f"/v1/messaging/campaigns/{'a' * 5_000}/steps", step_body())
    assert answer.json()["details"] == {"resource": "campaign", "id": "a" * 200 + "…"}


def test_an_unknown_address_is_repeated_in_part_only(client: APIClient) -> None:
    answer = client.post(f"/v1/{'a' * 5_000}", step_body())
    assert answer.json()["details"] == {"resource": "url", "id": "/v1/" + "a" * 196 + "…"}


def test_a_refused_method_names_the_allowed_ones(client: APIClient) -> None:
    answer = client.delete(f"/v1/messaging/campaigns/{make_campaign().id}/steps")
    assert answer["Allow"] == "GET, POST, PUT, HEAD"
