"""No page of the project breaks WCAG 2.2 A or AA as far as axe-core can tell, and each control has a name of its own.

Left out are pages that aren't ours: Swagger UI at /docs, and Django's own pages of users and groups.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaigns import lifecycle
from campaigns.models import Campaign
from campaigns.steps import change_step
from campaigns.tests.admin.browser import Person, person
from campaigns.tests.admin.conftest import PUBLISH
from campaigns.tests.admin.pages import LISTS_AND_FORMS, campaign_url
from campaigns.tests.factories import ACTOR, make_campaign, make_step

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.django_db(transaction=True)]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ALL_RULES = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "preload": False}
# What a theme can change: no rule but these looks at colours.
COLOUR_RULES = {**ALL_RULES, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
WIDTHS = (390, 1101, 1440)
LOOKS = (
    (390, "light", ALL_RULES),
    (390, "dark", COLOUR_RULES),
    (1101, "dark", COLOUR_RULES),
    (1440, "light", ALL_RULES),
)
# A colour on its way from one theme to the other would be judged as it is then.
WITHOUT_TRANSITIONS = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { transition: none !important; }");
    document.adoptedStyleSheets.push(sheet);
}"""
FIND = """options => axe.run(options).then(({violations}) =>
    violations.flatMap(each => each.nodes.map(node => `${each.id}: ${node.html}`)))"""


def violations(page: Page) -> list[str]:
    """Those of the page as it is: in each width, and in each theme."""
    page.evaluate(AXE_SCRIPT)
    page.evaluate(WITHOUT_TRANSITIONS)
    found = []
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a string, not a Literal
        found += [f"{page.url} {width} {scheme} {each}" for each in page.evaluate(FIND, rules)]
    return found


def pages_of(campaign: Campaign, active: Campaign, long: Campaign) -> list[str]:
    step = campaign.steps.order_by("position")[0]
    return [
        "/",
        *LISTS_AND_FORMS,
        f"/admin/campaigns/campaignstep/{step.pk}/change/",
        campaign_url(campaign.pk),
        campaign_url(campaign.pk, "history"),
        campaign_url(campaign.pk, "duplicate"),
        campaign_url(campaign.pk, "delete"),
        campaign_url(active.pk),
        campaign_url(active.pk, "revisions"),
        f"{campaign_url(active.pk, 'revisions')}1/",
        f"/admin/campaigns/campaign/{campaign.pk}/status/active/",
        f"/admin/campaigns/campaign/{campaign.pk}/status/archived/",
        f"/admin/campaigns/campaign/{active.pk}/status/paused/",
        campaign_url(long.pk) + "?p=4",
        campaign_url(long.pk) + "?q=t30",
        "/nothing-here",
    ]


def listed_actions(paula: Person) -> Iterator[Page]:
    """The pages that ask before a list's action."""
    for path, action in (
        ("/admin/campaigns/campaign/", "activate"),
        ("/admin/campaigns/campaign/", "delete_selected"),
        ("/admin/campaigns/campaignstep/", "replace_template_version"),
        ("/admin/campaigns/campaignstep/", "delete_selected"),
    ):
        paula.open(path)
        paula.page.locator(".action-select").first.check()
        paula.page.locator("select[name=action]").select_option(action)
        paula.click("Go")
        yield paula.page


@pytest.mark.parametrize("part", [0, 1])
def test_axe_finds_no_violation(browser: Browser, live_server: LiveServer, part: int) -> None:
    campaign = make_campaign(steps=3, description="What it is for")
    make_step(campaign, 7, template_version_id="t2-v1", delay_minutes=400 * 1440, variables={"a": 1})
    active = make_campaign(name="Active", status="active", steps=2)
    lifecycle.change_status(active.pk, "paused", actor=ACTOR)
    lifecycle.change_status(active.pk, "active", actor=ACTOR)
    long = make_campaign(name="Long", steps=303)
    found: list[str] = []
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        for path in pages_of(campaign, active, long)[part::2]:
            paula.open(path)
            found += violations(paula.page)
        paula.faults[:] = [fault for fault in paula.faults if "404" not in fault]
    assert "\n".join(found) == ""


