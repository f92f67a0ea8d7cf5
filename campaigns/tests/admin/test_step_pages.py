"""The pages of single steps, across campaigns, and replacing a template version in many of them."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import ActorType, Campaign, CampaignStep
from campaigns.steps import change_step, remove_step
from campaigns.tests.admin.pages import FormReader, messages_of
from campaigns.tests.factories import history_of, make_campaign, make_step, new_step, stored

LIST = "admin:campaigns_campaignstep_changelist"
ADD = "admin:campaigns_campaignstep_add"
ADA = Actor(ActorType.TOKEN, "ada", "ada", "https://issuer.example/")


def step_url(step: CampaignStep, page: str = "change") -> str:
    return reverse(f"admin:campaigns_campaignstep_{page}", args=[step.pk])


def listed(answer: object) -> list[tuple[str, int]]:
    return [(step.campaign.name, step.position) for step in answer.context["cl"].result_list]  # type: ignore[attr-defined]


def test_the_list_has_newest_campaigns_first_each_in_order(viewer: Client) -> None:
    for name in ("Old", "New"):
        campaign = make_campaign(name=name)
        for position in (5, 1):
            make_step(campaign, position)
    assert listed(viewer.get(reverse(LIST))) == [("New", 1), ("New", 5), ("Old", 1), ("Old", 5)]


@pytest.mark.parametrize(
    ("term", "found"), [("t1", [("B", 1)]), ("t0-v1", [("B", 0), ("A", 0)]), ("t", []), ("\x00", None), (" ", None)]
)
def test_the_list_is_searched_by_whole_template_and_version_ids(
    viewer: Client, term: str, found: list[tuple[str, int]] | None
) -> None:
    make_campaign(name="A", steps=1)
    make_campaign(name="B", steps=2)
    everything = [("B", 0), ("B", 1), ("A", 0)]
    assert listed(viewer.get(reverse(LIST), {"q": term})) == (everything if found is None else found)


def test_a_step_is_added(editor: Client) -> None:
    campaign = make_campaign(steps=1)
    assert (
        ">After the previous step was sent; for the first step, after the" in editor.get(reverse(ADD)).content.decode()
    )
    form = {"campaign": str(campaign.pk), "position": "4", "template_id": "a", "template_version_id": "b"}
    editor.post(reverse(ADD), {**form, "delay_minutes_hours": "2", "variables": '{"x": 1}'})
    assert campaign.steps.get(position=4).fields == (4, "a", "b", 120, {"x": 1})
    assert [entry["action"] for entry in history_of(campaign)] == ["step.added"]


def test_a_taken_position_is_told_at_the_field(editor: Client) -> None:
    campaign = make_campaign(steps=2)
    before = stored()
    form = {"campaign": str(campaign.pk), "position": "0", "template_id": "a", "template_version_id": "b"}
    answer = editor.post(reverse(ADD), form)
    assert answer.context["adminform"].form.errors == {
        "position": ["Position 0 holds another step. The next free position is 2."]
    }
    assert stored() == before


@pytest.mark.parametrize("status", ["active", "completed", "archived"])
def test_no_step_is_added_to_a_campaign_that_is_not_editable(editor: Client, status: str) -> None:
    campaign = make_campaign(status=status)
    before = stored()
    form = {"campaign": str(campaign.pk), "position": "0", "template_id": "a", "template_version_id": "b"}
    assert "campaign" in editor.post(reverse(ADD), form).context["adminform"].form.errors
    assert stored() == before


def test_a_step_is_changed_and_stays_in_its_campaign(editor: Client) -> None:
    step = make_step(make_campaign(), variables={"a": 1}, delay_minutes=1501)
    other = make_campaign(name="Other")
    form = FormReader.of(editor.get(step_url(step))).data
    assert form["delay_minutes_days"] + form["delay_minutes_hours"] + form["delay_minutes_minutes"] == "111"
    editor.post(step_url(step), form | {"template_version_id": "v2", "campaign": str(other.pk)})
    step.refresh_from_db()
    assert (step.campaign.name, *step.fields) == ("Welcome", 0, "t0", "v2", 1501, {"a": 1})


def test_a_step_that_someone_changed_meanwhile_is_not_overwritten(editor: Client) -> None:
    step = make_step(make_campaign())
    form = FormReader.of(editor.get(step_url(step))).data | {"template_id": "mine"}
    change_step(step.campaign_id, step.pk, {"delay_minutes": 5}, actor=ADA)
    before = stored()
    answer = editor.post(step_url(step), form)
    assert answer.context["adminform"].form.non_field_errors() == [
        "It was changed while you had it open. Nothing of yours has been saved yet."
    ]
    merged = FormReader.of(answer).data
    assert {name: merged[name] for name in form} == form | {"delay_minutes_minutes": "5"}
    assert [change.verb for change in answer.context["conflict"]] == ["changed a step"]
    assert stored() == before
    refused = editor.post(step_url(step), merged)
    assert stored() == before
    editor.post(step_url(step), FormReader.of(refused).data | {"_overwrite": "1"})
    step.refresh_from_db()
    assert (step.template_id, step.delay_minutes) == ("mine", 5)


@pytest.mark.parametrize(("choice", "outcome"), [("mine", "mine"), ("theirs", "hers")])
def test_where_both_changed_a_field_of_a_step_the_person_chooses(editor: Client, choice: str, outcome: str) -> None:
    step = make_step(make_campaign())
    form = FormReader.of(editor.get(step_url(step))).data | {"template_id": "mine"}
    change_step(step.campaign_id, step.pk, {"template_id": "hers"}, actor=ADA)
    answer = editor.post(step_url(step), form)
    page = FormReader.of(answer).data | {"choice-template_id": choice, "_overwrite": "1"}
    editor.post(step_url(step), page)
    assert [(each.mine, each.theirs) for each in answer.context["merge"].conflicts] == [("mine", "hers")]
    step.refresh_from_db()
    assert step.template_id == outcome


def test_what_was_typed_for_a_step_that_is_deleted_meanwhile_can_be_saved_as_new(editor: Client) -> None:
    step = make_step(make_campaign())
    form = FormReader.of(editor.get(step_url(step))).data | {"template_id": "mine"}
    remove_step(step.campaign_id, step.pk, actor=ADA)
    answer = editor.post(step_url(step), form)
    assert "This campaign step was deleted meanwhile." in answer.content.decode()
    editor.post(reverse(ADD), FormReader.of(answer).data | {"campaign": str(step.campaign_id)})
    assert step.campaign.steps.get().template_id == "mine"


@pytest.mark.parametrize("status", ["active", "completed", "archived"])
def test_a_step_of_a_campaign_that_is_not_editable_is_shown_and_not_written(editor: Client, status: str) -> None:
    step = make_step(make_campaign())
    form = FormReader.of(editor.get(step_url(step))).data | {"template_id": "mine"}
    Campaign.objects.update(status=status)
    page = editor.get(step_url(step))
    assert FormReader.of(page).buttons == set()
    assert f"while its campaign is {status}" in page.content.decode()
    before = stored()
    answer = editor.post(step_url(step), form)
    assert f"The campaign is {status}" in answer.context["adminform"].form.non_field_errors()[0]
    assert FormReader.of(answer).data == form
    deletion = editor.post(step_url(step, "delete"), {"post": "yes", "page_version": "1"})
    assert f"The campaign is {status}" in messages_of(deletion)[0]
    assert stored() == before


def test_a_steps_history_is_its_campaigns(viewer: Client) -> None:
    step = make_step(make_campaign())
    answer = viewer.get(step_url(step, "history"))
    assert answer.headers["Location"] == reverse("admin:campaigns_campaign_history", args=[step.campaign_id])


# --- Replace template version ----------------------------------------------------------------------------------------


def chosen(steps: list[CampaignStep], **more: str) -> dict[str, object]:
    ids = [str(step.pk) for step in steps]
    return {"action": "replace_template_version", "_selected_action": ids, **more}


@pytest.fixture
def steps() -> list[CampaignStep]:
    """One step that can be changed, one that can't, and one that has the new version already."""
    return [
        make_step(make_campaign(name="Draft"), template_version_id="v1"),
        make_step(make_campaign(name="Live", status="active"), template_version_id="v1"),
        make_step(make_campaign(name="Done"), template_version_id="v2"),
    ]


