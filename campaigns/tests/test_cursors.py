"""A cursor is of one list, in one order, with one choice of filters."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from campaigns import history
from campaigns.models import Action
from campaigns.tests.api import ROOT, campaign_url, faults
from campaigns.tests.factories import ACTOR, make_campaign

pytestmark = pytest.mark.django_db
OF_ANOTHER = "Is of another list, or of this one in another order or with other filters."
ELSEWHERE = {
    "another campaign's steps": ("/{id}/steps?limit=1", "/{other}/steps"),
    "another list of the campaign": ("/{id}/history?limit=1", "/{id}/steps"),
    "the campaigns": ("/{id}/steps?limit=1", ""),
    "the other way round": ("?limit=1", "?order=newest"),
    "another column": ("?limit=1&sort=name", "?sort=updated"),
    "another filter": ("?limit=1&status=draft", "?status=draft&status=active"),
    "no filter": ("?limit=1&search=welcome", ""),
}


def cursor_of(client: APIClient, address: str) -> str:
    return str(parse_qs(urlsplit(client.get(address).json()["next"]).query)["cursor"][0])


def join(address: str, parameter: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{parameter}"


@pytest.mark.parametrize(("where", "elsewhere"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_it_is_taken_where_it_was_given_and_nowhere_else(client: APIClient, where: str, elsewhere: str) -> None:
    campaign, other = make_campaign(steps=3), make_campaign(steps=3)
    for _ in range(2):
        history.record(ACTOR, Action.CAMPAIGN_CHANGED, campaign.id)
    ids = {"id": campaign.id, "other": other.id}
    where, elsewhere = ROOT + where.format(**ids), ROOT + elsewhere.format(**ids)
    cursor = cursor_of(client, where)
    assert client.get(join(where, f"cursor={cursor}")).status_code == 200
    answer = client.get(join(elsewhere, f"cursor={cursor}"))
    assert faults(answer) == [("cursor", "invalid")]
    assert answer.json()["details"]["errors"][0]["message"] == OF_ANOTHER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("limit=1", "limit=2"),
        ("limit=1", "limit=1&order=oldest"),
        ("limit=1&sort=created", "limit=2"),
        ("limit=1", "limit=1&include=etag"),
        ("limit=1&status=draft&status=active", "limit=1&status=active&status=draft&status=draft"),
    ],
)
def test_it_stays_good_where_the_list_is_the_same(client: APIClient, before: str, after: str) -> None:
    campaigns = [make_campaign() for _ in range(3)]
    page = client.get(f"{ROOT}?{after}&cursor={cursor_of(client, f'{ROOT}?{before}')}").json()
    assert page["results"][0]["id"] == str(campaigns[1].id)


def test_it_stays_good_where_the_campaigns_id_is_spelled_otherwise(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    cursor = cursor_of(client, campaign_url(campaign, "/steps?limit=1"))
    page = client.get(campaign_url(str(campaign.id).upper(), f"/steps/?cursor={cursor}")).json()
    assert [row["position"] for row in page["results"]] == [1]


def with_parts(cursor: str, change: Callable[[list[str]], Any]) -> str:
    """The cursor with other parts, encoded as the server encodes its own."""
    parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    changed = json.dumps(change(parts), ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(changed.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: [*parts, "more"],
        lambda parts: parts[:2],
        lambda parts: [parts[0], 2, *parts[2:]],
        lambda parts: [parts[0], False, *parts[2:]],
        lambda parts: [*parts[:2], "x"],
        lambda parts: [*parts[:2], "-1"],
        lambda parts: [*parts[:2], "9" * 30],
        lambda parts: [*parts[:2], "1\0"],
        lambda parts: [*parts[:2], "1_0"],
        lambda parts: [*parts[:2], " 1"],
        lambda parts: [*parts[:2], "+1"],
        lambda parts: [*parts[:2], "01"],
        lambda parts: [*parts[:2], "\u0661"],
        lambda parts: [*parts[:2], 1],
        lambda parts: dict(enumerate(parts)),
    ],
)
def test_a_cursor_that_was_not_given_out_is_refused(client: APIClient, change: Callable[[list[str]], Any]) -> None:
    address = campaign_url(make_campaign(steps=3), "/steps?limit=1")
    cursor = with_parts(cursor_of(client, address), change)
    assert faults(client.get(f"{address}&cursor={cursor}")) == [("cursor", "invalid")]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("updated", "0001-01-01T00:00:00+14:00"),
        ("updated", "9999-12-31T23:59:59-14:00"),
        ("updated", "2026-01-01T01:00:00+01:00"),
        ("updated", "2026-01-01T00:00:00Z"),
        ("updated", "2026-01-01T00:00:00"),
        ("updated", "2026-01-01"),
        ("name", "a\0b"),
        ("created", "{0190C2AB-1111-7ABC-8DEF-0123456789AB}"),
    ],
)
def test_a_position_that_no_row_has_is_refused(client: APIClient, sort: str, first: str) -> None:
    for _ in range(2):
        make_campaign()
    address = f"{ROOT}?limit=1&sort={sort}"
    cursor = with_parts(cursor_of(client, address), lambda parts: [*parts[:2], first, *parts[3:]])
    assert faults(client.get(f"{address}&cursor={cursor}")) == [("cursor", "invalid")]


@pytest.mark.parametrize(
    ("sort", "first"),
    [("updated", "0001-01-01T00:00:00+00:00"), ("updated", "9999-12-31T23:59:59.999999+00:00"), ("name", "")],
)
def test_a_position_at_an_end_of_what_rows_may_have_is_taken(client: APIClient, sort: str, first: str) -> None:
    ids = [str(make_campaign(name="x").id) for _ in range(2)]
    address = f"{ROOT}?limit=2&sort={sort}"
    cursor = with_parts(cursor_of(client, f"{ROOT}?limit=1&sort={sort}"), lambda p: [*p[:2], first, p[3]])
    expected = [] if first.startswith("9999") else ids
    assert [row["id"] for row in client.get(f"{address}&cursor={cursor}").json()["results"]] == expected
