"""A person's day at one campaign, from the first page to the archive, with its clicks counted."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign, CampaignStep
from campaigns.steps import change_step
from campaigns.tests.admin.browser import Person, person
from campaigns.tests.admin.conftest import PUBLISH
from campaigns.tests.factories import ACTOR, history_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MAX_CLICKS = 40
# Keys that press a button have no detail. What a tab stores outlives its pages.
COUNT = """
addEventListener("click", (event) => {
    if (event.detail > 0) {
        sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
    }
}, { capture: true });
"""
SAVE = "Save and continue editing"


def stored_templates(campaign: Campaign) -> list[str]:
    return list(campaign.steps.order_by("position").values_list("template_id", flat=True))


def write_with_two_faults(paula: Person) -> Campaign:
    """A campaign with eight steps; two of them are mended where the page says so."""
    paula.click("New campaign")
    paula.page.keyboard.type("Welcome")
    for number in range(8):
        paula.add_step(f"t{number}", f"t{number}-v1", hours=number)
    paula.field(2, "template_version_id").fill("")
    paula.field(6, "delay_minutes_hours").fill("-6")
    paula.click(SAVE)
    expect(paula.page.locator(".faults li")).to_have_count(2)
    paula.page.keyboard.type("t2-v1")  # the first fault has the focus
    paula.page.locator(".faults a").nth(1).click()
    paula.field(6, "delay_minutes_hours").fill("6")
    paula.click(SAVE)
    return Campaign.objects.get()


def insert_and_duplicate(paula: Person) -> None:
    paula.page.get_by_role("button", name="Insert a step before this step at position 4 (t4)").click()
    paula.page.keyboard.type("inserted")
    paula.field(4, "template_version_id").fill("inserted-v1")
    paula.page.get_by_role("button", name="Duplicate step at position 1 (t1)").click()
    paula.field(2, "template_id").fill("copied")
    paula.click(SAVE)


def meet_a_colleague(paula: Person, campaign: Campaign) -> None:
    last = CampaignStep.objects.get(campaign=campaign, template_id="t7")
    change_step(campaign.pk, last.pk, {"template_id": "theirs"}, actor=ACTOR)
    paula.field(0, "template_id").fill("mine")
    paula.click(SAVE)
    expect(paula.page.locator(".conflict")).to_contain_text("tests changed a step: position 9 (t7)")
    paula.click("Save the merged page")
    paula.click("Welcome")


def run(paula: Person) -> None:
    """Activate, pause, edit, resume, and archive."""
    paula.click("Activate")
    paula.click("Activate")
    paula.click("Pause and edit")
    paula.click("Pause")
    paula.field(0, "delay_minutes_days").fill("1")
    paula.click("Save and resume")
    paula.click("Welcome")
    for verb in ("Complete", "Archive"):
        paula.click(verb)
        paula.click(verb)


def test_a_day_takes_forty_clicks_or_fewer(browser: Browser, live_server: LiveServer) -> None:
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.page.add_init_script(COUNT)
        paula.open("/admin/")
        campaign = write_with_two_faults(paula)
        assert stored_templates(campaign) == [f"t{number}" for number in range(8)]
        insert_and_duplicate(paula)
        meet_a_colleague(paula, campaign)
        templates = ["mine", "t1", "copied", "t2", "t3", "inserted", "t4", "t5", "t6", "theirs"]
        assert stored_templates(campaign) == templates
        run(paula)
        expect(paula.page.locator(".campaign-title .badge")).to_have_text("archived")
        clicks = int(paula.page.evaluate("sessionStorage.clicks"))
    assert 20 <= clicks <= MAX_CLICKS
    assert [entry["action"] for entry in history_of(campaign)] == [
        "campaign.created",
        "steps.shifted",
        "step.added",
        "step.added",
        "step.changed",
        "step.changed",
        "campaign.activated",
        "campaign.paused",
        "step.changed",
        "campaign.activated",
        "campaign.completed",
        "campaign.archived",
    ]
    assert campaign.steps.get(template_id="mine").delay_minutes == 24 * 60
