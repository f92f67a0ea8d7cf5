"""The campaign page: fields and steps are written together, by the rules, and nothing typed is lost."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.tests.admin.pages import FormReader, buttons, campaign_url, errors_of, opened, row, save, with_new_row
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, stored, templates

ADD = "admin:campaigns_campaign_add"


def test_a_new_campaign_is_saved_with_its_steps(editor: Client) -> None:
    form = {"name": "Welcome", "external_id": "", "description": "One\r\nTwo", "steps-TOTAL_FORMS": "0"}
    form |= {"steps-INITIAL_FORMS": "0"}
    form = with_new_row(form, position=0, template_id="hello", template_version_id="v1")
    form = with_new_row(
        form,
        position=1,
        template_id="offer",
        template_version_id="v2",
        delay_minutes_days=2,
        delay_minutes_hours=4,
        delay_minutes_minutes=90,
        variables='{"percent": 20}',
    )

    answer = editor.post(reverse(ADD), {**form, "_continue": "1"})

    campaign = Campaign.objects.get()
    assert answer.headers["Location"] == campaign_url(campaign.pk)
    assert (campaign.name, campaign.external_id, campaign.description) == ("Welcome", None, "One\nTwo")
    assert [step.fields for step in campaign.steps.order_by("position")] == [
        (0, "hello", "v1", 0, {}),
        (1, "offer", "v2", 2 * 1440 + 4 * 60 + 90, {"percent": 20}),
    ]
    assert [(entry["actor_type"], entry["actor_name"], entry["action"]) for entry in history_of(campaign)] == [
        ("user", "emil", "campaign.created")
    ]


def test_a_page_that_is_saved_as_it_is_changes_nothing(editor: Client) -> None:
    campaign = make_campaign(steps=2, description="a\nb\r\nc", external_id=" crm ")
    make_step(
        campaign, 7, template_id=" x ", delay_minutes=61, variables={"a": [1, 1.5, True, None, "é\n"], "b": 10**30}
    )
    before = stored()
    answer = save(editor, campaign, opened(editor, campaign))
    assert answer.status_code == 302
    assert stored() == before


def test_positions_can_be_swapped(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    form = opened(editor, campaign)
    ids = [form["steps-0-id"], form["steps-1-id"]]
    save(editor, campaign, {**form, **row(0, position=1), **row(1, position=0)})
    assert templates(campaign) == [(0, "t1"), (1, "t0")]
    assert [str(step.pk) for step in campaign.steps.order_by("position")] == ids[::-1]


def test_steps_are_added_changed_and_removed_in_one_save(editor: Client) -> None:
    campaign = make_campaign(steps=3)
    form = opened(editor, campaign) | row(0, DELETE="on") | row(1, template_version_id="new")
    form = with_new_row(form, position=0, template_id="first", template_version_id="v1")
    save(editor, campaign, form)
    assert templates(campaign) == [(0, "first"), (1, "t1"), (2, "t2")]
    assert campaign.steps.get(position=1).template_version_id == "new"


def test_a_removed_row_is_not_judged(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    save(editor, campaign, opened(editor, campaign) | row(0, DELETE="on", position="", template_id="", variables="{"))
    assert positions(campaign) == [1]


@pytest.mark.parametrize("position", ["", "1"])
def test_a_row_left_blank_is_no_step(position: str, editor: Client) -> None:
    campaign = make_campaign(steps=1)
    fields = {"position": position, "template_id": "", "template_version_id": ""}
    assert save(editor, campaign, with_new_row(opened(editor, campaign), **fields)).status_code == 302
    assert positions(campaign) == [0]


FAULTS = {
    "a repeated position": (
        row(1, position=0),
        {"steps-1-position": ["t0 has position 0 too: give one of them another."]},
    ),
    "no position": (row(0, position=""), {"steps-0-position": ["This field is required."]}),
    "a negative position": (row(0, position=-1), {"steps-0-position": ["Must be 0 or more."]}),
    "a huge position": (row(0, position=2**31), {"steps-0-position": ["Must be at most 2147483647."]}),
    "a position of 5,000 digits": (row(0, position="9" * 5_000), {"steps-0-position": ["Enter a whole number."]}),
    "no template": (row(0, template_id=""), {"steps-0-template_id": ["This field is required."]}),
    "a blank template": (
        row(0, template_id="  "),
        {"steps-0-template_id": ["Must not be empty or only white space."]},
    ),
    "an id that is too long": (
        row(0, template_version_id="v" * 256),
        {"steps-0-template_version_id": ["Must have at most 255 characters; it has 256."]},
    ),
    "a negative delay": (
        row(0, delay_minutes_hours=-1),
        {"steps-0-delay_minutes": ["Hours must be 0 or more."]},
    ),
    "a delay of too many days": (
        row(0, delay_minutes_days=1_500_000),
        {"steps-0-delay_minutes": ["Must be at most 1,491,308 d 2 h 7 min in all."]},
    ),
    "a delay of which two parts are wrong": (
        row(0, delay_minutes_days="1.5", delay_minutes_minutes=-1),
        {"steps-0-delay_minutes": ["Days must be a whole number.", "Minutes must be 0 or more."]},
    ),
    "variables that are no JSON": (
        row(0, variables='{\n  "a": 1,\n}'),
        {
            "steps-0-variables": [
                "This is not valid JSON: Expecting property name enclosed in double quotes at line 3 column 1."
            ]
        },
    ),
    "variables with a name twice": (
        row(0, variables='{"a": 1, "a": 2}'),
        {"steps-0-variables": ['This has the name "a" twice in one object.']},
    ),
    "variables that are a list": (row(0, variables="[1]"), {"steps-0-variables": ["Must be an object, not an array."]}),
    "variables too deep": (
        row(0, variables='{"a":' * 21 + "1" + "}" * 21),
        {"steps-0-variables": [".".join("a" * 20) + ": Must be nested at most 20 levels deep."]},
    ),
    "variables deeper than a parser goes": (
        row(0, variables="[" * 100_000),
        {"steps-0-variables": ["This is nested too deeply."]},
    ),
    "no name": ({"name": ""}, {"name": ["This field is required."]}),
    "a name that is too long": ({"name": "n" * 201}, {"name": ["Must have at most 200 characters; it has 201."]}),
    "a taken external id": ({"external_id": "taken"}, {"external_id": ["Another campaign has this external id."]}),
    "several at once": (
        {"name": " ", **row(0, template_id=""), **row(1, variables="x")},
        {
            "name": ["Must not be empty or only white space."],
            "steps-0-template_id": ["This field is required."],
            "steps-1-variables": ["This is not valid JSON: Expecting value at line 1 column 1."],
        },
    ),
}


@pytest.mark.parametrize(("typed", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_at_its_field_and_nothing_typed_is_lost(
    editor: Client, typed: dict[str, str], expected: dict[str, list[str]]
) -> None:
    make_campaign(external_id="taken")
    campaign = make_campaign(steps=2, name="Before")
    form = {**opened(editor, campaign), "description": "typed meanwhile", **typed}
    before = stored()

    answer = save(editor, campaign, form)

    assert answer.status_code == 200
    assert errors_of(answer) == expected
    assert stored() == before
    shown = FormReader.of(answer).data
    assert {name: shown.get(name) for name in form} == form


def test_a_refused_new_campaign_leaves_nothing_behind(editor: Client) -> None:
    make_campaign(external_id="taken")
    before = stored()
    form = {"name": "N", "external_id": "taken", "steps-TOTAL_FORMS": "0", "steps-INITIAL_FORMS": "0"}
    answer = editor.post(reverse(ADD), with_new_row(form, position=0, template_id="a", template_version_id="b"))
    assert errors_of(answer) == {"external_id": ["Another campaign has this external id."]}
    assert stored() == before


@pytest.mark.parametrize("status", ["active", "completed", "archived"])
def test_the_steps_of_a_campaign_that_is_not_editable_are_shown_read_only(publisher: Client, status: str) -> None:
    campaign = make_campaign(status=status, steps=2)
    form = opened(publisher, campaign)
    assert [name for name in form if name.startswith("steps-")] == []
    page = publisher.get(campaign_url(campaign.pk)).content.decode()
    assert "t1-v1" in page
    assert ("Pause and edit" in page) == (status == "active")
    save(publisher, campaign, {**form, "name": "Renamed"})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.steps.count()) == ("Renamed", 2)


def test_a_crafted_post_cannot_change_the_steps_of_an_active_campaign(publisher: Client) -> None:
    campaign = make_campaign(steps=2)
    form = opened(publisher, campaign) | row(0, template_id="changed") | {"name": "Changed"}
    Campaign.objects.filter(pk=campaign.pk).update(status="active")
    before = stored()
    answer = save(publisher, campaign, form)
    assert errors_of(answer) == {"__all__": ["The campaign is active: its steps can't be changed until it is paused."]}
    assert stored() == before
    assert 'value="changed"' in answer.content.decode()


def test_saving_and_resuming_are_one(publisher: Client) -> None:
    campaign = make_campaign(status="paused", steps=1)
    save(publisher, campaign, opened(publisher, campaign) | row(0, template_id="new"), "_resume")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.steps.get().template_id) == ("active", "new")
    assert [entry["action"] for entry in history_of(campaign)] == ["step.changed", "campaign.activated"]


def test_a_campaign_that_would_not_run_is_neither_saved_nor_resumed(publisher: Client) -> None:
    campaign = make_campaign(status="paused", steps=1)
    form = opened(publisher, campaign) | row(0, DELETE="on") | {"name": "Emptied"}
    before = stored()
    answer = save(publisher, campaign, form, "_resume")
    assert errors_of(answer) == {
        "__all__": ["The campaign isn't ready to be activated: The campaign has no steps: add at least one."]
    }
    assert stored() == before
    assert 'value="Emptied"' in answer.content.decode()


@pytest.mark.parametrize(("status", "shown"), [("draft", False), ("paused", True), ("active", False)])
def test_save_and_resume_is_offered_where_it_resumes(publisher: Client, status: str, shown: bool) -> None:
    assert ("_resume" in buttons(publisher, make_campaign(status=status, steps=1))) == shown


def test_300_steps_can_be_edited(editor: Client) -> None:
    campaign = make_campaign(steps=300)
    form = opened(editor, campaign)
    answer = save(editor, campaign, form | row(0, position=299) | row(299, position=0))
    assert answer.status_code == 302
    assert templates(campaign)[0] == (0, "t299")
    answer = save(
        editor, campaign, with_new_row(opened(editor, campaign), position=300, template_id="a", template_version_id="b")
    )
    assert errors_of(answer) == {"steps": ["Please submit at most 300 forms."]}


def test_very_large_variables_are_not_edited_on_the_page(editor: Client) -> None:
    campaign = make_campaign()
    for position in range(40):
        make_step(campaign, position, variables={"text": "x" * 60_000})
    assert [name for name in opened(editor, campaign) if name.startswith("steps-")] == []
