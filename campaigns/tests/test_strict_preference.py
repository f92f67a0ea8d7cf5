"""Prefer: handling=strict (RFC 7240): unknown properties are faults."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.tests.api import ROOT, campaign_url, faults
from campaigns.tests.factories import make_campaign, positions, step_body, stored

pytestmark = pytest.mark.django_db
STRICT = {"Prefer": "handling=strict"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("post", "/steps", step_body(5, delay_minute=5), "delay_minute"),
        ("post", "/steps/bulk", {"steps": [step_body(5), step_body(6, delay_minute=5)]}, "steps[1].delay_minute"),
        ("post", "/steps/bulk", {"steps": [step_body(5)], "stepz": 1}, "stepz"),
        ("put", "/steps", {"steps": [step_body(5, delay_minute=5)]}, "steps[0].delay_minute"),
        ("put", "/steps/order", {"step_ids": [], "step_id": 1}, "step_id"),
        ("patch", "/steps/{id}", {"delay_minute": 5}, "delay_minute"),
        ("patch", "", {"nam": "x"}, "nam"),
        ("patch", "", {"steps": []}, "steps"),
        ("post", None, {"name": "x", "steps": [step_body(0, delay_minute=5)]}, "steps[0].delay_minute"),
        ("post", "/steps", step_body(5, **{"a b": 1}), '["a b"]'),
    ],
)
def test_an_unknown_property_is_refused_on_request_and_else_ignored(
    client: APIClient, method: str, path: str | None, body: Any, expected: str
) -> None:
    campaign = make_campaign(steps=0 if path == "/steps/order" else 1)
    step_id = campaign.steps.values_list("id", flat=True).first()
    address = ROOT if path is None else campaign_url(campaign, path.format(id=step_id))
    before = stored()
    refused = getattr(client, method)(address, body, headers=STRICT)
    assert faults(refused) == [(expected, "unknown")]
    assert refused["Preference-Applied"] == "handling=strict"
    assert stored() == before
    taken = getattr(client, method)(address, body)
    assert taken.status_code in {200, 201}
    assert "Preference-Applied" not in taken


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("delay_minute", "Unknown property; did you mean delay_minutes?"),
        ("Position", "Unknown property; did you mean position?"),
        ("templateId", "Unknown property; did you mean template_id?"),
        (
            "zzz",
            "Unknown property; known are position, template_id, template_version_id, delay_minutes, variables.",
        ),
    ],
)
def test_the_nearest_known_name_is_suggested(client: APIClient, name: str, message: str) -> None:
    answer = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, **{name: 1}), headers=STRICT)
    assert answer.json()["details"]["errors"] == [{"field": name, "code": "unknown", "message": message}]


def test_what_only_the_service_sets_is_told_apart(client: APIClient) -> None:
    answer = client.post(ROOT, {"name": "x", "status": "active", "id": "1"}, headers=STRICT)
    assert faults(answer) == [("id", "read_only"), ("status", "read_only")]
    step = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, campaign_id="1"), headers=STRICT)
    assert faults(step) == [("campaign_id", "read_only")]


def test_other_faults_are_told_as_well(client: APIClient) -> None:
    answer = client.post(
        campaign_url(make_campaign(), "/steps?on_conflict=x"), {"position": -1, "delay": 1}, headers=STRICT
    )
    assert {field for field, _ in faults(answer)} == {
        "position",
        "template_id",
        "template_version_id",
        "delay",
        "on_conflict",
    }


def test_inside_variables_any_name_is_known(client: APIClient) -> None:
    campaign = make_campaign()
    answer = client.post(
        campaign_url(campaign, "/steps"), step_body(0, variables={"delay_minute": {"x": 1}}), headers=STRICT
    )
    assert (answer.status_code, answer["Preference-Applied"]) == (201, "handling=strict")
    assert positions(campaign) == [0]


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ("Handling = Strict", True),
        ('handling="strict"', True),
        ("respond-async, handling=strict; x=1, wait=10", True),
        ("handling=lenient", False),
        ("handling=strictly", False),
        ("strict", False),
        ("", False),
    ],
)
def test_how_the_preference_is_spelt(client: APIClient, prefer: str, strict: bool) -> None:
    answer = client.post(campaign_url(make_campaign(), "/steps"), step_body(0, extra=1), headers={"Prefer": prefer})
    assert answer.status_code == (400 if strict else 201)
    assert answer.get("Preference-Applied") == ("handling=strict" if strict else None)


def test_a_campaign_that_is_not_there_is_told_first(client: APIClient) -> None:
    assert client.post(campaign_url("none", "/steps"), {"x": 1}, headers=STRICT).status_code == 404
