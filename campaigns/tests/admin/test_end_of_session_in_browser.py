"""A session that ends while somebody types: the login leads back to what was typed, and shows it to nobody else."""

import time

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign
from campaigns.steps import change_step
from campaigns.tests.admin.browser import PASSWORD, Person, person
from campaigns.tests.admin.conftest import EDIT
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import ACTOR, make_campaign, make_step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEPT = "sessionStorage.length"
SECRET = '{\n  "offer": "half price"\n}'


def wait_until_kept(somebody: Person, count: int) -> None:
    """Asked from here: Playwright's own waiting evaluates text in the page, which our policy forbids."""
    deadline = time.monotonic() + 10
    while somebody.page.evaluate(KEPT) != count:
        assert time.monotonic() < deadline


def typed_after_the_end(someone: Person, campaign: Campaign) -> None:
    """Fill in the campaign's page, lose the session, and save."""
    someone.open(campaign_url(campaign.pk))
    someone.page.get_by_label("Name").fill("Typed name")
    someone.add_step("new", "new-v1", hours=5)
    someone.rows.nth(1).locator("summary").click()
    someone.field(1, "variables").fill(SECRET)
    Session.objects.all().delete()
    someone.click("Save")
    expect(someone.page.locator("#login-form")).to_be_visible()


def forgive(someone: Person, status: int) -> None:
    """A failed answer that the test is about isn't a fault."""
    assert any(str(status) in fault for fault in someone.faults)
    someone.faults[:] = [fault for fault in someone.faults if str(status) not in fault]


def test_saving_after_the_end_leads_to_the_login_and_back_to_what_was_typed(
    browser: Browser, live_server: LiveServer
) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        typed_after_the_end(emil, campaign)
        emil.give_password("emil")
        expect(emil.page.locator(".messagelist")).to_contain_text("Not saved yet. Below is what you typed")
        expect(emil.page.get_by_label("Name")).to_have_value("Typed name")
        expect(emil.field(1, "variables")).to_have_value(SECRET)
        wait_until_kept(emil, 0)
        campaign.refresh_from_db()
        assert (campaign.name, campaign.steps.count()) == ("Welcome", 1)
        emil.click("Save and continue editing")
        expect(emil.page.locator(".messagelist")).to_contain_text("was changed successfully")
    campaign.refresh_from_db()
    assert campaign.name == "Typed name"
    assert campaign.steps.get(position=1).fields == (1, "new", "new-v1", 300, {"offer": "half price"})


def test_a_new_campaign_is_typed_once(browser: Browser, live_server: LiveServer) -> None:
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open("/admin/campaigns/campaign/add/")
        emil.page.get_by_label("Name").fill("Typed name")
        emil.add_step("new", "new-v1")
        Session.objects.all().delete()
        emil.click("Save")
        emil.give_password("emil")
        assert emil.templates() == ["new"]
        emil.click("Save")
    assert Campaign.objects.get().steps.get().template_id == "new"


def test_a_single_step_is_typed_once(browser: Browser, live_server: LiveServer) -> None:
    step = make_step(make_campaign())
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(f"/admin/campaigns/campaignstep/{step.pk}/change/")
        emil.page.locator("#id_template_id").fill("typed")
        Session.objects.all().delete()
        emil.click("Save")
        emil.give_password("emil")
        expect(emil.page.locator("#id_template_id")).to_have_value("typed")
        emil.click("Save")
    step.refresh_from_db()
    assert step.template_id == "typed"


def test_what_a_colleague_saved_meanwhile_is_merged_with_it(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        typed_after_the_end(emil, campaign)
        change_step(campaign.pk, campaign.steps.get().pk, {"template_id": "theirs"}, actor=ACTOR)
        emil.give_password("emil")
        expect(emil.page.locator(".conflict")).to_contain_text("the campaign was changed meanwhile")
        assert emil.templates() == ["theirs", "new"]
        emil.click("Save the merged page")
    assert list(campaign.steps.order_by("position").values_list("template_id", flat=True)) == ["theirs", "new"]


def test_another_user_never_sees_it(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    other = User.objects.create_user("erna", password=PASSWORD, is_staff=True)
    other.user_permissions.set(Permission.objects.filter(codename__in=EDIT))
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        typed_after_the_end(emil, campaign)
        emil.give_password("erna")
        expect(emil.page.get_by_label("Name")).to_have_value("Welcome")
        wait_until_kept(emil, 0)
        assert "half price" not in emil.page.content()


def test_a_logout_drops_it_in_every_tab(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        typed_after_the_end(emil, campaign)
        wait_until_kept(emil, 1)
        other_tab = Person.in_context(emil.page.context, emil.base)
        other_tab.log_in("emil")
        other_tab.click("Log out")
        wait_until_kept(emil, 0)


def test_a_save_that_arrived_is_kept_no_longer(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.page.get_by_label("Name").fill("Saved")
        emil.click("Save and continue editing")
        expect(emil.page.locator(".messagelist")).to_contain_text("was changed successfully")
        wait_until_kept(emil, 0)


def test_a_page_that_lost_its_key_leads_back_to_what_was_typed(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        answers: list[str] = []
        emil.page.on("response", lambda got: answers.append(got.url))
        Session.objects.all().delete()
        with emil.page.expect_response(lambda got: "/timeline/" in got.url):  # a picture, which it doesn't get
            emil.page.get_by_label("Name").fill("Typed name")
        Person.in_context(emil.page.context, emil.base).log_in("emil")  # in another tab: the key is another one now
        emil.click("Save")
        expect(emil.page.locator("h1")).to_contain_text("Nothing was saved")
        forgive(emil, 403)
        emil.click("go back to it")
        expect(emil.page.get_by_label("Name")).to_have_value("Typed name")
        emil.click("Save")
    assert not [url for url in answers if "/login/" in url]
    campaign.refresh_from_db()
    assert campaign.name == "Typed name"
