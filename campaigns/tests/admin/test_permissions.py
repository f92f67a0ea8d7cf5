"""What a user may not do is absent from the page and refused by the server."""

import importlib
import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.tests.admin.conftest import EDIT, PUBLISH, VIEW, Login
from campaigns.tests.admin.pages import FormReader, campaign_url, opened, row, save, status_url
from campaigns.tests.factories import make_campaign, stored

migration = importlib.import_module("campaigns.migrations.0003_staff_groups")


@pytest.mark.django_db
def test_the_migration_makes_three_groups() -> None:
    migration.delete_groups(apps, connection.schema_editor())
    migration.create_groups(apps, connection.schema_editor())
    migration.create_groups(apps, connection.schema_editor())  # once more: what exists is left alone
    groups = Group.objects.filter(name__startswith="Campaign ")
    assert {group.name: set(group.permissions.values_list("codename", flat=True)) for group in groups} == {
        "Campaign viewers": set(VIEW),
        "Campaign editors": set(EDIT),
        "Campaign publishers": set(PUBLISH),
    }


def links(client: Client, campaign: Campaign) -> list[str]:
    """Which of a campaign page's own links and buttons there are."""
    answer = client.get(campaign_url(campaign.pk))
    page = answer.content.decode()
    wanted = {
        "activate": status_url(campaign, "active"),
        "pause and edit": "Pause and edit",
        "duplicate": campaign_url(campaign.pk, "duplicate"),
        "delete": campaign_url(campaign.pk, "delete"),
        "history": campaign_url(campaign.pk, "history"),
        "add step": 'id="add-step"',
    }
    found = [name for name, text in wanted.items() if text in page]
    return found + sorted(name for name in FormReader.of(answer).buttons if name.startswith("_"))


def test_the_page_of_a_draft_has_what_each_may_do(viewer: Client, editor: Client, publisher: Client) -> None:
    campaign = make_campaign(steps=1)
    writing = ["duplicate", "delete", "history", "add step", "_add_rows", "_continue", "_save"]
    assert links(viewer, campaign) == ["history"]
    assert links(editor, campaign) == writing
    assert links(publisher, campaign) == ["activate", *writing]


def test_the_page_of_an_active_campaign_has_what_each_may_do(viewer: Client, editor: Client, publisher: Client) -> None:
    campaign = make_campaign(status="active", steps=1)
    assert links(viewer, campaign) == ["history"]
    assert links(editor, campaign) == ["duplicate", "history", "_continue", "_save"]
    assert links(publisher, campaign) == ["pause and edit", "duplicate", "history", "_continue", "_save"]


def test_who_may_only_activate_has_the_buttons_and_nothing_to_type(login: Login) -> None:
    assert links(login("otto", "view_campaign", "activate_campaign"), make_campaign(steps=1)) == ["activate", "history"]


def test_steps_are_read_only_for_whom_may_not_edit_steps(login: Login) -> None:
    campaign = make_campaign(steps=1)
    user = login("otto", "view_campaign", "change_campaign")
    assert [name for name in opened(user, campaign) if name.startswith("steps-")] == []
    save(user, campaign, opened(user, campaign) | {"name": "Renamed"})
    campaign.refresh_from_db()
    assert campaign.name == "Renamed"


