"""The rows of a campaign's page, in Chromium: what is dragged, typed and pressed is what is saved."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign, make_step

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_steps_are_moved_by_keyboard_and_by_buttons(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign()
    for position in (0, 10, 20):
        make_step(campaign, position)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        handle = emil.rows.nth(2).locator(".handle")
        handle.press("ArrowUp")
        handle = emil.page.locator(".handle:focus")
        handle.press("ArrowUp")
        expect(emil.page.locator("#step-status")).to_have_text("Step moved to place 1 of 3.")
        emil.rows.nth(1).locator(".down").click()
        assert emil.templates() == ["t20", "t10", "t0"]
        emil.click("Save")
    assert list(campaign.steps.order_by("position").values_list("position", "template_id")) == [
        (0, "t20"),
        (10, "t10"),
        (20, "t0"),
    ]


@pytest.mark.any_database
def test_escape_puts_a_row_back_and_leaves_nothing_unsaved(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=4)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        mouse, handle = emil.page.mouse, emil.rows.nth(3).locator(".handle")
        handle.hover()
        mouse.down()
        emil.rows.nth(0).locator(".handle").hover()
        expect(emil.field(0, "template_id")).to_have_value("t3")
        emil.page.keyboard.press("Escape")
        mouse.up()
        assert emil.templates() == ["t0", "t1", "t2", "t3"]
        for key in ("ArrowUp", "ArrowUp", "Escape"):
            emil.page.keyboard.press(key)
        expect(emil.page.locator("#step-status")).to_have_text("The step is back where it was.")
        assert emil.templates() == ["t0", "t1", "t2", "t3"]
        assert [emil.field(row, "position").input_value() for row in range(4)] == ["0", "1", "2", "3"]
        expect(handle).to_be_focused()
        asked: list[str] = []
        emil.page.on("dialog", lambda dialog: asked.append(dialog.type))
        emil.click("History")
        assert asked == []


def test_the_order_on_the_screen_is_the_order_that_is_saved(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=5)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.rows.nth(0).locator(".down").click()
        emil.rows.nth(1).locator(".down").click()
        emil.field(4, "delay_minutes_hours").fill("99999999")
        emil.click("Save")
        assert emil.templates() == ["t1", "t2", "t0", "t3", "t4"]
        emil.field(4, "delay_minutes_hours").fill("1")
        emil.rows.nth(3).locator(".down").click()
        assert emil.templates() == ["t1", "t2", "t0", "t4", "t3"]
        emil.click("Save")
    assert list(campaign.steps.order_by("position").values_list("template_id", flat=True)) == [
        "t1",
        "t2",
        "t0",
        "t4",
        "t3",
    ]


def test_a_typed_position_moves_its_row_and_is_kept(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=4)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.field(0, "position").fill("50")
        emil.field(0, "position").press("Tab")
        expect(emil.page.locator("#step-status")).to_have_text("Step moved to place 4 of 4.")
        assert emil.templates() == ["t1", "t2", "t3", "t0"]
        expect(emil.field(3, "delay_minutes_days")).to_be_focused()
        emil.rows.nth(0).locator(".down").click()
        emil.click("Save")
    assert list(campaign.steps.order_by("position").values_list("position", "template_id")) == [
        (1, "t2"),
        (2, "t1"),
        (3, "t3"),
        (50, "t0"),
    ]


def test_a_step_is_inserted_and_duplicated_and_ctrl_enter_saves(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign()
    for position in (0, 1, 5):
        make_step(campaign, position, delay_minutes=90, variables={"a": 1})
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.page.get_by_role("button", name="Insert a step before this step at position 1").click()
        emil.page.keyboard.type("new")
        emil.field(1, "template_version_id").fill("new-v1")
        emil.page.get_by_role("button", name="Duplicate step at position 2").click()
        assert emil.templates() == ["t0", "new", "t1", "t1", "t5"]
        with emil.page.expect_navigation():
            emil.field(3, "template_id").press("Control+Enter")
    assert list(campaign.steps.order_by("position").values_list("position", "template_id", "delay_minutes")) == [
        (0, "t0", 90),
        (1, "new", 0),
        (2, "t1", 90),
        (3, "t1", 90),
        (5, "t5", 90),
    ]
    assert campaign.steps.get(position=3).variables == {"a": 1}


@pytest.mark.any_database
def test_ctrl_enter_only_saves_wherever_the_focus_is(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=3)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        with emil.page.expect_navigation():
            emil.field(0, "DELETE").press("Control+Enter")
        assert emil.templates() == ["t0", "t1", "t2"]
        emil.field(1, "DELETE").press("Space")
        with emil.page.expect_navigation():
            emil.field(1, "DELETE").press("Control+Enter")
        assert emil.templates() == ["t0", "t2"]
        emil.field(0, "DELETE").press("Enter")
        emil.page.locator("#steps-heading").click()
        assert emil.page.locator("form :focus").count() == 0
        with emil.page.expect_navigation():
            emil.page.keyboard.press("Control+Enter")
        assert emil.templates() == ["t2"]


def test_a_taken_position_is_a_fault_with_a_button_that_makes_room(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=4)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.field(3, "position").fill("1")
        emil.click("Save")
        assert emil.templates() == ["t0", "t1", "t3", "t2"]
        expect(emil.rows.nth(2)).to_contain_text("t1 has position 1 too")
        expect(emil.rows.nth(2).locator(".errorlist")).to_have_css("background-color", "rgba(0, 0, 0, 0)")
        emil.page.get_by_role("button", name="Insert here and move the following steps down").click()
        assert emil.templates() == ["t0", "t3", "t1", "t2"]
        emil.click("Save")
    assert list(campaign.steps.order_by("position").values_list("position", "template_id")) == [
        (0, "t0"),
        (1, "t3"),
        (2, "t1"),
        (3, "t2"),
    ]


def test_a_drag_scrolls_on_while_the_pointer_holds_still(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=40)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        box = emil.rows.nth(0).locator(".handle").bounding_box()
        assert box
        emil.page.mouse.move(box["x"] + 5, box["y"] + 5)
        emil.page.mouse.down()
        emil.page.mouse.move(box["x"] + 5, 880, steps=3)
        expect(emil.rows.nth(39).locator("[name$='-template_id']")).to_have_value("t0")
        emil.page.mouse.up()
        emil.click("Save")
    assert campaign.steps.get(position=39).template_id == "t0"


def test_remove_stays_where_it_is_when_variables_open(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        label = emil.rows.nth(0).locator(".step-remove label")
        before = label.bounding_box()
        emil.rows.nth(0).locator("summary").click()
        expect(emil.field(0, "variables")).to_be_visible()
        assert label.bounding_box() == before


def test_the_picture_follows_edits_before_they_are_saved(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=2)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.field(1, "delay_minutes_days").fill("3")
        emil.rows.nth(0).locator(".down").click()
        expect(emil.page.locator("#timeline ol li")).to_contain_text(["t1, version t1-v1: 3 d after entering", "t0"])
        emil.rows.nth(0).get_by_text("Remove").click()
        expect(emil.page.locator("#timeline ol li")).to_have_count(1)
        emil.rows.nth(0).locator(".step-remove label").click()
        expect(emil.page.locator("#timeline ol li")).to_have_count(2)
    assert campaign.steps.get(position=1).template_id == "t1"
