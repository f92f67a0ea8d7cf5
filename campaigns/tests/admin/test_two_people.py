"""Two people at one campaign: nobody's edit is overwritten unseen, and nothing typed is lost."""

import html
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import ActorType, Campaign, CampaignStep
from campaigns.steps import add_step, change_step, remove_step
from campaigns.tests.admin.conftest import EDIT, PUBLISH, Login
from campaigns.tests.admin.pages import (
    FormReader,
    campaign_url,
    delete,
    errors_of,
    opened,
    row,
    save,
    status_url,
    with_new_row,
)
from campaigns.tests.factories import make_campaign, step_fields, stored

ADA = Actor(ActorType.TOKEN, "ada", "ada", "https://issuer.example/")
LIST = "/admin/campaigns/campaign/"
REFUSED = {"__all__": ["It was changed while you had it open. Nothing of yours has been saved yet."]}

Change = Callable[[Campaign], object]


def first_step(campaign: Campaign) -> CampaignStep:
    return campaign.steps.order_by("position")[0]


MEANWHILE: dict[str, tuple[Change, str]] = {
    "renamed it": (
        lambda campaign: lifecycle.change_campaign(campaign.pk, {"name": "Hers"}, actor=ADA),
        "changed the campaign",
    ),
    "added a step": (lambda campaign: add_step(campaign.pk, step_fields(9), actor=ADA), "added a step"),
    "changed a step": (
        lambda campaign: change_step(campaign.pk, first_step(campaign).pk, {"variables": {"a": 1}}, actor=ADA),
        "changed a step",
    ),
    "deleted a step": (
        lambda campaign: remove_step(campaign.pk, first_step(campaign).pk, actor=ADA),
        "deleted a step",
    ),
    "activated it": (lambda campaign: lifecycle.change_status(campaign.pk, "active", actor=ADA), "activated it"),
}


@pytest.mark.parametrize(("change", "verb"), MEANWHILE.values(), ids=MEANWHILE)
def test_a_save_over_someone_elses_change_is_refused_and_says_who_and_what(
    editor: Client, change: Change, verb: str
) -> None:
    campaign = make_campaign(steps=2)
    form = opened(editor, campaign) | {"name": "Mine"} | row(1, template_id="mine")
    change(campaign)
    before = stored()

    answer = save(editor, campaign, form)

    assert errors_of(answer) == REFUSED
    assert stored() == before
    conflict = answer.context["conflict"]  # type: ignore[attr-defined]
    assert [(each.entry.actor_name, each.verb) for each in conflict] == [("ada", verb)]
    shown = FormReader.of(answer).data
    assert (shown["name"], shown["page_version"]) == ("Mine", form["page_version"])
    assert "mine" in [value for name, value in shown.items() if name.endswith("-template_id")]