def crafted(client: Client, editor: Client, campaign: Campaign) -> dict[str, Any]:
    """Each thing that the page lets others do, posted all the same: by name, the answer's status."""
    form = opened(editor, campaign) | row(0, template_id="crafted")
    version = {"page_version": form["page_version"]}
    changelist = reverse("admin:campaigns_campaign_changelist")
    step = campaign.steps.get()
    step_form = {"position": "0", "template_id": "a", "template_version_id": "b", "page_version": "1"}
    steps = reverse("admin:campaigns_campaignstep_changelist")
    answers = {
        "save": client.post(campaign_url(campaign.pk), form),
        "save and resume": client.post(campaign_url(campaign.pk), {**form, "_resume": "1"}),
        "add": client.post(reverse("admin:campaigns_campaign_add"), form),
        "activate": client.post(status_url(campaign, "active"), version),
        "archive": client.post(status_url(campaign, "archived"), version),
        "duplicate": client.post(campaign_url(campaign.pk, "duplicate")),
        "delete": client.post(campaign_url(campaign.pk, "delete"), {"post": "yes"}),
        "add step": client.post(
            reverse("admin:campaigns_campaignstep_add"), {**step_form, "campaign": str(campaign.pk), "position": "9"}
        ),
        "change step": client.post(reverse("admin:campaigns_campaignstep_change", args=[step.pk]), step_form),
        "delete step": client.post(reverse("admin:campaigns_campaignstep_delete", args=[step.pk]), {"post": "yes"}),
    }
    statuses: dict[str, Any] = {name: answer.status_code for name, answer in answers.items()}
    for action in ("activate", "archive", "delete_selected"):
        data = {"action": action, "_selected_action": str(campaign.pk), "confirmed": "1", "post": "yes"}
        client.post(changelist, {**data, "shown": json.dumps({str(campaign.pk): form["page_version"]})})
    for action in ("replace_template_version", "delete_selected"):
        data = {"action": action, "_selected_action": str(step.pk), "confirmed": "1", "post": "yes"}
        client.post(steps, {**data, "template_version_id": "crafted", "shown": json.dumps({str(step.pk): "1"})})
    return statuses


@pytest.mark.parametrize("status", ["draft", "paused"])
def test_a_viewer_writes_nothing_by_crafted_posts(viewer: Client, editor: Client, status: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    before = stored()
    assert set(crafted(viewer, editor, campaign).values()) == {403}
    assert stored() == before


@pytest.mark.parametrize("status", ["draft", "paused"])
def test_an_editor_changes_no_status_by_crafted_posts(login: Login, editor: Client, status: str) -> None:
    campaign = make_campaign(status=status, steps=1)
    statuses = crafted(login("erna", *set(EDIT) - {"delete_campaign"}), editor, campaign)
    campaign.refresh_from_db()
    assert campaign.status == status
    assert {name: code for name, code in statuses.items() if code == 403} == dict.fromkeys(
        ("activate", "archive", "delete", "save and resume"), 403
    )


def test_who_may_not_edit_steps_cannot_post_them(login: Login, editor: Client) -> None:
    campaign = make_campaign(steps=1)
    before = stored()
    form = opened(editor, campaign) | {"name": "Crafted"} | row(0, template_id="crafted")
    assert save(login("otto", "view_campaign", "change_campaign"), campaign, form).status_code == 403
    assert stored() == before


def addresses(campaign: Campaign) -> list[str]:
    return [
        campaign_url(campaign.pk),
        campaign_url(campaign.pk, "history"),
        campaign_url(campaign.pk, "duplicate"),
        status_url(campaign, "active"),
        reverse("admin:campaigns_campaign_timeline"),
        reverse("admin:campaigns_campaign_changelist"),
        reverse("admin:campaigns_campaignstep_changelist"),
    ]


@pytest.mark.django_db
def test_who_is_not_logged_in_sees_nothing() -> None:
    campaign = make_campaign(steps=1)
    for url in addresses(campaign):
        answer = Client().post(url)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={url}")


def test_who_may_see_nothing_sees_nothing(login: Login) -> None:
    campaign = make_campaign(steps=1)
    nobody = login("nora")
    for url in addresses(campaign):
        assert nobody.get(url).status_code == 403


def test_forms_need_their_token(login: Login) -> None:
    campaign = make_campaign(status="active", steps=1)
    client = login("paula", *PUBLISH)
    client.handler.enforce_csrf_checks = True
    before = stored()
    for url in (
        campaign_url(campaign.pk),
        campaign_url(campaign.pk, "duplicate"),
        status_url(campaign, "paused"),
        reverse("admin:campaigns_campaign_timeline"),
    ):
        assert client.post(url).status_code == 403
    assert stored() == before


def test_a_page_that_is_sent_without_its_key_is_told_the_way_on(editor: Client) -> None:
    campaign = make_campaign(name="Before")
    editor.handler.enforce_csrf_checks = True
    answer = editor.post(campaign_url(campaign.pk), opened(editor, campaign) | {"name": "After"})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Nothing was saved: this page was sent without its key" in page
    assert 'href="/admin/"' in page
    campaign.refresh_from_db()
    assert campaign.name == "Before"
