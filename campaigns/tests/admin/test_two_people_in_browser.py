"""Two people at the same campaign, each at a browser of their own."""

import re

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT, PUBLISH
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign

NAMES = "buttons => buttons.map(button => button.name)"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_two_people_edit_at_once_and_neither_edit_is_lost(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=2)
    with (
        person(browser, live_server.url, "emil", *EDIT) as emil,
        person(browser, live_server.url, "erna", *EDIT) as erna,
    ):
        for someone in (emil, erna):
            someone.open(campaign_url(campaign.pk))
        emil.field(0, "template_id").fill("emils")
        emil.click("Save and continue editing")
        erna.field(1, "template_id").fill("ernas")
        erna.click("Save")

        conflict = erna.page.locator(".conflict")
        expect(conflict).to_contain_text("the campaign was changed meanwhile")
        expect(conflict).to_contain_text(re.compile(r"emil\s+changed a step: position 0 \(t0\)"))
        assert erna.templates() == ["emils", "ernas"]
        assert campaign.steps.get(position=1).template_id == "t1"
        assert set(erna.page.locator("#campaign_form :is(button, input)[type=submit]").evaluate_all(NAMES)) == {
            "_overwrite"
        }
        with erna.page.expect_navigation():
            erna.page.keyboard.press("Control+Enter")
        expect(conflict).to_have_count(0)
    assert list(campaign.steps.order_by("position").values_list("template_id", flat=True)) == ["emils", "ernas"]


def test_two_people_change_one_field_and_the_second_chooses(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with (
        person(browser, live_server.url, "emil", *EDIT) as emil,
        person(browser, live_server.url, "erna", *EDIT) as erna,
    ):
        for someone, name, days in ((emil, "Emils", "2"), (erna, "Ernas", "3")):
            someone.open(campaign_url(campaign.pk))
            someone.page.get_by_label("Name").fill(name)
            someone.field(0, "delay_minutes_days").fill(days)
        emil.click("Save and continue editing")
        erna.click("Save and continue editing")
        choices = erna.page.get_by_role("group", name="Both of you changed")
        expect(choices).to_have_count(2)
        expect(choices.nth(1)).to_contain_text("3 d")
        expect(choices.nth(1)).to_contain_text("2 d")
        choices.nth(1).get_by_label("Take theirs").check()
        erna.click("Save the merged page")
    campaign.refresh_from_db()
    assert (campaign.name, campaign.steps.get().delay_minutes) == ("Ernas", 2 * 1440)


def test_nobody_activates_steps_that_a_colleague_changed_after_they_looked(
    browser: Browser, live_server: LiveServer
) -> None:
    campaign = make_campaign(steps=2)
    with (
        person(browser, live_server.url, "paula", *PUBLISH) as paula,
        person(browser, live_server.url, "emil", *EDIT) as emil,
    ):
        for someone in (paula, emil):
            someone.open(campaign_url(campaign.pk))
        emil.field(0, "template_id").fill("emils")
        emil.click("Save")
        paula.click("Activate")
        expect(paula.page.locator(".errornote")).to_contain_text("It was changed while you had it open")
        expect(paula.page.locator(".step-table")).to_contain_text("emils")
        expect(paula.page.get_by_role("button", name="Activate")).to_have_count(0)
        paula.click("Back to the campaign")
        paula.click("Activate")
        expect(paula.page.locator(".timeline")).to_contain_text("emils")
        paula.click("Activate")
        expect(paula.page.locator(".campaign-title .badge")).to_have_text("active")
