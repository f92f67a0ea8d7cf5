"""What POST …/steps/bulk, PUT …/steps/order and PUT …/steps have in common."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.tests.api import NO_ID, add_steps, campaign_url, faults, not_found, reorder, replace_steps
from campaigns.tests.factories import ids, make_campaign, step_body, stored

pytestmark = pytest.mark.django_db


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
        assert add_steps(client, campaign, [step_body(n) for n in range(count, 2 * count)]).status_code == 201
    counted["bulk"] = statements(queries)
    all_ids = ids(campaign)
    with CaptureQueriesContext(connection) as queries:
        assert reorder(client, campaign, all_ids[::-1]).status_code == 200
    counted["order"] = statements(queries)
    new = [step_body(n, id=step_id) for n, step_id in enumerate(old)] + [step_body(n + count) for n in range(count)]
    with CaptureQueriesContext(connection) as queries:
        assert replace_steps(client, campaign, new).status_code == 200
    counted["replace"] = statements(queries)
    assert counted == STATEMENTS


def statements(queries: CaptureQueriesContext) -> int:
    """How many there were, without those that begin and end transactions."""
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for query in queries)
