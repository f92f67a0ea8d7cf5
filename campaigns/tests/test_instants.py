"""Instants in query strings: the date-time of RFC 3339, read by one reader."""

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from campaigns.instants import INSTANT, in_utc, parse_instant
from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.factories import make_campaign

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)


def read(text: str) -> datetime | None:
    try:
        return in_utc(parse_instant(text), UTC)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00:00Z", NINE),
        ("2026-12-01t09:00:00z", NINE),
        ("2026-12-01 09:00", NINE),
        ("2026-12-01", NINE.replace(hour=0)),
        ("2026-12-01T10:00+01:00", NINE),
        ("2026-12-01T10:00:00 01:00", NINE),  # a query string's "+"
        ("2026-12-01 10:00 0100", NINE),
        ("2026-12-01T10:00+01", NINE),
        ("2026-12-01T09:00-00:00", NINE),
        ("2026-12-01T09:00:00.5Z", NINE.replace(microsecond=500_000)),
        ("2026-12-01T09:00:00.1234569Z", NINE.replace(microsecond=123_456)),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_an_instant_is_read(text: str, expected: datetime) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "٢٠٢٦-12-01T09:00:00Z",
        "2026-12-01T09:00:00Z\x00",
        "2026-12-01T09:00:00Z\n",
        " 2026-12-01",
        "2026-W49-2",
        "2026-W49-2T09:00:00Z",
        "2026-335",
        "20261201T090000Z",
        "2026-1-1T9:00",
        "2026-12-01x09:00:00",
        "2026-12-01T09",
        "2026-12-01T09:00:00,5Z",
        "2026-12-01T09:00:60Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T09:00:00+24:00",
        "2026-12-01T09:00:00+01:60",
        "2026-12-01T09:00:00+01:00:30",
        "2026-12-01T09:00:00 +01:00",
        "2026-02-30",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.django_db
def test_every_instant_in_a_query_is_read_so(client: APIClient) -> None:
    timeline = campaign_url(make_campaign(), "/timeline")
    for path, name in ((ROOT, "created_from"), (ROOT, "created_before"), (timeline, "start")):
        for text in ("2026-W49-2", "0001-01-01T00:00:00+14:00"):
            answer = client.get(path, {name: text})
            assert answer.json()["details"] == {"errors": [{"field": name, "code": "invalid", "message": INSTANT}]}