def test_the_preview_names_what_will_be_left_as_it_is(editor: Client, steps: list[CampaignStep]) -> None:
    before = stored()
    assert "New template version" in editor.post(reverse(LIST), chosen(steps)).content.decode()
    preview = editor.post(reverse(LIST), chosen(steps, template_version_id="v2"))
    assert {row.campaign.name: row.refusal for row in preview.context["rows"]} == {
        "Draft": "",
        "Live": "The campaign is active: its steps can't be changed until it is paused.",
        "Done": "It has this version already.",
    }
    assert stored() == before


def test_the_version_is_replaced_where_it_can_be(editor: Client, steps: list[CampaignStep]) -> None:
    preview = editor.post(reverse(LIST), chosen(steps, template_version_id="v2"))
    answer = editor.post(reverse(LIST), FormReader.of(preview).data | chosen(steps))
    assert dict(CampaignStep.objects.values_list("campaign__name", "template_version_id")) == {
        "Draft": "v2",
        "Live": "v1",
        "Done": "v2",
    }
    (told,) = history_of(steps[0].campaign)
    assert (told["action"], told["actor_name"], told["step_id"]) == ("step.changed", "emil", steps[0].pk)
    assert [told[when] for when in ("before", "after")] == [{"template_version_id": it} for it in ("v1", "v2")]
    assert [CampaignStep.objects.get(pk=step.pk).version - step.version for step in steps] == [1, 0, 0]
    assert history_of(steps[2].campaign) == []
    assert messages_of(answer) == [
        (
            "1 step now uses v2. Left as they are: “Live” (1 step): "
            "The campaign is active: its steps can't be changed until it is paused."
        )
    ]


