"""GET /v1/messaging/events: the feed of all changes, page by page."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.models import Action, HistoryEntry
from campaigns.openapi.events import VALUES
from campaigns.tests.api import ROOT, campaign_url, faults
from campaigns.tests.changes import WRITER, changed_in_every_way
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_body
from campaigns.tests.test_prune import make_entry

pytestmark = pytest.mark.django_db
EVENTS = "/v1/messaging/events"


def page(client: APIClient, query: str = "") -> Any:
    answer = client.get(EVENTS + query)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store"), answer.content
    return answer.json()


def test_an_event_tells_when_who_what_and_the_values_before_and_after(client: APIClient) -> None:
    step = make_step(make_campaign(), delay_minutes=5)
    client.patch(campaign_url(str(step.campaign_id), f"/steps/{step.id}"), {"delay_minutes": 9})
    stored = HistoryEntry.objects.get()
    found = page(client)
    assert found == {
        "results": [
            {
                "id": str(stored.id),
                "type": "step.changed",
                "at": stored.created_at.isoformat().replace("+00:00", "Z"),
                "actor": WRITER,
                "campaign_id": str(step.campaign_id),
                "step_id": str(step.id),
                "revision": None,
                "before": {"delay_minutes": 5},
                "after": {"delay_minutes": 9},
            }
        ],
        "next_cursor": found["next_cursor"],
        "has_more": False,
    }


def test_next_cursor_goes_on_also_after_an_empty_page_and_with_other_types(client: APIClient) -> None:
    latest = page(client, "?cursor=latest")
    assert latest == {"results": [], "next_cursor": latest["next_cursor"], "has_more": False}
    campaign, seen, cursor = make_campaign(steps=1), [], latest["next_cursor"]
    for verb in ("activate", "pause", "complete"):
        client.post(campaign_url(campaign, f"/{verb}"))
    for query in ("&limit=1", "&types=step.added&types=campaign.completed&limit=1", "", "&types=step.added"):
        found = page(client, f"?cursor={cursor}{query}")
        seen.append(([event["type"] for event in found["results"]], found["has_more"]))
        cursor = found["next_cursor"]
    assert seen == [(["campaign.activated"], True), (["campaign.completed"], False), ([], False), ([], False)]
    client.post(campaign_url(campaign, "/archive"))
    assert [event["type"] for event in page(client, f"?cursor={cursor}")["results"]] == ["campaign.archived"]


def test_every_type_has_the_values_that_the_document_names(client: APIClient) -> None:
    url = changed_in_every_way(client)
    client.post(f"{url}/duplicate")
    copy = lifecycle.create_campaign(name="Copy", actor=ACTOR)
    client.put(campaign_url(copy, "/steps"), {"steps": [step_body(0), step_body(1)]})
    order = [step["id"] for step in client.get(campaign_url(copy, "/steps")).json()["results"]][::-1]
    client.put(campaign_url(copy, "/steps/order"), {"step_ids": order})
    client.delete(campaign_url(copy))
    call_command("seed_campaigns", campaigns=1, steps=1, verbosity=0)

    found = page(client)["results"]
    assert {event["type"] for event in found} == set(Action.values)
    for event in found:
        for values, shape in zip((event["before"], event["after"]), VALUES[Action(event["type"])], strict=True):
            assert (values is None) is (shape is None), event
            assert (values or {}).keys() <= (shape().fields.keys() if shape else set()), event


def test_a_cursor_older_than_what_was_pruned_says_how_to_begin_anew(client: APIClient) -> None:
    cursor = page(client, "?cursor=latest")["next_cursor"]
    make_entry(timezone.now() - timedelta(days=400))
    call_command("prune_history", older_than=365, verbosity=0)

    answer = client.get(f"{EVENTS}?cursor={cursor}")
    assert (answer.status_code, answer.json()) == (
        410,
        {
            "error": "cursor_pruned",
            "message": "Events after this cursor were deleted with the old history, or the database was restored from "
            "before it. To begin anew, take a cursor by ?cursor=latest, read the campaigns as they are now, and go on "
            "from that cursor; without a cursor come the events that are kept.",
        },
    )
    assert page(client)["results"] == []


def test_a_cursor_of_another_list_is_refused(client: APIClient) -> None:
    for _ in range(2):
        make_campaign()
    link = client.get(f"{ROOT}?limit=1").json()["next"]
    foreign = link.partition("cursor=")[2].partition("&")[0]
    own = page(client, "?cursor=latest")["next_cursor"]
    for cursor in (foreign, own[:-2], own + "A", "7", ""):
        assert faults(client.get(f"{EVENTS}?cursor={cursor}")) == [("cursor", "invalid")]
    assert faults(client.get(f"{ROOT}?cursor={own}")) == [("cursor", "invalid")]


def test_an_unknown_type_is_refused(client: APIClient) -> None:
    assert faults(client.get(f"{EVENTS}?types=step.added&types=step.moved&limit=0")) == [
        ("limit", "invalid"),
        ("types", "invalid_choice"),
    ]
