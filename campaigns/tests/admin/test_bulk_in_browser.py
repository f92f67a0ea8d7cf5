"""Work on many steps at once, in Chromium."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import CampaignStep
from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT
from campaigns.tests.factories import make_campaign, new_step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_version_is_replaced_in_all_steps_of_a_search(browser: Browser, live_server: LiveServer) -> None:
    campaigns = [make_campaign(name=f"C{number}") for number in range(3)]
    CampaignStep.objects.bulk_create(
        new_step(campaign, position, template_version_id="old") for campaign in campaigns for position in range(150)
    )
    make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open("/admin/campaigns/campaignstep/?q=old")
        emil.page.locator("#action-toggle").check()
        emil.page.get_by_role("button", name="Select all campaign steps of this list, more than 300").click()
        emil.page.locator("select[name=action]").select_option("replace_template_version")
        emil.click("Go")
        emil.page.get_by_label("New template version").fill("new")
        emil.click("Preview")
        expect(emil.page.locator(".confirm-rows li")).to_have_count(3)
        expect(emil.page.locator(".confirm-rows li").first).to_contain_text("C2, 150 steps old (150) → new")
        back = emil.page.get_by_role("link", name="Back to the list")
        assert (back.get_attribute("href") or "").endswith("?q=old")
        emil.click("Replace in 450 steps")
        expect(emil.page.locator(".messagelist li")).to_have_text(["450 steps now use new."])
        assert emil.page.url.endswith("?q=old")
    assert CampaignStep.objects.filter(template_version_id="new").count() == 450
