"""Deleting, one object or several: only what the domain lets go, only as its page showed it, with an entry each."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.steps import change_step
from campaigns.tests.admin.conftest import PUBLISH, Login
from campaigns.tests.admin.pages import FormReader, campaign_url, delete, messages_of
from campaigns.tests.factories import ACTOR, history_of, make_campaign, make_step, stored

LIST = "admin:campaigns_campaign_changelist"
STEP_LIST = "admin:campaigns_campaignstep_changelist"
NOT_DELETABLE = {
    status: f"Only a draft can be deleted; this campaign is {status}.{remedy}"
    for status, remedy in {
        "active": " A campaign that has run can be archived.",
        "paused": " A campaign that has run can be archived.",
        "completed": " A campaign that has run can be archived.",
        "archived": "",
    }.items()
}
ACTIVE_STEP = "The campaign is active: its steps can't be changed until it is paused."
CHANGED = "It was changed while you had it open, and is not deleted. Look at it again first."


def choose(*objects: Campaign | CampaignStep) -> dict[str, Any]:
    return {"action": "delete_selected", "_selected_action": [str(each.pk) for each in objects], "index": "0"}


def ask(client: Client, *objects: Campaign | CampaignStep, query: str = "") -> tuple[str, Any]:
    """The address and the page that asks before these are deleted."""
    url = reverse(LIST if isinstance(objects[0], Campaign) else STEP_LIST) + query
    return url, client.post(url, choose(*objects))


def confirm(client: Client, asked: tuple[str, Any]) -> list[str]:
    """Send the page that asks; what the list then says."""
    url, page = asked
    return messages_of(client.post(url, FormReader.of(page).inputs))


def refusals(page: Any) -> dict[str, str]:
    return {str(row.object): row.refusal for row in page.context["rows"]}


@pytest.fixture
def group_editor(db: None) -> Client:
    """A member of the group, as the migration made it."""
    user = User.objects.create_user("greta", is_staff=True)
    user.groups.add(Group.objects.get(name="Campaign editors"))
    client = Client()
    client.force_login(user)
    return client


# --- Campaigns -------------------------------------------------------------------------------------------------------


def test_delete_selected_deletes_drafts_and_names_what_stays(group_editor: Client) -> None:
    campaigns = {status: make_campaign(status=status, name=status, steps=2) for status in Campaign.Status.values}
    second = make_campaign(name="second")
    before = stored()

    asked = ask(group_editor, second, *campaigns.values())

    assert stored() == before
    assert refusals(asked[1]) == {"draft": "", "second": ""} | NOT_DELETABLE
    page = asked[1].content.decode()
    assert [name for name in NOT_DELETABLE if f"Will be left as it is. {NOT_DELETABLE[name]}" not in page] == []
    assert 'value="Delete 2 campaigns"' in page
    assert confirm(group_editor, asked) == ["2 campaigns deleted."]
    assert sorted(Campaign.objects.values_list("name", flat=True)) == sorted(NOT_DELETABLE)
    assert [entry["action"] for entry in history_of(campaigns["draft"])] == ["campaign.deleted"]
    assert [
        (entry.actor_type, entry.actor_name, entry.action, entry.campaign_id) for entry in HistoryEntry.objects.all()
    ] == [
        ("user", "greta", "campaign.deleted", campaigns["draft"].pk),
        ("user", "greta", "campaign.deleted", second.pk),
    ]
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == ["draft", "second"]


@pytest.mark.parametrize("status", NOT_DELETABLE)
def test_a_confirmation_that_no_page_offers_deletes_no_campaign(editor: Client, status: str) -> None:
    campaign = make_campaign(status=status, name="Live", steps=1)
    url, page = ask(editor, campaign)
    assert "None of these can be deleted" in page.content.decode()
    assert "_selected_action" not in FormReader.of(page).data
    version = page.context["rows"][0].page_version
    before = stored()
    form = {**choose(campaign), "post": "yes", "shown": json.dumps({str(campaign.pk): version})}
    assert messages_of(editor.post(url, form)) == [f"1 campaign was left as it is: “Live”: {NOT_DELETABLE[status]}"]
    assert stored() == before


@pytest.mark.parametrize("query", ["", "?status__exact=draft"])
def test_what_was_activated_after_the_page_asked_is_refused_by_name(editor: Client, query: str) -> None:
    live, draft = make_campaign(name="Live", steps=1), make_campaign(name="Draft")
    asked = ask(editor, live, draft, query=query)
    lifecycle.change_status(live.pk, "active", actor=ACTOR)
    assert confirm(editor, asked) == [f"1 campaign deleted. 1 campaign was left as it is: “Live”: {CHANGED}"]
    assert list(Campaign.objects.values_list("name", "status")) == [("Live", "active")]
    assert [entry["action"] for entry in history_of(live)] == ["campaign.activated"]


@pytest.mark.parametrize("version", ["", "x", "1::"])
def test_without_the_version_that_was_shown_nothing_is_deleted(editor: Client, version: str) -> None:
    campaign = make_campaign(name="Draft", steps=1)
    before = stored()
    form = {**choose(campaign), "post": "yes", "shown": json.dumps({str(campaign.pk): version})}
    assert messages_of(editor.post(reverse(LIST), form)) == [f"1 campaign was left as it is: “Draft”: {CHANGED}"]
    single = editor.post(campaign_url(campaign.pk, "delete"), {"post": "yes", "page_version": version})
    assert messages_of(single)[-1] == CHANGED
    assert stored() == before


def test_a_step_that_was_added_while_the_page_asked_is_not_deleted_unseen(editor: Client) -> None:
    campaign = make_campaign(name="Draft", steps=1)
    asked = ask(editor, campaign)
    make_step(campaign, 5)
    assert confirm(editor, asked) == [f"1 campaign was left as it is: “Draft”: {CHANGED}"]
    assert campaign.steps.count() == 2


def test_what_a_colleague_deleted_meanwhile_is_said_to_be_gone(editor: Client) -> None:
    first, second = make_campaign(name="First"), make_campaign(name="Second")
    asked = ask(editor, first, second)
    lifecycle.delete_campaign(first.pk, actor=ACTOR)
    assert confirm(editor, asked) == ["1 campaign deleted. 1 campaign had been deleted already."]
    assert [entry["actor_name"] for entry in history_of(first)] == ["tests"]


def test_all_of_a_list_are_deleted_by_one_confirmation(editor: Client, django_assert_max_num_queries: Any) -> None:
    Campaign.objects.bulk_create(Campaign(name=f"Draft {number}") for number in range(120))
    Campaign.objects.bulk_create(Campaign(name=f"Done {number}", status="completed") for number in range(130))
    form = {**choose(Campaign.objects.all()[0]), "select_across": "1"}
    with django_assert_max_num_queries(15):
        page = editor.post(reverse(LIST), form)
    groups = page.context["groups"]
    assert [(group.refusal, len(group.rows), group.omitted) for group in groups] == [
        ("", 120, 20),
        (NOT_DELETABLE["completed"], 130, 30),
    ]
    assert "130 will be left as they are" in page.content.decode()
    late = list(Campaign.objects.filter(status="draft").values_list("pk", flat=True)[:22])
    Campaign.objects.filter(pk__in=late).update(status="active", version=2)
    (said,) = confirm(editor, (reverse(LIST), page))
    assert said.startswith("98 campaigns deleted. 22 campaigns were left as they are: “Draft ")
    assert said.endswith(f"{CHANGED} And 2 more.")
    assert Campaign.objects.count() == 152


def test_delete_selected_takes_no_more_than_a_page_can_wait_for(
    editor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.admin.deletion.MAX_AT_ONCE", 2)
    first, *_ = (make_campaign(name=f"C{number}") for number in range(3))
    answer = editor.post(reverse(LIST), {**choose(first), "select_across": "1"})
    (said,) = messages_of(answer)
    assert said.startswith("You chose 3 campaigns, and at most 2 are taken at once.")
    assert Campaign.objects.count() == 3


def test_ids_that_are_none_are_a_bad_request(editor: Client) -> None:
    for url in (reverse(LIST), reverse(STEP_LIST)):
        assert editor.post(url, {"action": "delete_selected", "_selected_action": "none"}).status_code == 400


@pytest.mark.parametrize("missing", ["delete_campaign", "delete_campaignstep"])
def test_who_may_not_delete_has_no_such_action(login: Login, editor: Client, missing: str) -> None:
    campaign = make_campaign(steps=1)
    chosen = campaign if missing == "delete_campaign" else campaign.steps.get()
    url, asked = ask(editor, chosen)
    before = stored()
    otto = login("otto", *set(PUBLISH) - {missing})
    assert 'value="delete_selected"' in editor.get(url).content.decode()
    assert 'value="delete_selected"' not in otto.get(url).content.decode()
    assert confirm(otto, (url, asked)) == ["No action selected."]
    assert stored() == before


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_only_a_draft_has_a_page_to_delete_it(editor: Client, status: str) -> None:
    campaign = make_campaign(status=status, steps=2)
    answer = editor.get(campaign_url(campaign.pk, "delete"))
    assert (answer.status_code, "2 steps" in answer.content.decode()) == (
        (200, True) if status == "draft" else (403, False)
    )


def test_a_campaign_is_deleted_by_its_page(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    delete(editor, campaign_url(campaign.pk, "delete"))
    assert not Campaign.objects.exists()
    (entry,) = history_of(campaign)
    assert (entry["actor_name"], entry["action"], entry["before"]["steps"]) == ("emil", "campaign.deleted", 2)


# --- Steps -----------------------------------------------------------------------------------------------------------


def step_url(step: CampaignStep, page: str) -> str:
    return reverse(f"admin:campaigns_campaignstep_{page}", args=[step.pk])


def test_delete_selected_deletes_steps_where_they_can_be_changed(group_editor: Client) -> None:
    steps = {
        status: make_step(make_campaign(status=status, name=status), number)
        for number, status in enumerate(Campaign.Status.values)
    }
    asked = ask(group_editor, *steps.values())
    assert [name for name, refusal in refusals(asked[1]).items() if not refusal] == ["step 2", "step 0"]
    assert refusals(asked[1])["step 1"] == ACTIVE_STEP
    assert confirm(group_editor, asked) == ["2 campaign steps deleted."]
    left = CampaignStep.objects.values_list("campaign__name", flat=True)
    assert sorted(left) == ["active", "archived", "completed"]
    for status in ("draft", "paused"):
        (entry,) = history_of(steps[status].campaign)
        assert (entry["actor_name"], entry["action"], entry["step_id"], entry["before"]) == (
            "greta",
            "step.deleted",
            steps[status].pk,
            steps[status].fields._asdict(),
        )


def test_a_step_that_was_changed_or_went_live_meanwhile_is_refused_by_name(editor: Client) -> None:
    changed, live, kept = (make_step(make_campaign(name=name), 3) for name in ("Changed", "Live", "Kept"))
    asked = ask(editor, changed, live, kept)
    change_step(changed.campaign_id, changed.pk, {"delay_minutes": 5}, actor=ACTOR)
    lifecycle.change_status(live.campaign_id, "active", actor=ACTOR)
    (said,) = confirm(editor, asked)
    assert said.startswith("1 campaign step deleted. 2 campaign steps were left as they are: ")
    assert f"Position 3 of “Changed”: {CHANGED}" in said
    assert f"Position 3 of “Live”: {ACTIVE_STEP}" in said
    assert set(CampaignStep.objects.all()) == {changed, live}


def test_a_step_is_deleted_by_its_page(editor: Client) -> None:
    step = make_step(make_campaign())
    delete(editor, step_url(step, "delete"))
    assert not CampaignStep.objects.exists()
    (entry,) = history_of(step.campaign)
    assert (entry["actor_name"], entry["action"]) == ("emil", "step.deleted")


def test_a_step_that_was_changed_after_its_page_was_opened_is_not_deleted_unseen(editor: Client) -> None:
    step = make_step(make_campaign())
    link = f"{step_url(step, 'delete')}?page_version=1"
    assert f'href="{link}"' in editor.get(step_url(step, "change")).content.decode()
    change_step(step.campaign_id, step.pk, {"delay_minutes": 5}, actor=ACTOR)
    before = stored()
    answer = delete(editor, link)
    assert messages_of(answer) == [CHANGED]
    assert answer.headers["Location"] == step_url(step, "change")
    assert stored() == before


@pytest.mark.parametrize("permission", ["delete_campaign", "delete_campaignstep"])
def test_a_refused_page_that_is_shown_again_has_no_link_to_delete(editor: Client, permission: str) -> None:
    campaign = make_campaign(steps=1)
    step = campaign.steps.get()
    url = campaign_url(campaign.pk) if permission == "delete_campaign" else step_url(step, "change")
    form = FormReader.of(editor.get(url)).data
    lifecycle.change_status(campaign.pk, "active", actor=ACTOR)
    assert "deletelink" not in editor.post(url, form).content.decode()
