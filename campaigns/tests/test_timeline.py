"""GET …/timeline: when each step would be sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.api import campaign_url, faults
from campaigns.tests.factories import make_campaign, make_step

pytestmark = pytest.mark.django_db
DAY = 24 * 60


def campaign_of(*delays: int) -> Campaign:
    campaign = make_campaign()
    for position, delay in enumerate(delays):
        make_step(campaign, 2 * position, delay_minutes=delay)
    return campaign


def planned(client: APIClient, campaign: Campaign, query: str) -> list[tuple[int, str, str]]:
    answer = client.get(campaign_url(campaign, f"/timeline?{query}"))
    assert answer.status_code == 200, answer.content
    return [(row["offset_minutes"], row["at"], row["at_local"]) for row in answer.json()["results"]]


def test_each_step_has_its_offset_and_its_instant_in_utc_and_in_the_zone(client: APIClient) -> None:
    campaign = campaign_of(0, 90)
    first, second = campaign.steps.order_by("position")
    query = "start=2026-12-01T09:00:00%2B01:00&tz=Europe/Berlin"
    answer = client.get(campaign_url(campaign, f"/timeline?{query}"))
    assert answer.json() == {
        "start": "2026-12-01T08:00:00Z",
        "tz": "Europe/Berlin",
        "results": [
            {
                "step_id": str(first.id),
                "position": 0,
                "delay_minutes": 0,
                "offset_minutes": 0,
                "at": "2026-12-01T08:00:00Z",
                "at_local": "2026-12-01T09:00:00+01:00",
            },
            {
                "step_id": str(second.id),
                "position": 2,
                "delay_minutes": 90,
                "offset_minutes": 90,
                "at": "2026-12-01T09:30:00Z",
                "at_local": "2026-12-01T10:30:00+01:00",
            },
        ],
    }


@pytest.mark.parametrize(
    ("start", "at", "at_local"),
    [
        ("2026-03-28T12:00", "2026-03-29T11:00:00Z", "2026-03-29T13:00:00+02:00"),  # the day has 23 hours
        ("2026-10-24T12:00", "2026-10-25T10:00:00Z", "2026-10-25T11:00:00+01:00"),  # the day has 25 hours
    ],
    ids=["spring", "autumn"],
)
def test_a_day_is_24_elapsed_hours_across_a_change_of_the_clocks(
    client: APIClient, start: str, at: str, at_local: str
) -> None:
    assert planned(client, campaign_of(DAY), f"start={start}&tz=Europe/Berlin") == [(DAY, at, at_local)]


@pytest.mark.parametrize(
    ("start", "tz", "at"),
    [
        ("2026-12-01T09:00:00Z", "Europe/Berlin", "2026-12-01T09:00:00Z"),
        ("2026-12-01T09:00:00 01:00", "UTC", "2026-12-01T08:00:00Z"),
        ("2026-12-01T09:00:00 0100", "UTC", "2026-12-01T08:00:00Z"),
        ("2026-12-01T09:00:00 01", "UTC", "2026-12-01T08:00:00Z"),
        ("2026-12-01T09:00:00+01:00", "UTC", "2026-12-01T08:00:00Z"),  # which a query string reads as a space
        ("2026-12-01T09:00:00-05:00", "Europe/Berlin", "2026-12-01T14:00:00Z"),
        ("2026-12-01 09:00", "Europe/Berlin", "2026-12-01T08:00:00Z"),
        ("2026-12-01 09:00 02:00", "Europe/Berlin", "2026-12-01T07:00:00Z"),
        ("2026-07-01T09:00", "Europe/Berlin", "2026-07-01T07:00:00Z"),
        ("2026-12-01T09:00", "Asia/Kathmandu", "2026-12-01T03:15:00Z"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"),  # in the gap: the clock shows 03:30
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),  # in the overlap: the earlier one
    ],
)
def test_what_a_start_means(client: APIClient, start: str, tz: str, at: str) -> None:
    assert planned(client, campaign_of(0), f"start={start}&tz={tz}")[0][1] == at


def test_without_a_start_it_is_now_and_without_a_zone_utc(client: APIClient) -> None:
    before = timezone.now()
    answer = client.get(campaign_url(campaign_of(60), "/timeline")).json()
    start = datetime.fromisoformat(answer["start"])
    assert before <= start <= timezone.now()
    assert answer["tz"] == "UTC"
    assert datetime.fromisoformat(answer["results"][0]["at"]) == start + timedelta(hours=1)
    assert datetime.fromisoformat(answer["results"][0]["at_local"]).astimezone(UTC) == start + timedelta(hours=1)


def test_the_timeline_of_no_steps_is_empty(client: APIClient) -> None:
    assert planned(client, make_campaign(), "start=2026-12-01T09:00Z") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=", [("start", "invalid")]),
        ("start=tomorrow", [("start", "invalid")]),
        ("start=0001-01-01&tz=Asia/Tokyo", [("start", "invalid")]),
        ("tz=Europe/Nowhere", [("tz", "invalid")]),
        ("tz=", [("tz", "invalid")]),
        ("tz=../../etc/passwd", [("tz", "invalid")]),
        ("tz=europe/berlin", [("tz", "invalid")]),
        ("tz=localtime", [("tz", "invalid")]),
        ("tz=Factory", [("tz", "invalid")]),
        ("tz=%2B01:00", [("tz", "invalid")]),
        ("start=x&tz=x", [("tz", "invalid"), ("start", "invalid")]),
        ("start=9999-12-31T23:59Z", [("start", "out_of_range")]),
        ("start=9999-12-31T12:00Z&tz=Pacific/Kiritimati", [("start", "out_of_range")]),
        ("start=0001-01-01T00:00Z&tz=America/New_York", [("start", "out_of_range")]),
    ],
)
def test_a_query_that_has_no_answer_is_refused(client: APIClient, query: str, expected: Any) -> None:
    assert faults(client.get(campaign_url(campaign_of(1), f"/timeline?{query}"))) == expected


def test_the_last_minute_of_the_calendar_is_planned(client: APIClient) -> None:
    at = "9999-12-31T23:59:00Z"
    assert planned(client, campaign_of(1), "start=9999-12-31T23:58Z") == [(1, at, "9999-12-31T23:59:00+00:00")]


def test_more_delay_than_python_can_add_is_refused(client: APIClient) -> None:
    answer = client.get(campaign_url(campaign_of(*[2**31 - 1] * 10), "/timeline"))
    assert faults(answer) == [("start", "out_of_range")]
    assert "shorten the delays" in answer.json()["message"]