def test_a_version_is_replaced_in_all_that_the_list_holds_by_one_action(
    editor: Client, steps: list[CampaignStep]
) -> None:
    long = make_campaign(name="Long")
    CampaignStep.objects.bulk_create(
        new_step(long, position, template_version_id="v1" if position else "v2") for position in range(5000)
    )
    url = f"{reverse(LIST)}?q=v1"
    asked = chosen(steps[:1], select_across="1", index="0")
    first = FormReader.of(editor.post(url, asked)).data | {"template_version_id": "v2"}
    preview = editor.post(url, first)
    assert (preview.context["count"], preview.context["left"]) == (5000, 1)
    form = FormReader.of(preview).data
    with CaptureQueriesContext(connection) as queries:
        answer = editor.post(url, form)
    assert answer.headers["Location"] == url
    assert len(queries) <= 40
    assert CampaignStep.objects.filter(template_version_id="v2").count() == 5002
    assert messages_of(answer)[0].startswith("5,000 steps now use v2. Left as they are: “Live” (1 step): ")
    assert [(entry["action"], entry["after"]) for entry in history_of(long)] == [
        ("steps.replaced", {"added": 0, "changed": 4999, "removed": 0, "template_version_id": "v2"})
    ]


def test_what_was_not_shown_is_not_replaced(editor: Client, steps: list[CampaignStep]) -> None:
    url = f"{reverse(LIST)}?q=v1"
    asked = chosen(steps[:1], select_across="1", index="0")
    preview = editor.post(url, FormReader.of(editor.post(url, asked)).data | {"template_version_id": "v2"})
    late = make_step(make_campaign(name="Late"), template_version_id="v1")
    make_step(steps[0].campaign, 9, template_version_id="v1")
    before = list(CampaignStep.objects.order_by("pk").values())
    answer = editor.post(url, FormReader.of(preview).data)
    assert list(CampaignStep.objects.order_by("pk").values()) == before
    assert messages_of(answer)[0].startswith(f"0 steps now use v2. Left as they are: “{late.campaign}” (1 step): ")


def test_a_step_that_was_changed_after_the_preview_is_left_as_it_is(editor: Client, steps: list[CampaignStep]) -> None:
    preview = FormReader.of(editor.post(reverse(LIST), chosen(steps[:1], template_version_id="v2"))).data
    change_step(steps[0].campaign_id, steps[0].pk, {"template_version_id": "v9"}, actor=ADA)
    editor.post(reverse(LIST), preview)
    steps[0].refresh_from_db()
    assert steps[0].template_version_id == "v9"


@pytest.mark.parametrize("version", ["", "  ", "v" * 256])
def test_a_faulty_version_is_told_at_the_field(editor: Client, steps: list[CampaignStep], version: str) -> None:
    before = stored()
    answer = editor.post(reverse(LIST), chosen(steps, template_version_id=version, confirmed="1"))
    assert list(answer.context["form"].errors) == ["template_version_id"]
    assert stored() == before


def test_a_deleted_campaigns_step_is_gone(editor: Client) -> None:
    step = make_step(make_campaign())
    lifecycle.delete_campaign(step.campaign_id, actor=ADA)
    assert editor.get(step_url(step)).status_code == 302
