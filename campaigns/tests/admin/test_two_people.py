"""Two people at one campaign: nobody's edit is overwritten unseen, and nothing typed is lost."""

import html
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import ActorType, Campaign, CampaignStep
from campaigns.steps import add_step, change_step, remove_step
from campaigns.tests.admin.conftest import EDIT, PUBLISH, Login
from campaigns.tests.admin.pages import FormReader, campaign_url, delete, errors_of, opened, row, save, status_url
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
    assert {name: shown.get(name) for name in form} == form


def test_the_same_page_is_refused_until_it_is_saved_over_on_purpose(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    form = opened(editor, campaign) | {"name": "Mine"} | row(0, template_id="mine")
    remove_step(campaign.pk, first_step(campaign).pk, actor=ADA)
    refused = save(editor, campaign, form)
    assert errors_of(save(editor, campaign, FormReader.of(refused).data)) == REFUSED

    save(editor, campaign, FormReader.of(refused).data, "_overwrite")

    campaign.refresh_from_db()
    assert campaign.name == "Mine"
    assert list(campaign.steps.order_by("position").values_list("template_id", flat=True)) == ["mine", "t1"]


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


def test_a_campaign_that_was_deleted_meanwhile_is_said_to_be_gone(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign)
    lifecycle.delete_campaign(campaign.pk, actor=ADA)
    answer = save(editor, campaign, form)
    assert answer.status_code == 302
    assert Campaign.objects.count() == 0
