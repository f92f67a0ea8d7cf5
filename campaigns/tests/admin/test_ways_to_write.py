"""Each way in which Django's admin can write ends in the domain's functions, or is closed. docs/admin.md lists them."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from campaigns.admin.campaign_page import CampaignAdmin
from campaigns.admin.history_page import HistoryEntryAdmin
from campaigns.admin.step_page import CampaignStepAdmin
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.tests.admin.pages import FormReader, campaign_url, messages_of, opened
from campaigns.tests.factories import history_of, make_campaign, make_step, stored

LIST = "admin:campaigns_campaign_changelist"
STEP_LIST = "admin:campaigns_campaignstep_changelist"
ADMINS = (CampaignAdmin, CampaignStepAdmin, HistoryEntryAdmin)


def step_url(step: CampaignStep, page: str = "change") -> str:
    return reverse(f"admin:campaigns_campaignstep_{page}", args=[step.pk])


def registered(model: type[Any]) -> Any:
    return admin.site.get_model_admin(model)


def actions_of(campaign: Campaign) -> list[tuple[str, str]]:
    return [(entry["actor_name"], entry["action"]) for entry in history_of(campaign)]


def test_the_projects_admins_are_the_ones_that_are_tested_here() -> None:
    own = [registered(model) for model in admin.site._registry if model.__module__.startswith("campaigns.")]
    assert {type(each) for each in own} == set(ADMINS)


def test_no_list_is_editable_and_no_page_has_inline_rows() -> None:
    assert [(each.list_editable, tuple(each.inlines)) for each in ADMINS] == [((), ())] * len(ADMINS)


# --- Pages that save -------------------------------------------------------------------------------------------------


def test_save_as_new_creates_by_the_domain_and_leaves_the_original(editor: Client) -> None:
    campaign = make_campaign(steps=2, name="Welcome")
    original = stored()
    editor.post(campaign_url(campaign.pk), {**opened(editor, campaign), "_saveasnew": "1"})
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert (copy.name, copy.status, copy.steps.count()) == ("Welcome", "draft", 2)
    assert actions_of(copy) == [("emil", "campaign.created")]
    assert [row for row in original if row not in stored()] == []


def test_save_as_new_of_a_live_campaigns_step_is_an_addition_that_is_judged(editor: Client) -> None:
    live, draft = make_campaign(status="active", steps=1), make_campaign()
    step = live.steps.get()
    fields = {"position": "7", "template_id": "a", "template_version_id": "b", "_saveasnew": "1"}
    before = stored()
    refused = editor.post(step_url(step), {**fields, "campaign": str(live.pk)})
    assert list(refused.context["adminform"].form.errors) == ["campaign"]
    assert stored() == before
    editor.post(step_url(step), {**fields, "campaign": str(draft.pk)})
    assert draft.steps.get().template_id == "a"
    assert actions_of(draft) == [("emil", "step.added")]


def test_a_refused_save_as_new_is_shown_again(editor: Client) -> None:
    campaign = make_campaign(external_id="taken", steps=1)
    before = stored()
    answer = editor.post(campaign_url(campaign.pk), {**opened(editor, campaign), "_saveasnew": "1"})
    assert answer.context["adminform"].form.errors == {"external_id": ["Another campaign has this external id."]}
    assert stored() == before


def test_popups_write_by_the_domain(editor: Client) -> None:
    popup = {"_popup": "1", "_to_field": "id"}
    added = editor.post(reverse("admin:campaigns_campaign_add"), {"name": "New", **popup})
    campaign = Campaign.objects.get()
    assert str(campaign.pk) in added.content.decode()
    editor.post(campaign_url(campaign.pk), {**opened(editor, campaign), "name": "Changed", **popup})
    page = editor.get(campaign_url(campaign.pk, "delete"), popup)
    assert {name: FormReader.of(page).data[name] for name in popup} == popup
    editor.post(campaign_url(campaign.pk, "delete"), FormReader.of(page).data)
    assert actions_of(campaign) == [
        ("emil", "campaign.created"),
        ("emil", "campaign.changed"),
        ("emil", "campaign.deleted"),
    ]


def test_a_popup_deletes_nothing_that_may_not_be_deleted(editor: Client) -> None:
    campaign = make_campaign(status="active", steps=1)
    version = opened(editor, campaign)["page_version"]
    before = stored()
    form = {"post": "yes", "page_version": version, "_popup": "1"}
    assert "Only a draft can be deleted" in messages_of(editor.post(campaign_url(campaign.pk, "delete"), form))[0]
    assert stored() == before


@pytest.mark.parametrize("page", ["change", "delete"])
def test_objects_are_found_by_their_ids_alone(editor: Client, page: str) -> None:
    campaign = make_campaign(external_id="key")
    url = reverse(f"admin:campaigns_campaign_{page}", args=["key"])
    before = stored()
    assert editor.post(url, {**opened(editor, campaign), "post": "yes", "_to_field": "external_id"}).status_code == 400
    assert stored() == before


# --- Lists -----------------------------------------------------------------------------------------------------------


def test_a_list_that_is_sent_as_if_it_were_editable_changes_nothing(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    step = campaign.steps.get()
    before = stored()
    for url, pk, fields in ((LIST, campaign.pk, {"name": "x"}), (STEP_LIST, step.pk, {"template_id": "x"})):
        rows = {f"form-0-{name}": value for name, value in {**fields, "id": str(pk)}.items()}
        counts = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}
        editor.post(reverse(url), {**rows, **counts, "_save": "Save"})
    assert stored() == before


@pytest.mark.parametrize("model", [Campaign, CampaignStep])
def test_a_list_that_were_editable_would_save_nothing_past_the_domain(
    editor: Client, monkeypatch: pytest.MonkeyPatch, model: type[Any]
) -> None:
    field, url = ("name", LIST) if model is Campaign else ("template_version_id", STEP_LIST)
    monkeypatch.setattr(registered(model), "list_editable", (field,))
    monkeypatch.setattr(registered(model), "list_display", ("__str__", field))
    make_campaign(steps=1)
    row = {"form-0-id": str(model.objects.get().pk), f"form-0-{field}": "x"}
    before = stored()
    editor.raise_request_exception = False
    editor.post(reverse(url), {**row, "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "Save"})
    assert stored() == before


@pytest.fixture
def foreign_action(monkeypatch: pytest.MonkeyPatch) -> str:
    """An action of another app, in every list, that deletes a query set as Django's own does."""

    def purge(model_admin: Any, request: HttpRequest, queryset: Any) -> None:
        model_admin.delete_queryset(request, queryset)

    monkeypatch.setitem(admin.site._actions, "purge", purge)
    return "purge"


