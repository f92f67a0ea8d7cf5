"""GET /v1/messaging/campaigns: filters, search, order, pages."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.api import ROOT, faults
from campaigns.tests.factories import make_campaign, make_step

pytestmark = pytest.mark.django_db


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [campaign["name"] for campaign in answer.json()["results"]]


@pytest.fixture
def five() -> None:
    """Made in the order of their names, on the first five days of 2026 at noon."""
    make_campaign(name="A spring", status="draft", external_id="crm-a")
    make_step(make_campaign(name="B Spring", status="active"), 0, template_id="t", template_version_id="v1")
    both = make_campaign(name="C 100% summer", status="active", external_id="crm-c")
    make_step(both, 0, template_id="t", template_version_id="v2")
    make_step(both, 1, template_id="other", template_version_id="v1")
    make_campaign(name="D_autumn", status="paused")
    make_campaign(name="E Ärger", status="archived")
    for day, campaign in enumerate(Campaign.objects.order_by("id"), start=1):
        Campaign.objects.filter(pk=campaign.pk).update(created_at=f"2026-01-0{day}T12:00:00Z")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "ABCDE"),
        ({"order": "oldest"}, "ABCDE"),
        ({"order": "newest"}, "EDCBA"),
        ({"status": "active"}, "BC"),
        ({"status": "completed"}, ""),
        ({"external_id": "crm-c"}, "C"),
        ({"external_id": "CRM-C"}, ""),
        ({"template_id": "t"}, "BC"),
        ({"template_version_id": "v1"}, "BC"),
        ({"template_id": "t", "template_version_id": "v1"}, "B"),
        ({"created_from": "2026-01-03T12:00:00Z"}, "CDE"),
        ({"created_before": "2026-01-03T12:00:00Z"}, "AB"),
        ({"created_from": "2026-01-02T00:00:00Z", "created_before": "2026-01-04T00:00:00Z"}, "BC"),
        ({"created_from": "2026-01-03T13:00:00+01:00"}, "CDE"),
        ({"created_from": "2026-01-03T13:00:00 01:00"}, "CDE"),
        ({"created_from": "2026-01-03 12:00"}, "CDE"),
        ({"search": "SPRING"}, "AB"),
        ({"search": "%"}, "C"),
        ({"search": "_"}, "D"),
        ({"search": "Ä"}, "E"),
        ({"search": "spring", "status": "active", "template_id": "t", "order": "newest"}, "B"),
        ({"search": "spring", "status": "paused"}, ""),
    ],
)
def test_filters_and_order(client: APIClient, five: None, query: dict[str, str], expected: str) -> None:
    assert "".join(name[0] for name in names(client.get(ROOT, query))) == expected


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("status", "Draft", "invalid_choice"),
        ("status", "", "invalid_choice"),
        ("order", "random", "invalid_choice"),
        ("external_id", "", "blank"),
        ("template_id", "x" * 256, "max_length"),
        ("search", "a\x00", "control_character"),
        ("created_from", "yesterday", "invalid"),
        ("created_from", "0001-01-01T00:00:00+14:00", "overflow"),
        ("created_before", "2026-13-01T00:00:00Z", "invalid"),
        ("limit", "0", "invalid"),
        ("limit", "1001", "invalid"),
        ("limit", "ten", "invalid"),
        ("limit", "", "invalid"),
        ("cursor", "nonsense", "invalid"),
        ("cursor", "cD1ub25l", "invalid"),  # p=none
    ],
)
def test_a_value_that_is_none_is_refused(client: APIClient, name: str, value: str, code: str) -> None:
    assert faults(client.get(ROOT, {name: value})) == [(name, code)]


def test_totals_are_of_each_campaign(client: APIClient) -> None:
    make_campaign(name="empty")
    long = make_campaign(name="long")
    for position in range(3):
        make_step(long, position, delay_minutes=2_147_483_647)
    results = client.get(ROOT).json()["results"]
    assert [(row["name"], row["step_count"], row["total_delay_minutes"]) for row in results] == [
        ("empty", 0, 0),
        ("long", 3, 6_442_450_941),
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_is_one_query(client: APIClient, count: int) -> None:
    for _ in range(count):
        make_campaign(steps=2)
    with CaptureQueriesContext(connection) as queries:
        assert len(client.get(ROOT, {"template_id": "t0"}).json()["results"]) == count
    assert len(queries) == 1


@pytest.mark.parametrize(("order", "seen"), [("oldest", [0, 1, 2, 3, 4, 5, 6, 7, 8]), ("newest", [4, 3, 2, 1, 0])])
def test_pages_neither_skip_nor_repeat_while_campaigns_are_added(
    client: APIClient, order: str, seen: list[int]
) -> None:
    for number in range(5):
        make_campaign(name=str(number))
    found: list[str] = []
    address, added = f"{ROOT}?limit=2&order={order}", 5
    while address:
        page = client.get(address)
        found += names(page)
        address = page.json()["next"]
        if added < 9:
            added += 2
            make_campaign(name=str(added - 2))
            make_campaign(name=str(added - 1))
    assert found == [str(number) for number in seen]


def test_a_page_leads_back(client: APIClient) -> None:
    for number in range(5):
        make_campaign(name=str(number))
    first = client.get(f"{ROOT}?limit=2").json()
    second = client.get(first["next"]).json()
    back = client.get(second["previous"]).json()
    assert first["previous"] is None
    assert back["results"] == first["results"]
    assert names(client.get(second["next"])) == ["4"]


def test_a_page_survives_the_deletion_of_its_neighbour(client: APIClient) -> None:
    for number in range(4):
        make_campaign(name=str(number))
    following = client.get(f"{ROOT}?limit=2").json()["next"]
    Campaign.objects.filter(name__in=("1", "2")).delete()
    assert names(client.get(following)) == ["3"]
