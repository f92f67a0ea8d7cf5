"""The first page: what was worked on last, what is live, and what waits on a fault."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import lifecycle
from campaigns.admin.overview import COUNTED, SHOWN, overview
from campaigns.models import Campaign
from campaigns.steps import add_step
from campaigns.tests.admin.conftest import Login
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_fields

pytestmark = pytest.mark.django_db
INDEX = "/admin/"


def draft(name: str, steps: int = 1) -> Campaign:
    return lifecycle.create_campaign(name=name, actor=ACTOR, steps=[step_fields(position) for position in range(steps)])


def test_drafts_stand_in_the_order_in_which_they_were_last_touched() -> None:
    first, *_ = [draft(f"Draft {number}") for number in range(SHOWN + 1)]
    add_step(first.pk, step_fields(9), actor=ACTOR)
    activated = draft("Active by now")
    lifecycle.change_status(activated.pk, "active", actor=ACTOR)
    assert [campaign.name for campaign in overview().drafts] == ["Draft 0", "Draft 5", "Draft 4", "Draft 3", "Draft 2"]


def test_what_is_active_is_counted_and_the_newest_are_named() -> None:
    for number in range(SHOWN + 1):
        make_campaign(name=f"Live {number}", status="active", steps=1)
    shown = overview()
    assert shown.active_count == "6"
    assert [campaign.name for campaign in shown.active] == ["Live 5", "Live 4", "Live 3", "Live 2", "Live 1"]
    Campaign.objects.bulk_create([Campaign(name="Live", status="active") for _ in range(COUNTED)])
    assert overview().active_count == f"more than {COUNTED}"


def test_what_can_not_be_activated_is_named_with_its_fault() -> None:
    draft("Ready")
    draft("Empty", steps=0)
    make_step(draft("Endless"), 5, delay_minutes=11 * 365 * 1440)
    assert [(campaign.name, fault) for campaign, fault in overview().faulty] == [
        ("Endless", "The campaign lasts 4015 days, longer than ten years: shorten its delays."),
        ("Empty", "The campaign has no steps: add at least one."),
    ]


def test_the_first_page_leads_to_them_and_costs_few_queries(editor: Client) -> None:
    campaign = draft("Empty", steps=0)
    editor.get(INDEX)
    with CaptureQueriesContext(connection) as queries:
        page = editor.get(INDEX).content.decode()
    assert page.count(f'<a href="{campaign_url(campaign.pk)}">Empty</a>') == 2
    assert len(queries) <= 15


def test_who_may_not_see_campaigns_sees_none(login: Login) -> None:
    draft("Secret plan")
    assert "Secret plan" not in login("otto").get(INDEX).content.decode()


def test_the_page_of_other_sections_shows_sections_alone(admin_client: Client) -> None:
    draft("Welcome")
    assert "Welcome</a>" in admin_client.get(INDEX).content.decode()
    assert "Welcome</a>" not in admin_client.get("/admin/auth/").content.decode()


def test_the_sections_stand_in_the_order_of_use(admin_client: Client) -> None:
    apps = admin_client.get(INDEX).context["app_list"]
    assert [[model["object_name"] for model in app["models"]] for app in apps] == [
        ["Campaign", "CampaignStep", "HistoryEntry"],
        ["User", "Group"],
    ]


def test_no_way_back_names_campaigns_twice(admin_client: Client) -> None:
    campaign = make_campaign(name="Welcome", steps=1)
    step = campaign.steps.get()
    for url in (
        reverse("admin:campaigns_campaign_changelist"),
        reverse("admin:campaigns_campaign_add"),
        campaign_url(campaign.pk),
        campaign_url(campaign.pk, "history"),
        campaign_url(campaign.pk, "delete"),
        campaign_url(campaign.pk, "duplicate"),
        reverse("admin:campaigns_campaign_status", args=[campaign.pk, "active"]),
        reverse("admin:campaigns_campaignstep_changelist"),
        reverse("admin:campaigns_campaignstep_change", args=[step.pk]),
        reverse("admin:campaigns_historyentry_changelist"),
    ):
        page = admin_client.get(url).content.decode()
        crumbs = re.search(r'<div class="breadcrumbs">(.*?)</div>', page, re.DOTALL)
        assert crumbs
        assert len(re.findall(r"(?:>|&rsaquo;)\s*Campaigns\b", crumbs[1])) <= 1, url
