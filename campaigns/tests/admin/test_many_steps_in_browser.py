"""A campaign of many steps, in Chromium: its pages are edited like small campaigns, and its steps are found."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign
from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT, VIEW
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def order(campaign: Campaign) -> list[str]:
    return list(campaign.steps.order_by("position").values_list("template_id", flat=True))


def test_a_step_is_found_changed_on_its_page_and_moved_to_another(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=350)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.page.get_by_label("Find steps").fill("t247-v1")
        emil.click("Find")
        expect(emil.page.get_by_role("status").first).to_have_text("1 of 350 steps matches “t247-v1”.")
        emil.click("t247 · t247-v1")
        assert emil.templates() == [f"t{position}" for position in range(200, 300)]
        expect(emil.rows.nth(47)).to_be_in_viewport()
        expect(emil.page.locator("#timeline")).to_contain_text("100 of 350 steps")

        emil.field(47, "delay_minutes_days").fill("2")
        emil.rows.nth(0).locator(".down").click()
        expect(emil.page.locator("#timeline ol li").nth(1)).to_contain_text("Position 201: t200, ")
        expect(emil.page.locator("#timeline figcaption")).to_contain_text("100 of 350 steps, from the start to 2 d")
        emil.click("Save and continue editing")
        assert emil.templates()[:2] == ["t201", "t200"]

        emil.field(47, "position").fill("12")
        emil.click("Save and continue editing")
        expect(emil.page.locator(".faults")).to_contain_text("t12, on another page, has position 12.")
        emil.click("Insert here, move the following steps down, and save")
        assert emil.page.locator(".faults").count() == 0
        emil.click("First")
        assert emil.templates()[11:14] == ["t11", "t247", "t12"]
    names = [f"t{position}" for position in range(350) if position not in (200, 201, 247)]
    assert order(campaign) == [*names[:12], "t247", *names[12:200], "t201", "t200", *names[200:]]


def test_a_search_is_no_unsaved_change_and_rows_lead_to_their_pages(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(status="active", steps=350)
    asked: list[str] = []
    with person(browser, live_server.url, "vera", *EDIT, *VIEW) as vera:
        vera.page.on("dialog", lambda dialog: asked.append(dialog.type))
        vera.open(campaign_url(campaign.pk) + "?p=3")
        vera.page.get_by_label("Find steps").fill("205")
        vera.page.keyboard.press("Enter")
        vera.page.wait_for_url("**q=205**")
        vera.click("t205 · t205-v1")
        vera.click("t205")
        expect(vera.page.locator(".field-template_id")).to_contain_text("t205")
        vera.click("Open the campaign")
        expect(vera.page.locator(".step-table li:target")).to_contain_text("t205")
        vera.click("Next")
        expect(vera.page.locator(".step-pager span").first).to_have_text("Steps 301-350 of 350")
    assert asked == []
