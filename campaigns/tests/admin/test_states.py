"""Statuses change by buttons and list actions, each with a page that asks first, and through the same gate."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.statuses import STATUSES, why_not
from campaigns.tests.admin.pages import FormReader, campaign_url, messages_of, status_url
from campaigns.tests.factories import history_of, make_campaign, make_step, stored

LIST = "admin:campaigns_campaign_changelist"
VERBS = {
    "draft": ["Activate", "Archive"],
    "active": ["Pause", "Complete"],
    "paused": ["Resume", "Complete", "Archive"],
    "completed": ["Archive"],
    "archived": [],
}


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_the_buttons_are_the_allowed_transitions(publisher: Client, status: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    answer = publisher.get(campaign_url(campaign.pk))
    assert [transition.verb for transition in answer.context["transitions"]] == VERBS[status]
    assert [verb for verb in VERBS[status] if f">{verb}</a>" not in answer.content.decode()] == []


@pytest.mark.parametrize("target", Campaign.Status.values)
@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_status_changes_where_it_may_and_nowhere_else(publisher: Client, status: str, target: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    url = status_url(campaign, target)
    before = stored()
    page = publisher.get(url)
    assert stored() == before
    answer = publisher.post(url, FormReader.of(page).data)
    campaign.refresh_from_db()
    if target in STATUSES[status].targets:
        assert campaign.status == target
        assert [entry["actor_name"] for entry in history_of(campaign)] == ["paula"]
    elif target == "draft":
        assert answer.status_code == 404
    else:
        assert answer.context["refusal"] == why_not(status, target)
        assert stored() == before


def test_the_page_that_asks_lists_what_stands_in_the_way(publisher: Client) -> None:
    campaign = make_campaign()
    page = publisher.get(status_url(campaign, "active")).content.decode()
    assert "The campaign has no steps: add at least one." in page
    assert 'value="Activate"' not in page


def test_the_page_that_asks_lists_warnings_and_still_goes_on(publisher: Client) -> None:
    campaign = make_campaign()
    make_step(campaign, 0)
    make_step(campaign, 5, template_id="t0", template_version_id="t0-v1", delay_minutes=366 * 1440)
    page = publisher.get(status_url(campaign, "active")).content.decode()
    assert "Position 5: The step waits 366 days, longer than a year." in page
    assert "Position 5: The step sends the same template version as the step before it." in page
    assert 'value="Activate"' in page


def test_a_campaign_that_would_not_run_is_not_activated_by_a_crafted_post(publisher: Client) -> None:
    campaign = make_campaign()
    version = FormReader.of(publisher.get(status_url(campaign, "active"))).data
    before = stored()
    answer = publisher.post(status_url(campaign, "active"), version)
    assert "The campaign has no steps" in answer.context["refusal"]
    assert stored() == before


def test_a_campaign_is_duplicated_after_asking(editor: Client) -> None:
    campaign = make_campaign(status="active", steps=2, external_id="key")
    url = campaign_url(campaign.pk, "duplicate")
    assert Campaign.objects.count() == 1
    editor.get(url)
    assert Campaign.objects.count() == 1
    answer = editor.post(url)
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert answer.headers["Location"] == campaign_url(copy.pk)
    assert (copy.name, copy.status, copy.external_id, copy.steps.count()) == ("Welcome (copy)", "draft", None, 2)


def chosen(campaigns: list[Campaign], action: str) -> dict[str, object]:
    return {"action": action, "_selected_action": [str(campaign.pk) for campaign in campaigns]}


def test_a_list_action_asks_then_changes_one_by_one_and_reports_what_was_refused(publisher: Client) -> None:
    ready = make_campaign(steps=1, name="Ready")
    empty = make_campaign(name="Empty")
    done = make_campaign(steps=1, name="Done", status="completed")
    before = stored()
    page = publisher.post(reverse(LIST), chosen([ready, empty, done], "activate"))
    assert stored() == before
    assert {row["campaign"].name: row["refusal"] for row in page.context["rows"]} == {
        "Ready": "",
        "Empty": "The campaign has no steps: add at least one.",
        "Done": "A completed campaign can't become active. From here it can become archived.",
    }
    versions = json.loads(FormReader.of(page).data["shown"]) | {str(empty.pk): "x", str(done.pk): "x"}
    confirmed = {**chosen([ready, empty, done], "activate"), "shown": json.dumps(versions), "confirmed": "1"}

    answer = publisher.post(reverse(LIST), confirmed)

    assert dict(Campaign.objects.values_list("name", "status")) == {
        "Ready": "active",
        "Empty": "draft",
        "Done": "completed",
    }
    (said,) = messages_of(answer)
    assert said.startswith("1 campaign activated. 2 campaigns were left as they are: ")
    for refusal in (
        "“Done”: A completed campaign can't become active. From here it can become archived.",
        "“Empty”: The campaign isn't ready to be activated: The campaign has no steps: add at least one.",
    ):
        assert refusal in said


@pytest.mark.parametrize(
    ("action", "status", "target"),
    [("pause", "active", "paused"), ("complete", "paused", "completed"), ("archive", "draft", "archived")],
)
def test_each_list_action_takes_campaigns_to_its_status(
    publisher: Client, action: str, status: str, target: str
) -> None:
    campaigns = [make_campaign(steps=1, status=status, name=f"C{number}") for number in range(2)]
    page = publisher.post(reverse(LIST), chosen(campaigns, action))
    form = FormReader.of(page).data | chosen(campaigns, action)
    publisher.post(reverse(LIST), form)
    assert set(Campaign.objects.values_list("status", flat=True)) == {target}


def test_at_most_a_hundred_are_activated_at_once_and_all_of_a_list_paused(
    publisher: Client, django_assert_max_num_queries: Any
) -> None:
    Campaign.objects.bulk_create(Campaign(name=f"C{number}", status="active") for number in range(101))
    form = {"select_across": "1", "_selected_action": [str(Campaign.objects.all()[0].pk)]}
    answer = publisher.post(reverse(LIST), form | {"action": "activate"})
    (said,) = messages_of(answer)
    assert said.startswith("You chose 101 campaigns, and at most 100 are taken at once. Narrow the list")
    make_campaign(name="Draft")
    with django_assert_max_num_queries(15):
        page = publisher.post(reverse(LIST), form | {"action": "pause"})
    assert [(bool(group.refusal), len(group.rows)) for group in page.context["groups"]] == [(False, 101), (True, 1)]
    answer = publisher.post(reverse(LIST), FormReader.of(page).data)
    assert messages_of(answer)[-1] == "101 campaigns paused."
    assert Campaign.objects.filter(status="paused").count() == 101
