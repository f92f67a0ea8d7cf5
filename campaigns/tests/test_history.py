"""GET …/history: who changed what, whichever way."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.models import Campaign, HistoryEntry
from campaigns.steps import add_step
from campaigns.tests.api import NO_ID, campaign_url, faults, not_found
from campaigns.tests.changes import WRITER, changed_in_every_way
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_body, step_fields

pytestmark = pytest.mark.django_db


def history(client: APIClient, campaign: Campaign | str, query: str = "") -> list[Any]:
    answer = client.get(campaign_url(campaign, f"/history{query}"))
    assert answer.status_code == 200, answer.content
    results: list[Any] = answer.json()["results"]
    return results


def test_an_entry_tells_when_who_what_and_the_fields_before_and_after(client: APIClient) -> None:
    step = make_step(make_campaign(), delay_minutes=5)
    client.patch(campaign_url(str(step.campaign_id), f"/steps/{step.id}"), {"delay_minutes": 9, "position": 0})
    stored = HistoryEntry.objects.get()
    assert history(client, str(step.campaign_id)) == [
        {
            "id": str(stored.id),
            "at": stored.created_at.isoformat().replace("+00:00", "Z"),
            "actor": WRITER,
            "action": "step.changed",
            "campaign_id": str(step.campaign_id),
            "step_id": str(step.id),
            "revision": None,
            "before": {"delay_minutes": 5},
            "after": {"delay_minutes": 9},
        }
    ]


def test_every_kind_of_change_is_told_newest_first(client: APIClient) -> None:
    entries = history(client, changed_in_every_way(client).rpartition("/")[2])
    assert [(entry["action"], entry["actor"]) for entry in reversed(entries)] == [
        (action, WRITER)
        for action in (
            "campaign.created", "campaign.changed", "step.added", "steps.shifted", "step.added", "steps.added",
            "step.changed", "step.deleted", "steps.replaced", "campaign.activated", "campaign.paused",
            "campaign.activated", "campaign.completed", "campaign.archived",
        )
    ]  # fmt: skip
    assert (entries[0]["before"], entries[0]["after"]) == ({"status": "completed"}, {"status": "archived"})


def test_it_tells_who_it_was(client: APIClient) -> None:
    campaign = make_campaign()
    client.post(campaign_url(campaign, "/steps"), step_body(0))
    user = get_user_model().objects.create_user("ada")
    client.force_authenticate(user)
    client.post(campaign_url(campaign, "/steps"), step_body(1))
    add_step(campaign.id, step_fields(2), actor=ACTOR)
    assert [entry["actor"] for entry in reversed(history(client, campaign))] == [
        WRITER,
        {"type": "user", "issuer": "", "id": str(user.pk), "name": "ada"},
        {"type": "command", "issuer": "", "id": "tests", "name": "tests"},
    ]


def test_it_outlives_the_campaign(client: APIClient) -> None:
    campaign = lifecycle.create_campaign(name="Short", actor=ACTOR, steps=[step_fields(0)])
    client.delete(campaign_url(campaign))
    assert client.get(campaign_url(campaign)).status_code == 404
    assert [entry["action"] for entry in history(client, campaign)] == ["campaign.deleted", "campaign.created"]


def test_a_refusal_is_no_change(client: APIClient) -> None:
    campaign = make_campaign(status="active", steps=1)
    client.post(campaign_url(campaign, "/steps"), step_body(5))
    client.post(campaign_url(campaign, "/activate"))
    assert history(client, campaign) == []


def test_it_comes_in_pages_that_neither_skip_nor_repeat(client: APIClient) -> None:
    campaign, other = make_campaign(), make_campaign()
    for position in range(5):
        add_step(campaign.id, step_fields(position), actor=ACTOR)
        add_step(other.id, step_fields(position), actor=ACTOR)
    seen: list[int] = []
    address = campaign_url(campaign, "/history?limit=2")
    while address:
        page = client.get(address).json()
        seen += [entry["after"]["position"] for entry in page["results"]]
        address = page["next"]
        add_step(campaign.id, step_fields(10 + len(seen)), actor=ACTOR)
    assert seen == [4, 3, 2, 1, 0]


def test_without_a_campaign_there_is_none(client: APIClient) -> None:
    answer = client.get(campaign_url(NO_ID, "/history?limit=none"))
    assert (answer.status_code, answer.json()) == (404, not_found("campaign", NO_ID))
    assert faults(client.get(campaign_url(make_campaign(), "/history?limit=none"))) == [("limit", "invalid")]
