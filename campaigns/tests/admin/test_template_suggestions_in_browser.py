"""Template ids and versions are completed while they are typed, in Chromium."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.django_db(transaction=True)]
ADD_STEP = "/admin/campaigns/campaignstep/add/"


def test_what_is_typed_is_completed(browser: Browser, live_server: LiveServer, settings: Settings) -> None:
    settings.TEMPLATE_CATALOGUE = "campaigns.catalogue.memory.demo"
    campaign = make_campaign()
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.add_step("tmpl_trial_", "")
        template, version = emil.field(0, "template_id"), emil.field(0, "template_version_id")
        template.press("End")
        template.type("o")
        expect(suggested(emil.page)).to_have_count(1)
        assert values(suggested(emil.page)) == ["tmpl_trial_offer"]
        assert template.get_attribute("list") == "template-suggestions"
        template.fill("tmpl_trial_offer")
        version.focus()
        expect(suggested(emil.page)).to_have_count(2)
        assert values(suggested(emil.page)) == ["tmpl_trial_offer_v2", "tmpl_trial_offer_v1"]

        emil.open(ADD_STEP)
        emil.page.get_by_label("Template:").fill("tmpl_w")
        expect(suggested(emil.page)).to_have_count(1)
        assert values(suggested(emil.page)) == ["tmpl_welcome"]


def suggested(page: Page) -> Locator:
    return page.locator("#template-suggestions option")


def values(options: Locator) -> list[str]:
    return [str(option.get_attribute("value")) for option in options.all()]