def send_action(client: Client, url: str, action: str, *objects: Any) -> list[str]:
    ids = [str(each.pk) for each in objects]
    return messages_of(client.post(reverse(url), {"action": action, "_selected_action": ids, "index": "0"}))


def test_another_apps_action_deletes_by_the_domain(editor: Client, foreign_action: str) -> None:
    step = make_step(make_campaign(status="paused"))
    drafts = [make_campaign(name=name, steps=1) for name in ("One", "Two")]
    assert send_action(editor, LIST, foreign_action, *drafts) == []
    assert send_action(editor, STEP_LIST, foreign_action, step) == []
    assert [actions_of(draft) for draft in drafts] == [[("emil", "campaign.deleted")]] * 2
    assert actions_of(step.campaign) == [("emil", "step.deleted")]
    assert (Campaign.objects.count(), CampaignStep.objects.count()) == (1, 0)


def test_another_apps_action_deletes_all_or_nothing(editor: Client, foreign_action: str) -> None:
    live, draft = make_campaign(name="Live", status="active", steps=1), make_campaign(name="Draft", steps=1)
    assert list(Campaign.objects.all()) == [draft, live]  # so that the one which is refused comes last
    before = stored()
    (said,) = send_action(editor, LIST, foreign_action, live, draft)
    assert said == "Only a draft can be deleted; this campaign is active. A campaign that has run can be archived."
    said = send_action(editor, STEP_LIST, foreign_action, *draft.steps.all(), *live.steps.all())[-1]
    assert said == "The campaign is active: its steps can't be changed until it is paused."
    assert stored() == before


