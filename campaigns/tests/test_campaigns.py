"""/v1/messaging/campaigns and /v1/messaging/campaigns/{id}: created, read and listed."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import Max
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.factories import history_of, make_campaign, make_step, step_body, stored

pytestmark = pytest.mark.django_db
URL = "/v1/messaging/campaigns"


def shown(campaign: Campaign) -> dict[str, Any]:
    """A campaign as the API gives it."""
    campaign.refresh_from_db()
    return {
        "id": str(campaign.id),
        "external_id": campaign.external_id,
        "name": campaign.name,
        "description": campaign.description,
        "status": campaign.status,
        "step_count": campaign.steps.count(),
        "total_delay_minutes": sum(campaign.steps.values_list("delay_minutes", flat=True)),
        "revision": campaign.revisions.aggregate(latest=Max("number"))["latest"],
        "created_at": campaign.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": campaign.updated_at.isoformat().replace("+00:00", "Z"),
    }


def fault(field: str, code: str, message: str) -> dict[str, Any]:
    return {
        "error": "validation_error",
        "message": f"{field}: {message}",
        "details": {"errors": [{"field": field, "code": code, "message": message}]},
    }


# --- Create ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_new_campaign_is_a_draft(client: APIClient, slash: str) -> None:
    body = {"name": "Välkommen 🎉", "external_id": "crm-7", "description": "Line one\n\tline two"}
    answer = client.post(URL + slash, body)
    campaign = Campaign.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {**shown(campaign), **body, "status": "draft"}
    assert answer["Location"] == f"http://testserver{URL}/{campaign.id}"


def test_a_campaign_needs_only_a_name(client: APIClient) -> None:
    answer = client.post(URL, {"name": "Welcome"})
    campaign = Campaign.objects.get()
    assert answer.json() == {**shown(campaign), "external_id": None, "name": "Welcome", "description": ""}


def test_the_status_is_not_the_callers_to_choose(client: APIClient) -> None:
    foreign = str(uuid4())
    answer = client.post(URL, {"name": "Welcome", "status": "active", "id": foreign, "created_at": "2020-01-01"})
    campaign = Campaign.objects.get()
    assert answer.json() == shown(campaign)
    assert (campaign.status, str(campaign.id) != foreign, campaign.created_at.year > 2020) == ("draft", True, True)


def test_history_tells_who_created_it(client: APIClient) -> None:
    client.post(URL, {"name": "Welcome", "external_id": "crm-7"})
    after = {"name": "Welcome", "external_id": "crm-7", "description": "", "steps": 0}
    assert history_of(Campaign.objects.get()) == [
        {
            "actor_type": "token",
            "actor_issuer": "https://issuer.example/",
            "actor_id": "writer",
            "actor_name": "writer",
            "action": "campaign.created",
            "step_id": None,
            "before": None,
            "after": after,
        }
    ]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("name", "required")]),
        ({"name": None}, [("name", "null")]),
        ({"name": ""}, [("name", "blank")]),
        ({"name": " \u2003"}, [("name", "blank")]),
        ({"name": 5}, [("name", "invalid_type")]),
        ({"name": "a\nb"}, [("name", "control_character")]),
        ({"name": "é" * 201}, [("name", "max_length")]),
        ({"name": "\ud800"}, [("name", "surrogate")]),
        ({"name": "n", "external_id": ""}, [("external_id", "blank")]),
        ({"name": "n", "external_id": 7}, [("external_id", "invalid_type")]),
        ({"name": "n", "external_id": "a" * 256}, [("external_id", "max_length")]),
        ({"name": "n", "description": None}, [("description", "null")]),
        ({"name": "n", "description": ["d"]}, [("description", "invalid_type")]),
        ({"name": "n", "description": "a" * 10_001}, [("description", "max_length")]),
        ({"name": "n", "description": "\x00"}, [("description", "control_character")]),
        (
            {"description": 1, "name": "", "external_id": True},
            [("external_id", "invalid_type"), ("name", "blank"), ("description", "invalid_type")],
        ),
        ([], [("", "invalid_type")]),
    ],
)
def test_every_fault_of_a_new_campaign_is_named(client: APIClient, body: Any, faults: list[tuple[str, str]]) -> None:
    answer = client.post(URL, json.dumps(body), content_type="application/json")
    errors = answer.json()["details"]["errors"]
    assert (answer.status_code, answer.json()["error"]) == (400, "validation_error")
    assert [(error["field"], error["code"]) for error in errors] == faults
    assert stored() == []


def test_the_limits_themselves_are_allowed(client: APIClient) -> None:
    body = {"name": "é" * 200, "external_id": "é" * 255, "description": "é" * 10_000}
    answer = client.post(URL, body)
    assert (answer.status_code, {name: answer.json()[name] for name in body}) == (201, body)


# --- Get -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_campaign_is_shown_in_every_status(client: APIClient, status: str, slash: str) -> None:
    campaign = make_campaign(status=status, external_id="crm-7", description="d")
    answer = client.get(f"{URL}/{campaign.id}{slash}")
    assert (answer.status_code, answer.json()) == (200, shown(campaign))


def test_times_are_in_utc_with_their_zone(client: APIClient) -> None:
    answer = client.get(f"{URL}/{make_campaign().id}").json()
    assert answer["created_at"].endswith("Z")
    assert datetime.fromisoformat(answer["created_at"]).utcoffset() is not None


@pytest.mark.parametrize("path", [URL + "/{}", URL + "/{}/steps"])
@pytest.mark.parametrize("unknown", ["0190c2ab-1111-7abc-8def-0123456789ab", "7", "%00", "a" * 5_000])
def test_what_does_not_exist_is_not_found(client: APIClient, path: str, unknown: str) -> None:
    make_campaign()
    answer = client.get(path.format(unknown))
    repeated = unknown.replace("%00", "\x00") if len(unknown) < 200 else "a" * 200 + "…"
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "not_found",
        "message": "There is no campaign with this id.",
        "details": {"resource": "campaign", "id": repeated},
    }


def test_getting_a_campaign_costs_one_query(client: APIClient) -> None:
    campaign = make_campaign(steps=5)
    with CaptureQueriesContext(connection) as queries:
        client.get(f"{URL}/{campaign.id}")
    assert len(queries) == 1


# --- Lists -----------------------------------------------------------------------------------------------------------


def pages(client: APIClient, url: str, direction: str = "next") -> list[list[dict[str, Any]]]:
    """The results of this page and of all that follow it."""
    found = []
    while url:
        answer = client.get(url)
        assert (answer.status_code, set(answer.json())) == (200, {"next", "previous", "results"})
        found.append(answer.json()["results"])
        url = answer.json()[direction]
    return found


def test_campaigns_are_listed_in_order_of_creation(client: APIClient) -> None:
    campaigns = [make_campaign(name=name) for name in ("c", "a", "b")]
    answer = client.get(URL)
    assert answer.status_code == 200
    assert answer.json() == {"next": None, "previous": None, "results": [shown(campaign) for campaign in campaigns]}


def test_an_empty_list_is_a_page_too(client: APIClient) -> None:
    empty: dict[str, Any] = {"next": None, "previous": None, "results": []}
    campaign = make_campaign()
    assert client.get(f"{URL}/{campaign.id}/steps").json() == empty
    campaign.delete()
    assert client.get(URL).json() == empty


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (1000, [7])])
def test_pages_hold_every_campaign_once_forwards_and_backwards(client: APIClient, limit: int, sizes: list[int]) -> None:
    ids = [str(make_campaign().id) for _ in range(7)]
    forwards = pages(client, f"{URL}?limit={limit}")
    assert [len(page) for page in forwards] == sizes
    assert [campaign["id"] for page in forwards for campaign in page] == ids

    last = f"{URL}?limit={limit}"
    while following := client.get(last).json()["next"]:
        last = following
    backwards = pages(client, last, "previous")
    assert [campaign["id"] for page in reversed(backwards) for campaign in page] == ids


def test_rows_that_come_or_go_between_two_pages_shift_nothing(client: APIClient) -> None:
    campaigns = [make_campaign() for _ in range(4)]
    first = client.get(f"{URL}?limit=2").json()
    campaigns[0].delete()
    campaigns[2].delete()
    late = make_campaign()
    second = client.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [str(campaigns[3].id), str(late.id)]


def test_a_page_that_has_become_empty_leads_back_to_the_rows_that_are_left(client: APIClient) -> None:
    campaigns = [make_campaign() for _ in range(6)]
    middle = client.get(client.get(f"{URL}?limit=2").json()["next"]).json()
    for campaign in (*campaigns[:2], *campaigns[4:]):
        campaign.delete()
    before, after = client.get(middle["previous"]).json(), client.get(middle["next"]).json()
    assert (before["results"], before["previous"]) == ([], None)
    assert (after["results"], after["next"]) == ([], None)
    assert client.get(before["next"]).json()["results"] == [shown(campaign) for campaign in campaigns[2:4]]
    assert client.get(after["previous"]).json()["results"] == [shown(campaign) for campaign in campaigns[2:4]]


def test_a_page_has_100_rows_unless_told_otherwise(client: APIClient) -> None:
    campaign = make_campaign(steps=101)
    assert [len(page) for page in pages(client, f"{URL}/{campaign.id}/steps")] == [100, 1]


def test_links_keep_the_address_and_the_limit(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    link = urlsplit(client.get(f"{URL}/{campaign.id}/steps?limit=2").json()["next"])
    assert (link.scheme, link.netloc, link.path) == ("http", "testserver", f"{URL}/{campaign.id}/steps")
    assert "limit=2" in link.query


@pytest.mark.parametrize("limit", ["", "0", "-1", "1001", "9" * 5_000, "ten", "1.0", "%201", "٣", "1e2", "%00"])
def test_a_limit_is_an_integer_from_1_to_1000(client: APIClient, limit: str) -> None:
    answer = client.get(f"{URL}?limit={limit}")
    assert (answer.status_code, answer.json()) == (
        400,
        fault("limit", "invalid", "Must be an integer from 1 to 1000."),
    )


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "%C3%BF",
        "=",
        "a" * 5_000,
        "cD1ub3QtYS11dWlk",  # p=not-a-uuid
        "cD0lMDA=",  # p=%00
        "bz0tMQ==",  # o=-1
        "bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5",  # o=999999999999999999999999
        "bz14",  # o=x
        "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5",  # p=999999999999999999999999
        "",
        "Zm9v",  # foo
        "A" * 5_000,
        "bnVsbA",  # null
        "W10",  # []
        "W1tdLDAsIjEiXQ",  # [[],0,"1"]
        "WyJhIiwwLDFd",  # ["a",0,1]
        "WzAsMCwiMSJd",  # [0,0,"1"]
        "eyJhIjoxfQ",  # {"a":1}
        "W1tbW1tb",  # [[[[[[
        "W1tb" * 1_000,
    ],
)
@pytest.mark.parametrize("path", ["", "/{id}/steps"])
def test_only_cursors_that_were_given_out_are_taken(client: APIClient, path: str, cursor: str) -> None:
    url = URL + path.format(id=make_campaign(steps=2).id)
    answer = client.get(f"{url}?cursor={cursor}")
    assert (answer.status_code, answer.json()) == (
        400,
        fault("cursor", "invalid", "Must be a cursor that another page of the list gave, unchanged."),
    )


def test_steps_are_listed_by_position_with_the_seven_keys(client: APIClient) -> None:
    campaign = make_campaign()
    other = make_campaign(steps=1)
    steps = {position: make_step(campaign, position, delay_minutes=5, variables={"a": 1}) for position in (9, 0, 4)}
    expected = [
        {
            "id": str(steps[position].id),
            "campaign_id": str(campaign.id),
            **step_body(position),
            "delay_minutes": 5,
            "variables": {"a": 1},
        }
        for position in (0, 4, 9)
    ]
    answer = client.get(f"{URL}/{campaign.id}/steps")
    assert answer.json() == {"next": None, "previous": None, "results": expected}
    assert pages(client, f"{URL}/{campaign.id}/steps?limit=1") == [[step] for step in expected]
    assert [UUID(row["campaign_id"]) for row in client.get(f"{URL}/{other.id}/steps").json()["results"]] == [other.id]


@pytest.mark.parametrize("rows", [1, 3])
def test_listing_campaigns_costs_one_query(client: APIClient, rows: int) -> None:
    for _ in range(rows):
        make_campaign(steps=2)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(URL)
    assert (len(answer.json()["results"]), len(queries)) == (rows, 1)


@pytest.mark.parametrize("rows", [1, 3])
def test_listing_steps_costs_one_query(client: APIClient, rows: int) -> None:
    campaign = make_campaign(steps=rows)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"{URL}/{campaign.id}/steps")
    assert (len(answer.json()["results"]), len(queries)) == (rows, 1)