def test_axe_finds_no_violation_in_what_opens_or_comes_back(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=3)
    make_step(campaign, 7, variables={"a": 1})
    found: list[str] = []
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        for page in listed_actions(paula):
            found += violations(page)
        paula.open(campaign_url(campaign.pk))
        paula.rows.nth(3).locator("summary").click()
        expect(paula.page.locator(".variable-remove")).to_have_count(1)
        found += violations(paula.page)
        paula.field(1, "template_id").fill("")
        change_step(campaign.pk, campaign.steps.get(position=0).pk, {"template_id": "theirs"}, actor=ACTOR)
        paula.field(0, "template_id").fill("mine")
        paula.field(3, "variables").fill('{"a": "A", "b": null, "c": [1], "c": true}')
        paula.click("Save")
        expect(paula.page.locator(".faults")).to_be_visible()
        found += violations(paula.page)
        paula.page.context.clear_cookies()
        paula.open("/admin/")
        found += violations(paula.page)
    assert "\n".join(found) == ""


def test_each_control_of_the_rows_has_a_name_of_its_own(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=2)
    make_step(campaign, 2, variables={"a": 1, "b": "text"})
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.open(campaign_url(campaign.pk))
        paula.page.get_by_role("button", name="Add step", exact=True).click()
        paula.field(3, "template_id").fill("new")
        paula.rows.nth(0).locator(".down").click()
        for row in paula.rows.all():
            row.locator("summary").click()
        for width in WIDTHS:
            paula.page.set_viewport_size({"width": width, "height": 900})
            names = [
                line.strip(" -:").partition(":")[0]
                for line in paula.page.locator("#step-rows").aria_snapshot().splitlines()
                if line.strip().startswith(("- button", "- textbox", "- spinbutton", "- checkbox", "- combobox"))
            ]
            assert len(names) >= 4 * 13 + 2 * 4
            assert {name: count for name, count in Counter(names).items() if count > 1} == {}
            assert [name for name in names if "step at position" not in name] == []
            assert any("step at position 3 (new)" in name for name in names)
            assert any("Template step at position 0 (t1)" in name for name in names)


def test_the_steps_can_be_jumped_over_and_the_focus_is_never_under_the_bar(
    browser: Browser, live_server: LiveServer
) -> None:
    campaign = make_campaign(steps=12)
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.open(campaign_url(campaign.pk))
        bar = paula.page.locator(".submit-row").bounding_box()
        assert bar
        paula.page.locator("#id_description").focus()
        for _ in range(60):
            paula.page.keyboard.press("Tab")
            box = paula.page.locator(":focus").bounding_box()
            assert box
            assert box["y"] + box["height"] <= bar["y"]
        paula.page.locator("#id_description").focus()
        paula.page.keyboard.press("Tab")
        expect(paula.page.get_by_role("link", name="Skip the steps")).to_be_focused()
        paula.page.keyboard.press("Enter")
        paula.page.keyboard.press("Tab")
        expect(paula.page.get_by_role("button", name="Add step", exact=True)).to_be_focused()


def test_each_target_of_the_campaign_page_is_large_enough(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign(steps=1)
    make_step(campaign, 2, variables={"a": 1, "b": True})
    with person(browser, live_server.url, "paula", *PUBLISH) as paula:
        paula.open(campaign_url(campaign.pk))
        paula.rows.nth(1).locator("summary").click()
        expect(paula.page.locator(".variable-remove")).to_have_count(2)
        for width in WIDTHS:
            paula.page.set_viewport_size({"width": width, "height": 900})
            boxes = paula.page.locator(
                "#step-rows :is(button, input:not([type=hidden]), select, summary, .step-remove label)"
            ).evaluate_all(
                "all => all.filter(each => each.checkVisibility({opacityProperty: true}))"
                ".map(each => [each.outerHTML, each.offsetWidth, each.offsetHeight])"
            )
            assert [box for box in boxes if box[1] and (box[1] < 24 or box[2] < 24)] == []
