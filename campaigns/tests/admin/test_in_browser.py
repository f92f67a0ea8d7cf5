"""What people do in the admin, done in Chromium. No page logs an error or asks another host for anything."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT, PUBLISH, VIEW
from campaigns.tests.admin.pages import LISTS_AND_FORMS, campaign_url
from campaigns.tests.factories import make_campaign, make_step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_campaign_is_written_ordered_mended_activated_paused_and_resumed(
    browser: Browser, live_server: LiveServer, client: APIClient
) -> None:
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.click("Add campaign")
        paula.page.get_by_label("Name").fill("Welcome")
        for template, hours in (("hello", 0), ("tips", 30), ("offer", 50), ("bye", 4)):
            paula.add_step(template, f"{template}-v1", hours=hours)
        paula.drag(3, 0)
        assert paula.templates() == ["bye", "hello", "tips", "offer"]
        paula.click("Save and continue editing")

        assert paula.templates() == ["bye", "hello", "tips", "offer"]
        campaign = Campaign.objects.get()
        answer = client.get(f"/v1/messaging/campaigns/{campaign.pk}/steps").json()
        assert [(step["position"], step["template_id"]) for step in answer["results"]] == [
            (0, "bye"),
            (1, "hello"),
            (2, "tips"),
            (3, "offer"),
        ]

        paula.rows.nth(1).get_by_text("Variables", exact=True).first.click()
        paula.field(1, "variables").fill('{"name": }')
        paula.page.get_by_label("Name").fill("Welcome series")
        paula.click("Save and continue editing")
        expect(paula.rows.nth(1)).to_contain_text("Expecting value at line 1 column 10")
        assert paula.field(1, "variables").input_value() == '{"name": }'
        paula.field(1, "variables").fill('{"name": "Ada"}')
        paula.click("Save and continue editing")
        assert campaign.steps.get(position=1).variables == {"name": "Ada"}

        paula.click("Activate")
        expect(paula.page.locator("h1")).to_have_text("Activate “Welcome series”?")
        paula.click("Activate")
        expect(paula.page.locator(".campaign-title .badge")).to_have_text("active")
        assert paula.rows.count() == 0
        assert paula.page.locator(".step-table li").count() == 4

        paula.click("Pause and edit")
        paula.click("Pause")
        paula.field(0, "delay_minutes_days").fill("2")
        paula.click("Save and resume")
        campaign.refresh_from_db()
        assert (campaign.name, campaign.status) == ("Welcome series", "active")
        assert campaign.steps.get(position=0).delay_minutes == 2 * 1440 + 4 * 60


def test_faults_are_listed_with_links_and_the_first_has_the_focus(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=20)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.field(3, "template_version_id").fill("")
        emil.field(19, "delay_minutes_hours").fill("-1")
        emil.click("Save")
        faults = emil.page.locator(".faults")
        expect(faults.get_by_role("link")).to_have_text(
            ["Step at position 3 (t3): Template version", "Step at position 19 (t19): Delay"]
        )
        first = emil.page.locator(":focus")
        expect(first).to_have_attribute("name", "steps-3-template_version_id")
        described = first.get_attribute("aria-describedby") or ""
        expect(emil.page.locator(f"#{described}")).to_have_text("This field is required.")
        faults.get_by_role("link").nth(1).click()
        second = emil.field(19, "delay_minutes_days")
        expect(second).to_be_focused()
        bar, box = emil.page.locator(".submit-row").bounding_box(), second.bounding_box()
        assert bar
        assert box
        assert 0 <= box["y"] < bar["y"] - box["height"]
        described = second.get_attribute("aria-describedby") or ""
        expect(emil.page.locator(f"#{described}")).to_have_text("Hours must be 0 or more.")


def test_what_blocks_and_what_is_only_unusual_are_told_apart_by_words(
    browser: Browser, live_server: LiveServer
) -> None:
    campaign = make_campaign()
    make_step(campaign, 0, delay_minutes=366 * 1440)
    make_step(campaign, 1, delay_minutes=11 * 365 * 1440)
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        for path in (campaign_url(campaign.pk), f"/admin/campaigns/campaign/{campaign.pk}/status/active/"):
            paula.open(path)
            for words, message in (
                ("In the way of an activation", "longer than ten years"),
                ("Unusual, and no hindrance", "longer than a year"),
            ):
                heading = paula.page.get_by_role("heading", name=words)
                expect(heading.locator("+ ul")).to_contain_text(message)


def test_the_enter_key_saves_and_does_nothing_more(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(status="paused", steps=1)
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.open(campaign_url(campaign.pk))
        paula.page.get_by_label("Name").fill("Renamed")
        paula.page.get_by_label("Name").press("Enter")
        expect(paula.page.locator(".messagelist")).to_contain_text("was changed successfully")
    campaign.refresh_from_db()
    assert (campaign.name, campaign.status) == ("Renamed", "paused")


def test_a_viewer_finds_nothing_to_change(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=2)
    with person(browser, live_server.url, "vera", *VIEW) as vera:
        expect(vera.page.get_by_role("link", name="Add campaign")).to_have_count(0)
        expect(vera.page.locator("#changelist-form select")).to_have_count(0)
        vera.open(campaign_url(campaign.pk))
        assert vera.page.locator("main input:not([type=hidden]), main textarea, main select").count() == 0
        assert vera.page.locator(".campaign-tools a").all_text_contents() == ["History"]
        assert [text.split(",")[0] for text in vera.drawn()] == ["Position 0: t0", "Position 1: t1"]


@pytest.mark.parametrize("width", [1280, 1101, 390])
def test_no_page_scrolls_sideways(browser: Browser, live_server: LiveServer, width: int) -> None:
    campaign = make_campaign(name="W" * 200, external_id="x" * 255)
    make_step(campaign, 0, template_id="t" * 255, template_version_id="v" * 255, variables={"a" * 300: "b" * 300})
    make_step(campaign, 2_147_483_647, delay_minutes=2_147_483_647)
    active = make_campaign(name="Active", status="active", steps=3)
    with person(browser, live_server.url, "paula", *PUBLISH, width=width) as paula:
        for path in (
            *LISTS_AND_FORMS,
            campaign_url(campaign.pk),
            campaign_url(campaign.pk, "history"),
            campaign_url(active.pk),
            campaign_url(active.pk, "duplicate"),
        ):
            paula.open(path)
            assert (path, paula.width()) == (path, width)
            results = paula.page.locator("#changelist .results")
            assert all(each.evaluate("box => box.scrollWidth <= box.clientWidth") for each in results.all())
            assert all(each.is_visible() for each in paula.page.locator("#action-toggle").all())
            if width == 1280:  # the navigation and the filters leave half of it
                assert all(each.is_visible() for each in paula.page.locator("#result_list thead th").all())


def test_steps_are_added_without_javascript(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT, java_script_enabled=False) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.page.get_by_label("Name").fill("Typed before")
        emil.click("Add rows for three steps")
        expect(emil.page.locator("button[type=button]:visible, #toggle-nav-sidebar:visible")).to_have_count(0)
        emil.field(0, "DELETE").check()
        for name, value in (("template_id", "new"), ("template_version_id", "v1")):
            emil.field(2, name).fill(value)
        assert campaign.steps.count() == 1
        emil.click("Save")
        emil.open(campaign_url(campaign.pk, "delete"))
        emil.click("No, take me back")
        expect(emil.page.get_by_label("Name")).to_have_value("Typed before")
    campaign.refresh_from_db()
    assert campaign.name == "Typed before"
    assert list(campaign.steps.values_list("position", "template_id")) == [(2, "new")]


def test_leaving_with_unsaved_edits_is_asked_about(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        asked: list[str] = []
        emil.page.on("dialog", lambda dialog: asked.append(dialog.type))
        emil.field(0, "template_id").fill("typed")
        emil.click("History")
        emil.page.wait_for_url("**/history/")
        assert asked == ["beforeunload"]


def test_leaving_a_steps_page_with_unsaved_edits_is_asked_about(browser: Browser, live_server: LiveServer) -> None:
    step = make_step(make_campaign())
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(f"/admin/campaigns/campaignstep/{step.pk}/change/")
        asked: list[str] = []
        emil.page.on("dialog", lambda dialog: asked.append(dialog.type))
        emil.page.locator("#id_template_id").fill("typed")
        emil.click("Open the campaign")
        emil.page.wait_for_url("**/campaign/*/change/?at=*")
        assert asked == ["beforeunload"]


def test_who_types_right_away_on_a_new_page_writes_the_name(browser: Browser, live_server: LiveServer) -> None:
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open("/admin/campaigns/campaign/add/")
        emil.page.keyboard.type("Welcome to us all")
        expect(emil.page.get_by_label("Name")).to_have_value("Welcome to us all")
        assert emil.page.url.endswith("/campaign/add/")
        assert not Campaign.objects.exists()
        with emil.page.expect_navigation():
            emil.page.keyboard.press("Enter")
        expect(emil.page.locator(".messagelist")).to_contain_text("You may edit it again below")
    assert Campaign.objects.get().name == "Welcome to us all"


def test_a_step_is_added_to_a_campaign_that_is_chosen_from_the_list(browser: Browser, live_server: LiveServer) -> None:
    campaigns = [make_campaign(name=f"Campaign {number}") for number in range(30)]
    make_campaign(name="Live campaign", status="active")
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open("/admin/campaigns/campaignstep/add/")
        emil.page.locator(".field-campaign .select2-selection").click()
        options = emil.page.locator(
            ".select2-results__option:not(.loading-results, .select2-results__option--load-more)"
        )
        expect(options).to_have_count(20)
        options.last.scroll_into_view_if_needed()
        expect(options).to_have_count(30)
        emil.page.locator(".select2-search__field").fill("campaign 7")
        expect(options).to_have_text(["Campaign 7"])
        options.first.click()
        for name, value in (("position", "3"), ("template_id", "hello"), ("template_version_id", "hello-v1")):
            emil.page.locator(f"#id_{name}").fill(value)
        emil.click("Save")
    assert campaigns[7].steps.get().fields == (3, "hello", "hello-v1", 0, {})


def test_drafts_are_deleted_from_the_list_and_live_campaigns_stay(browser: Browser, live_server: LiveServer) -> None:
    make_campaign(name="Old draft", steps=2)
    make_campaign(name="Live", status="active", steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.page.get_by_label("Select all objects on this page for an action").check()
        emil.page.get_by_label("Action:").select_option(label="Delete selected campaigns…")
        emil.click("Go")
        expect(emil.page.locator("h1")).to_have_text("Delete 1 campaign?")
        expect(emil.page.locator(".confirm-rows li", has_text="Live")).to_contain_text("Will be left as it is.")
        emil.click("Delete 1 campaign")
        expect(emil.page.locator(".messagelist")).to_contain_text("1 campaign deleted.")
    assert list(Campaign.objects.values_list("name", flat=True)) == ["Live"]
