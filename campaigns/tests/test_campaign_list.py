"""GET /v1/messaging/campaigns: filters, search, order, pages."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.api import ROOT, campaign_url, faults
from campaigns.tests.factories import make_campaign, make_step, step_body

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
        ({"search": "äRGER"}, "E"),
        ({"search": "e ä"}, "E"),
        ({"search": "."}, ""),
        ({"status": ["active", "paused"]}, "BCD"),
        ({"status": ["active", "active"]}, "BC"),
        ({"external_id": ["crm-c", "crm-a", "crm-x"]}, "AC"),
        ({"template_id": ["t", "other"], "template_version_id": ["v1"]}, "BC"),
        ({"template_id": ["other", "x"], "template_version_id": ["v2", "x"]}, ""),
        ({"status": ["paused", "active"], "sort": "-name"}, "DCB"),
        ({"sort": "created"}, "ABCDE"),
        ({"sort": "-created"}, "EDCBA"),
        ({"sort": "name"}, "ABCDE"),
        ({"sort": "-name"}, "EDCBA"),
        ({"search": "spring", "status": "active", "template_id": "t", "order": "newest"}, "B"),
        ({"search": "spring", "status": "paused"}, ""),
    ],
)
def test_filters_and_order(client: APIClient, five: None, query: dict[str, Any], expected: str) -> None:
    assert "".join(name[0] for name in names(client.get(ROOT, query))) == expected


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("status", "Draft", "invalid_choice"),
        ("status", "", "invalid_choice"),
        ("order", "random", "invalid_choice"),
        ("sort", "status", "invalid_choice"),
        ("sort", "+name", "invalid_choice"),
        ("include", "steps", "invalid_choice"),
        ("id", "", "blank"),
        ("external_id", "", "blank"),
        ("template_id", "x" * 256, "max_length"),
        ("search", "a\x00", "control_character"),
        ("created_from", "yesterday", "invalid"),
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


@pytest.mark.parametrize("value", ["%FF", "a%ED%A0%80", "\xff"])
def test_what_is_not_utf8_is_refused_by_name_and_not_searched_for(client: APIClient, value: str) -> None:
    query = f"search={value}&status=%C3&status=draft&unknown=%FF"
    assert faults(client.get(ROOT, QUERY_STRING=query)) == [("status", "not_utf8"), ("search", "not_utf8")]


def test_a_replacement_character_is_a_character(client: APIClient) -> None:
    make_campaign(name="\N{REPLACEMENT CHARACTER}")
    assert names(client.get(f"{ROOT}?search=%EF%BF%BD")) == ["\N{REPLACEMENT CHARACTER}"]


def test_choices_are_named(client: APIClient) -> None:
    answer = client.get(ROOT, {"status": ["active", "running"], "order": "random"})
    assert {it["field"]: it["message"] for it in answer.json()["details"]["errors"]} == {
        "status": "Must be one of: draft, active, paused, completed, archived.",
        "order": "Must be one of: oldest, newest.",
    }


def test_sort_and_order_together_are_refused(client: APIClient) -> None:
    assert faults(client.get(f"{ROOT}?sort=name&order=oldest")) == [("sort", "conflict")]


def test_campaigns_are_found_by_several_ids_however_spelled(client: APIClient, five: None) -> None:
    first, _, third, *_ = (str(campaign.id) for campaign in Campaign.objects.order_by("name"))
    answer = client.get(ROOT, {"id": [third.upper(), first, first, "no-id", "0190c2ab-1111-7abc-8def-0123456789ab"]})
    assert "".join(name[0] for name in names(answer)) == "AC"
    assert names(client.get(ROOT, {"id": "no-id"})) == []


def test_a_filter_takes_100_values_and_no_more(client: APIClient) -> None:
    assert client.get(ROOT, {"id": [str(number) for number in range(100)]}).status_code == 200
    assert faults(client.get(ROOT, {"id": [str(number) for number in range(101)]})) == [("id", "max_length")]


@pytest.mark.parametrize(
    ("name", "search", "is_found"),
    [
        ("Ärger", "ÄRGER", True),
        ("ÄRGER", "ärger", True),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", True),
        ("Ёлка", "ёЛКА", True),
        ("Straße", "STRAẞE", True),
        ("Straße", "strasse", False),
        ("Kelvin", "\u212aelvin", True),  # the sign of the unit
        ("ﬁnal", "FINAL", False),
        ("I", "\u0131", False),  # Turkish, where only İ is i
        ("a.b", "A.B", True),
        ("axb", "a.b", False),
        ("[x]", "[X]", True),
        ("x", "[X]", False),
        ("a\\d", "A\\D", True),
        ("5", "\\d", False),
        ("(?i)", "(?I)", True),
        ("***=x", "***=X", True),
        ("a b\u00a0c", "A B\u00a0C", True),
        ("^$|{2}+-~#&", "^$|{2}+-~#&", True),
        ("😀é", "😀É", True),
        ("e\u0301", "é", False),
    ],
)
def test_search_takes_each_character_as_it_is_in_whatever_case(
    client: APIClient, name: str, search: str, is_found: bool
) -> None:
    make_campaign(name=name)
    assert names(client.get(ROOT, {"search": search})) == [name] * is_found


ALPHABET = ["", "A", "Z", "a", "z", "Ä", "ä", "Ω", "中", "\uffee", "😀", " ", "-", "_"]


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_names_are_sorted_by_code_point_and_then_by_age(client: APIClient, sign: str, limit: int) -> None:
    expected = []
    for text in ALPHABET:
        for other in ALPHABET[:3]:
            for _ in range(2):
                campaign = make_campaign(name=f"{text}x{other}")
                expected.append((campaign.name, campaign.id))
    expected.sort(reverse=sign == "-")
    assert ids_of_pages(client, f"{ROOT}?sort={sign}name&limit={limit}") == [
        str(campaign_id) for _, campaign_id in expected
    ]


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_changes_are_sorted_by_time_and_then_by_age(client: APIClient, sign: str, limit: int) -> None:
    """Also where SQLite has the same time spelled otherwise: its own clock has three digits, Python's up to six."""
    times = ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500001Z"]
    campaigns = [make_campaign(name=str(number)) for number in range(8)]
    for campaign, time in zip(campaigns, times * 2, strict=True):
        Campaign.objects.filter(pk=campaign.pk).update(updated_at=time)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE campaigns_campaign SET updated_at = '2026-01-01 00:00:00.500' WHERE name = '1'")
            cursor.execute("UPDATE campaigns_campaign SET updated_at = '2026-01-01 00:00:00.000' WHERE name = '2'")
    expected = ["2", "6", "1", "5", "3", "7", "0", "4"]
    found = ids_of_pages(client, f"{ROOT}?sort={sign}updated&limit={limit}")
    by_id = {str(campaign.id): campaign.name for campaign in campaigns}
    assert [by_id[row_id] for row_id in found] == (expected[::-1] if sign else expected)