def test_no_action_deletes_by_a_query_of_its_own(publisher: Client) -> None:
    request = publisher.get(reverse(LIST)).wsgi_request
    chosen = {model: registered(model).get_actions(request) for model in (Campaign, CampaignStep, HistoryEntry)}
    assert {model: list(found) for model, found in chosen.items()} == {
        Campaign: ["activate", "pause", "complete", "archive", "delete_selected"],
        CampaignStep: ["replace_template_version", "delete_selected"],
        HistoryEntry: [],
    }
    assert [found["delete_selected"][0] for found in chosen.values() if found] == [
        CampaignAdmin.delete_selected,
        CampaignStepAdmin.delete_selected,
    ]


# --- Inline rows, and whatever else hangs on an object ---------------------------------------------------------------


class StepInlineFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    @classmethod
    def get_default_prefix(cls) -> str:
        return "inline"  # the page's own steps have Django's


class StepInline(admin.TabularInline):  # type: ignore[type-arg]
    model = CampaignStep
    formset = StepInlineFormSet
    fields = ("template_id",)
    extra = 0


def test_inline_rows_would_not_be_saved_past_the_domain(editor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered(Campaign), "inlines", (StepInline,))
    campaign = make_campaign(steps=1)
    form = opened(editor, campaign) | {"name": "Changed"}
    fields = {"id": campaign.steps.get().pk, "campaign": campaign.pk, "template_id": "x"}
    form |= {f"inline-0-{name}": str(value) for name, value in fields.items()}
    before = stored()
    answer = editor.post(campaign_url(campaign.pk), {**form, "inline-TOTAL_FORMS": "1", "inline-INITIAL_FORMS": "1"})
    assert answer.status_code == 403
    assert stored() == before


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_the_history_takes_no_action_of_another_app(root: Client, foreign_action: str) -> None:
    campaign = make_campaign()
    root.post(campaign_url(campaign.pk), {**opened(root, campaign), "name": "Changed"})
    before = stored()
    send_action(root, "admin:campaigns_historyentry_changelist", foreign_action, HistoryEntry.objects.get())
    assert stored() == before


@pytest.mark.parametrize("page", ["add", "change", "delete"])
@pytest.mark.parametrize("extra", [{}, {"_saveasnew": "1"}, {"_popup": "1"}])
def test_the_history_is_written_by_no_page(root: Client, page: str, extra: dict[str, str]) -> None:
    campaign = make_campaign()
    root.post(campaign_url(campaign.pk), {**opened(root, campaign), "name": "Changed"})
    entry = HistoryEntry.objects.get()
    url = reverse(f"admin:campaigns_historyentry_{page}", args=[] if page == "add" else [entry.pk])
    before = stored()
    values = {"actor_name": "forged", "action": "campaign.created", "campaign_id": str(campaign.pk), "post": "yes"}
    assert root.post(url, {**values, **extra}).status_code == 403
    assert stored() == before


def test_the_history_stays_where_an_account_that_is_in_it_is_deleted(editor: Client, root: Client) -> None:
    campaign = make_campaign(name="Draft")
    editor.post(campaign_url(campaign.pk), {**opened(editor, campaign), "name": "Changed"})
    emil = User.objects.get(username="emil")
    before = stored()
    root.post(reverse("admin:auth_user_delete", args=[emil.pk]), {"post": "yes"})
    assert not User.objects.filter(username="emil").exists()
    assert stored() == before
