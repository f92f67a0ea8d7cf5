"""The staff pages show campaigns, steps and history, and write nothing."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.history import Action, Actor, ActorType, HistoryEntry
from campaigns.lifecycle import create_campaign
from campaigns.models import Campaign
from campaigns.rules import StepFields
from campaigns.sequence import add_step

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    actor = Actor(ActorType.COMMAND, "test", "test")
    campaign = create_campaign(name="Welcome series", external_id="crm-1", description="", actor=actor)
    add_step(campaign.id, StepFields(0, "tpl-hello", "v7", 90, {"name": "Ada"}), actor=actor)
    return campaign


def test_the_pages_show_what_is_stored(admin_client: Client, campaign: Campaign) -> None:
    pages = {
        reverse("admin:campaigns_campaign_changelist"): ["Welcome series", "crm-1"],
        reverse("admin:campaigns_campaign_change", args=[campaign.pk]): ["Welcome series", "tpl-hello", "v7", "Ada"],
        reverse("admin:campaigns_campaignstep_changelist"): ["Welcome series", "tpl-hello", "v7"],
        reverse("admin:campaigns_historyentry_changelist"): [Action.CAMPAIGN_CREATED.label, Action.STEP_ADDED.label],
    }
    for url, texts in pages.items():
        page = admin_client.get(url).content.decode()
        assert [text for text in texts if text not in page] == []


@pytest.mark.parametrize("model", ["campaign", "campaignstep", "historyentry"])
def test_nothing_can_be_added(admin_client: Client, model: str) -> None:
    assert admin_client.post(reverse(f"admin:campaigns_{model}_add"), {"name": "x"}).status_code == 403
    assert (Campaign.objects.count(), HistoryEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize("action", ["change", "delete"])
def test_nothing_can_be_changed_or_deleted(admin_client: Client, campaign: Campaign, action: str) -> None:
    objects = {"campaign": campaign, "campaignstep": campaign.steps.get(), "historyentry": HistoryEntry.objects.first()}
    for model, row in objects.items():
        assert row is not None
        url = reverse(f"admin:campaigns_{model}_{action}", args=[row.pk])
        answer = admin_client.post(url, {"post": "yes", "name": "Changed", "position": 5})
        assert answer.status_code == 403
    campaign.refresh_from_db()
    assert (campaign.name, campaign.steps.get().position, HistoryEntry.objects.count()) == ("Welcome series", 0, 2)
