"""The variables of a step as rows and as JSON, in Chromium: the text is what is saved, rows are a way to write it."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaigns.tests.admin.browser import Person, person
from campaigns.tests.admin.conftest import EDIT
from campaigns.tests.admin.pages import campaign_url
from campaigns.tests.factories import make_campaign, make_step

pytestmark = [pytest.mark.browser, pytest.mark.any_database, pytest.mark.django_db(transaction=True)]
BIG = 12345678901234567890123


def shown(scope: Locator | Page) -> list[tuple[str, str, str | None]]:
    """Name, kind and value of each row."""
    found: list[tuple[str, str, str | None]] = []
    for row in scope.locator(".variable-rows > li").all():
        value = row.locator(".variable-value")
        kind = row.locator(".variable-kind").input_value()
        found.append(
            (row.locator(".variable-name").input_value(), kind, value.input_value() if value.count() else None)
        )
    return found


def opened(emil: Person, row: int) -> Locator:
    emil.rows.nth(row).locator("summary").click()
    editor = emil.rows.nth(row).locator(".variables-editor")
    expect(editor).to_be_visible()
    return editor


def test_rows_write_their_own_part_of_the_json_and_nothing_else(browser: Browser, live_server: LiveServer) -> None:
    campaign = make_campaign()
    make_step(campaign, 0, template_id="t", variables={"z": BIG, "a": 1, "deep": {"x": [1, 2]}, "gone": None})
    make_step(campaign, 1, template_id="t", variables={"a": 1, "offered": 2})
    make_step(campaign, 2, template_id="other", variables={"foreign": 1})
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(campaign_url(campaign.pk))
        editor, text = opened(emil, 0), emil.field(0, "variables")
        assert shown(editor) == [
            ("a", "number", "1"),
            ("z", "number", str(BIG)),
            ("deep", "JSON", '{\n    "x": [\n      1,\n      2\n    ]\n  }'),
            ("gone", "null", None),
        ]
        text.fill(f'{{"z": {BIG}, "price": 1.10, "deep": {{"x":[1,  2]}}, "gone": null}}')
        assert shown(editor)[1:3] == [("price", "number", "1.10"), ("deep", "JSON", '{"x":[1,  2]}')]

        name = emil.page.get_by_role("combobox", name="Name of variable 4 step at position 0 (t)")
        name.fill("flag")
        assert emil.page.locator("#variable-names option").evaluate_all("all => all.map(each => each.value)") == [
            "a",
            "offered",
        ]
        editor.locator(".variable-kind").nth(3).select_option("true/false")
        editor.locator(".variable-value").nth(3).select_option("true")
        editor.locator(".variable-value").nth(1).press("Enter")
        editor.locator(".variable-value").nth(4).fill('Say "hé"')
        expect(editor.locator(".variables-fault")).to_have_text("Name the variable: without a name it isn't saved.")
        editor.locator(".variable-name").nth(4).fill("greeting")
        expect(editor.locator(".variables-fault")).to_be_empty()
        assert text.input_value() == (
            f'{{"z": {BIG}, "price": 1.10, "deep": {{"x":[1,  2]}}, "flag": true,"greeting": "Say \\"hé\\""}}'
        )
        emil.page.get_by_role("button", name="Remove variable 1 step at position 0 (t)").click()
        emil.page.get_by_role("button", name="Format JSON step at position 0 (t)").click()
        assert text.input_value().splitlines()[:3] == ["{", '  "price": 1.10,', '  "deep": {']
        assert [row[0] for row in shown(editor)] == ["price", "deep", "flag", "greeting"]
        emil.click("Save")
    assert campaign.steps.get(position=0).variables == {
        "price": 1.1,
        "deep": {"x": [1, 2]},
        "flag": True,
        "greeting": 'Say "hé"',
    }


def test_faults_are_said_while_they_are_typed_and_what_was_typed_stays(
    browser: Browser, live_server: LiveServer
) -> None:
    step = make_step(make_campaign(), variables={"a": 1, "b": 2})
    with person(browser, live_server.url, "emil", *EDIT) as emil:
        emil.open(f"/admin/campaigns/campaignstep/{step.pk}/change/")
        text, fault, rows = emil.page.locator("#id_variables"), emil.page.locator(".variables-fault"), emil.page
        names, values = rows.locator(".variable-name"), rows.locator(".variable-value")
        names.nth(1).fill("a")
        expect(fault).to_have_text("Line 3, column 3: the name “a” is there twice.")
        expect(names.nth(1)).to_have_attribute("aria-invalid", "true")
        names.nth(1).fill("c")
        expect(fault).to_be_empty()
        values.nth(0).fill("1.")
        expect(fault).to_have_text("Line 2, column 8: a value is missing here, or is misspelled.")
        expect(values.nth(0)).to_have_attribute("aria-invalid", "true")
        assert text.input_value() == '{\n  "a": 1.,\n  "c": 2\n}'
        values.nth(0).fill("1.5")
        expect(fault).to_be_empty()
        text.fill('{\n  "é": [1\n}')
        expect(fault).to_have_text("Line 3, column 1: a comma or ] is missing here.")
        expect(rows.locator(".variable-rows")).to_be_hidden()
        emil.click("Save")
        expect(rows.locator(".errorlist").first).to_contain_text("line 3 column 1")
        assert text.input_value() == '{\n  "é": [1\n}'
        text.fill('{"é": [1]}')
        assert shown(emil.page) == [("é", "JSON", "[1]")]
        emil.click("Save")
    step.refresh_from_db()
    assert step.variables == {"é": [1]}
