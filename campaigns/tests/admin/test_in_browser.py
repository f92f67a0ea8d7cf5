"""What people do in the admin, done in Chromium. No page logs an error or asks another host for anything."""

import re

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.admin.browser import person
from campaigns.tests.admin.conftest import EDIT, PUBLISH, VIEW
from campaigns.tests.admin.pages import campaign_url
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


def test_a_taken_position_is_a_fault_with_a_button_that_makes_room(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=4)
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.field(3, "position").fill("1")
        emil.click("Save")
        assert emil.templates() == ["t0", "t1", "t3", "t2"]
        expect(emil.rows.nth(2)).to_contain_text("t1 has position 1 too")
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
        expect(emil.page.locator(f"#{described}")).to_contain_text("greater than or equal to 0")


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
        expect(conflict).to_contain_text(re.compile(r"emil\s+changed the steps"))
        assert erna.templates() == ["emils", "ernas"]
        assert campaign.steps.get(position=1).template_id == "t1"
        erna.click("Save")
        expect(conflict).to_contain_text(re.compile(r"emil\s+changed the steps"))
        erna.click("Save the merged page")
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


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_scrolls_sideways(browser: Browser, live_server: LiveServer, width: int) -> None:
    campaign = make_campaign(name="W" * 200, external_id="x" * 255)
    make_step(campaign, 0, template_id="t" * 255, template_version_id="v" * 255, variables={"a" * 300: "b" * 300})
    make_step(campaign, 2_147_483_647, delay_minutes=2_147_483_647)
    active = make_campaign(name="Active", status="active", steps=3)
    with person(browser, live_server.url, "paula", *PUBLISH, width=width) as paula:
        for path in (
            "/admin/",
            "/admin/campaigns/campaign/",
            "/admin/campaigns/campaign/add/",
            "/admin/campaigns/campaignstep/",
            "/admin/campaigns/campaignstep/add/",
            campaign_url(campaign.pk),
            campaign_url(campaign.pk, "history"),
            campaign_url(active.pk),
            campaign_url(active.pk, "duplicate"),
        ):
            paula.open(path)
            assert (path, paula.width()) == (path, width)
            results = paula.page.locator("#changelist .results")
            assert all(each.evaluate("box => box.scrollWidth <= box.clientWidth") for each in results.all())


def test_steps_are_added_without_javascript(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    with person(browser, live_server.url, "emil", *EDIT, java_script_enabled=False) as emil:
        emil.open(campaign_url(campaign.pk))
        emil.page.get_by_label("Name").fill("Typed before")
        emil.click("Add rows for three steps")
        for name, value in (("position", "4"), ("template_id", "new"), ("template_version_id", "v1")):
            emil.field(2, name).fill(value)
        assert campaign.steps.count() == 1
        emil.click("Save")
    campaign.refresh_from_db()
    assert campaign.name == "Typed before"
    assert list(campaign.steps.order_by("position").values_list("position", "template_id")) == [(0, "t0"), (4, "new")]


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
        emil.page.wait_for_url("**/campaign/*/change/")
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