def ids_of_pages(client: APIClient, address: str) -> list[str]:
    """The ids of all pages, forwards; backwards they must be the same."""
    found: list[list[str]] = []
    pages = []
    while address:
        page = client.get(address).json()
        pages.append(page)
        found.append([row["id"] for row in page["results"]])
        address = page["next"]
        assert len(pages) < 1_000
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(client.get(back[-1]["previous"]).json())
        assert len(back) <= len(pages)
    assert [[row["id"] for row in page["results"]] for page in back[::-1]] == found
    return [row_id for page in found for row_id in page]


def test_changes_of_a_step_are_no_change_of_the_campaign(client: APIClient) -> None:
    campaign = make_campaign(steps=1)
    Campaign.objects.update(updated_at="2026-01-01T00:00:00Z")
    client.patch(campaign_url(campaign, f"/steps/{campaign.steps.get().id}"), {"delay_minutes": 5})
    client.post(campaign_url(campaign, "/steps"), step_body(5))
    assert client.get(campaign_url(campaign)).json()["updated_at"] == "2026-01-01T00:00:00Z"


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


def test_both_totals_come_from_one_look_at_the_steps(client: APIClient) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.get(ROOT)
    assert [query["sql"].count('FROM "campaigns_campaignstep"') for query in queries] == [1]


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