def test_the_same_page_is_refused_until_its_merge_is_saved_on_purpose(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    form = opened(editor, campaign) | {"name": "Mine"} | row(0, template_id="mine")
    remove_step(campaign.pk, first_step(campaign).pk, actor=ADA)
    refused = save(editor, campaign, form)
    again = save(editor, campaign, FormReader.of(refused).data)
    assert errors_of(again) == REFUSED

    save(editor, campaign, FormReader.of(again).data, "_overwrite")

    campaign.refresh_from_db()
    assert campaign.name == "Mine"
    assert list(campaign.steps.order_by("position").values_list("template_id", flat=True)) == ["mine", "t1"]


@pytest.mark.parametrize("button", ["_save", "_continue"])
@pytest.mark.parametrize("is_step", [False, True], ids=["campaign", "step"])
def test_a_merged_page_leads_where_its_save_would_have_led(editor: Client, button: str, is_step: bool) -> None:
    campaign = make_campaign(steps=1)
    step = first_step(campaign)
    page = f"/admin/campaigns/campaignstep/{step.pk}/change/" if is_step else campaign_url(campaign.pk)
    form = FormReader.of(editor.get(page)).data
    usual = editor.post(page, {**form, button: "1"}).headers["Location"]
    form, pressed = FormReader.of(editor.get(page)).data, {button: "1"}
    for minutes in (7, 8):  # it is merged again, too
        change_step(campaign.pk, step.pk, {"delay_minutes": minutes}, actor=ADA)
        refused = editor.post(page, form | pressed)
        (leads_to,) = set(re.findall(r'name="_overwrite" value="(\w+)"', refused.content.decode()))
        form, pressed = FormReader.of(refused).data, {"_overwrite": leads_to}
    assert editor.post(page, form | pressed).headers["Location"] == usual


def labels(answer: Any) -> list[tuple[str, str, str]]:
    return [(each.label, each.mine, each.theirs) for each in answer.context["merge"].conflicts]


def test_what_only_one_side_changed_is_taken_from_both(editor: Client) -> None:
    campaign = make_campaign(steps=3, description="a\nb")
    first, second, third = campaign.steps.order_by("position")
    form = opened(editor, campaign) | {"name": "Mine"} | row(0, template_id="mine") | row(2, position=7)
    lifecycle.change_campaign(campaign.pk, {"description": "hers"}, actor=ADA)
    change_step(campaign.pk, first.pk, {"delay_minutes": 90}, actor=ADA)
    remove_step(campaign.pk, second.pk, actor=ADA)
    add_step(campaign.pk, step_fields(9), actor=ADA)

    merged = save(editor, campaign, form)
    save(editor, campaign, FormReader.of(merged).data, "_overwrite")

    assert labels(merged) == []
    campaign.refresh_from_db()
    assert (campaign.name, campaign.description) == ("Mine", "hers")
    assert [step.fields for step in campaign.steps.order_by("position")] == [
        (0, "mine", "t0-v1", 90, {}),
        (7, "t2", "t2-v1", 0, {}),
        (9, "t9", "t9-v1", 0, {}),
    ]
    assert campaign.steps.filter(pk__in=[first.pk, third.pk]).count() == 2


@pytest.mark.parametrize(("choice", "outcome"), [("mine", ("Mine", 60, "b")), ("theirs", ("Hers", 1500, "b"))])
def test_where_both_changed_a_field_the_person_chooses(
    editor: Client, choice: str, outcome: tuple[str, int, str]
) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Mine"} | row(0, delay_minutes_hours=1, template_id="b")
    lifecycle.change_campaign(campaign.pk, {"name": "Hers"}, actor=ADA)
    change_step(campaign.pk, first_step(campaign).pk, {"delay_minutes": 1500}, actor=ADA)

    merged = save(editor, campaign, form)
    page = FormReader.of(merged).data | {"choice-name": choice, "choice-steps-0-delay_minutes": choice}
    again = save(editor, campaign, page)
    page = FormReader.of(again).data | {name: page[name] for name in page if name.startswith("choice-")}
    save(editor, campaign, page, "_overwrite")

    assert labels(merged) == labels(again) == [("Name", "Mine", "Hers"), ("Position 0: Delay", "1 h", "1 d 1 h")]
    campaign.refresh_from_db()
    step = campaign.steps.get()
    assert (campaign.name, step.delay_minutes, step.template_id) == outcome


@pytest.mark.parametrize(("choice", "outcome"), [("mine", []), ("theirs", [(0, "hers")])])
def test_a_step_that_one_side_removed_and_the_other_changed_is_asked_about(
    editor: Client, choice: str, outcome: list[tuple[int, str]]
) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | row(0, DELETE="on")
    change_step(campaign.pk, first_step(campaign).pk, {"template_id": "hers"}, actor=ADA)
    merged = save(editor, campaign, form)
    save(editor, campaign, FormReader.of(merged).data | {"choice-steps-0-DELETE": choice}, "_overwrite")
    assert labels(merged) == [("Position 0: the step", "removed", "kept, as it was changed")]
    assert list(campaign.steps.values_list("position", "template_id")) == outcome


@pytest.mark.parametrize(("choice", "outcome"), [("mine", [(0, "mine")]), ("theirs", [])])
def test_a_step_that_they_removed_and_i_changed_is_asked_about(
    editor: Client, choice: str, outcome: list[tuple[int, str]]
) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | row(0, template_id="mine")
    remove_step(campaign.pk, first_step(campaign).pk, actor=ADA)
    merged = save(editor, campaign, form)
    save(editor, campaign, FormReader.of(merged).data | {"choice-steps-0-DELETE": choice}, "_overwrite")
    assert labels(merged) == [("Position 0: the step", "added again, as you have it", "deleted")]
    assert list(campaign.steps.values_list("position", "template_id")) == outcome


def test_steps_that_both_added_at_one_place_are_both_kept(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = with_new_row(opened(editor, campaign), position=1, template_id="mine", template_version_id="v1")
    add_step(campaign.pk, step_fields(1), actor=ADA)
    save(editor, campaign, FormReader.of(save(editor, campaign, form)).data, "_overwrite")
    assert list(campaign.steps.order_by("position").values_list("position", "template_id")) == [
        (0, "t0"),
        (1, "t1"),
        (2, "mine"),
    ]


def test_a_change_after_the_merge_is_merged_too_and_not_reverted(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Mine"}
    lifecycle.change_campaign(campaign.pk, {"description": "First"}, actor=ADA)
    merged = FormReader.of(save(editor, campaign, form)).data
    lifecycle.change_campaign(campaign.pk, {"description": "Second", "external_id": "e"}, actor=ADA)
    again = save(editor, campaign, merged, "_overwrite")
    assert "Taken over from it: Description; External id." in again.content.decode()
    save(editor, campaign, FormReader.of(again).data, "_overwrite")
    campaign.refresh_from_db()
    assert (campaign.name, campaign.description) == ("Mine", "Second")


def test_a_faulty_page_over_a_newer_version_is_merged_too(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | row(0, delay_minutes_hours="x", template_id="")
    lifecycle.change_campaign(campaign.pk, {"name": "Hers"}, actor=ADA)
    merged = save(editor, campaign, form)
    assert set(errors_of(merged)) == {"__all__", "steps-0-delay_minutes", "steps-0-template_id"}
    page = FormReader.of(merged).data
    assert (page["name"], page["steps-0-delay_minutes_hours"], page["steps-0-template_id"]) == ("Hers", "x", "")


def test_a_page_that_does_not_say_what_it_showed_asks_about_each_difference(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"shown": "{"}
    lifecycle.change_campaign(campaign.pk, {"name": "Hers"}, actor=ADA)
    assert labels(save(editor, campaign, form)) == [("Name", "Welcome", "Hers")]


def test_saving_over_it_covers_only_what_was_shown(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Mine"}
    lifecycle.change_campaign(campaign.pk, {"name": "First"}, actor=ADA)
    refused = save(editor, campaign, form)
    lifecycle.change_campaign(campaign.pk, {"name": "Second"}, actor=ADA)
    before = stored()
    answer = save(editor, campaign, FormReader.of(refused).data, "_overwrite")
    assert errors_of(answer) == REFUSED
    assert stored() == before


def test_each_save_renews_the_version_that_the_page_holds(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    for name in ("One", "Two", "Three"):
        assert save(editor, campaign, opened(editor, campaign) | {"name": name}, "_continue").status_code == 302
    campaign.refresh_from_db()
    assert campaign.name == "Three"


def test_a_faulty_form_keeps_the_version_that_it_was_opened_with(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    faulty = opened(editor, campaign) | {"name": ""}
    lifecycle.change_campaign(campaign.pk, {"description": "hers"}, actor=ADA)
    mended = FormReader.of(save(editor, campaign, faulty)).data | {"name": "Mine"}
    assert errors_of(save(editor, campaign, mended)) == REFUSED


@pytest.mark.parametrize("version", ["", "::", "x", "1:2:3:4", f"1:{'0' * 32}:{UUID(int=1)}", "é" * 5_000])
def test_a_page_without_a_version_saves_nothing(editor: Client, version: str) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Mine", "page_version": version}
    before = stored()
    assert errors_of(save(editor, campaign, form)) == REFUSED
    assert stored() == before


def test_nobody_activates_steps_that_they_have_not_seen(login: Login) -> None:
    campaign = make_campaign(steps=1)
    paula = login("paula", *PUBLISH)
    page = FormReader.of(paula.get(status_url(campaign, "active"))).data
    emil = login("emil", *EDIT)
    save(emil, campaign, opened(emil, campaign) | row(0, template_id="other"))
    before = stored()

    answer = paula.post(status_url(campaign, "active"), page)

    assert "It was changed while you had it open" in answer.context["refusal"]
    assert stored() == before
    paula.post(status_url(campaign, "active"), FormReader.of(answer).data)
    campaign.refresh_from_db()
    assert campaign.status == "active"


def activation_link(client: Client, campaign: Campaign) -> str:
    page = client.get(campaign_url(campaign.pk)).content.decode()
    (link,) = re.findall(r'tool-active" href="([^"]*)"', page)
    return html.unescape(link)


@pytest.mark.parametrize(("change", "verb"), list(MEANWHILE.values())[:4], ids=list(MEANWHILE)[:4])
def test_nobody_activates_what_changed_after_they_opened_the_campaign(login: Login, change: Change, verb: str) -> None:
    campaign = make_campaign(steps=2)
    paula = login("paula", *PUBLISH)
    link = activation_link(paula, campaign)
    change(campaign)
    before = stored()

    asked = paula.get(link)
    answer = paula.post(link, FormReader.of(asked).data)

    assert [(each.entry.actor_name, each.verb) for each in asked.context["meanwhile"]] == [("ada", verb)]
    assert "It was changed while you had it open" in answer.context["refusal"]
    assert stored() == before


def test_the_page_that_asks_shows_the_steps_and_what_changed_since_the_pause(publisher: Client) -> None:
    campaign = make_campaign(status="active", steps=2)
    lifecycle.change_status(campaign.pk, "paused", actor=ADA)
    change_step(campaign.pk, first_step(campaign).pk, {"template_id": "newer"}, actor=ADA)

    asked = publisher.get(activation_link(publisher, campaign))

    assert [step.template_id for step in asked.context["steps"]] == ["newer", "t1"]
    assert "newer, version t0-v1" in asked.context["timeline"]
    assert [change.verb for change in asked.context["since_it_ran"]] == ["changed a step"]
    publisher.post(activation_link(publisher, campaign), FormReader.of(asked).data)
    campaign.refresh_from_db()
    assert campaign.status == "active"


def test_a_list_action_leaves_alone_what_changed_after_the_list_was_opened(publisher: Client) -> None:
    seen, unseen = make_campaign(name="Seen", steps=1), make_campaign(name="Unseen", steps=1)
    page = FormReader.of(publisher.get(LIST)).data
    change_step(unseen.pk, first_step(unseen).pk, {"template_id": "other"}, actor=ADA)
    chosen = {"action": "activate", "_selected_action": [str(seen.pk), str(unseen.pk)]}

    asked = publisher.post(LIST, {**page, **chosen})
    rows = {row["campaign"].name: row for row in asked.context["rows"]}
    publisher.post(LIST, FormReader.of(asked).data)

    assert rows["Unseen"]["refusal"] == "It was changed after the list was opened: look at it again first."
    assert "t0, version t0-v1" in rows["Seen"]["picture"]
    assert dict(Campaign.objects.values_list("name", "status")) == {"Seen": "active", "Unseen": "draft"}


def deletion_link(client: Client, campaign: Campaign) -> str:
    page = client.get(campaign_url(campaign.pk)).content.decode()
    (link,) = re.findall(r'<a href="([^"]*)" class="deletelink">', page)
    return html.unescape(link)


@pytest.mark.parametrize("looked", ["the campaign's page", "the page that asks"])
@pytest.mark.parametrize(("change", "verb"), MEANWHILE.values(), ids=MEANWHILE)
def test_what_someone_else_changed_is_not_deleted_unseen(
    editor: Client, change: Change, verb: str, looked: str
) -> None:
    campaign = make_campaign(steps=2)
    link = deletion_link(editor, campaign)
    form = {"post": "yes"} if looked == "the campaign's page" else FormReader.of(editor.get(link)).data
    change(campaign)
    before = stored()

    answer = editor.post(link, form, follow=True)

    assert stored() == before
    said = [str(message) for message in answer.context["messages"]]
    assert said == ["It was changed while you had it open, and is not deleted. Look at it again first."]
    assert answer.redirect_chain[-1][0] == campaign_url(campaign.pk)
    if verb != "activated it":
        delete(editor, deletion_link(editor, campaign))
        assert Campaign.objects.count() == 0


def test_what_was_typed_for_a_campaign_that_is_deleted_meanwhile_can_be_saved_as_new(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Mine"} | row(0, template_id="mine")
    lifecycle.delete_campaign(campaign.pk, actor=ADA)
    answer = save(editor, campaign, form)
    assert "was deleted meanwhile" in answer.content.decode()
    assert 'action="/admin/campaigns/campaign/add/"' in answer.content.decode()
    assert Campaign.objects.count() == 0
    editor.post("/admin/campaigns/campaign/add/", FormReader.of(answer).data)
    campaign = Campaign.objects.get()
    assert (campaign.name, campaign.steps.get().template_id) == ("Mine", "mine")
