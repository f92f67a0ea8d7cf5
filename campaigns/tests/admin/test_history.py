"""The history in the admin: every change, whichever way it was made; and nobody rewrites it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import Action, ActorType, Campaign, HistoryEntry
from campaigns.steps import add_step, change_step, remove_step
from campaigns.tests.admin.pages import campaign_url, delete, opened, row, save, with_new_row
from campaigns.tests.factories import ACTOR, history_of, make_campaign, make_step, step_fields, stored, told

TOKEN = Actor(ActorType.TOKEN, "crm", "crm", "https://issuer.example/")
COMMAND = Actor(ActorType.COMMAND, "seed_campaigns", "seed_campaigns")


@pytest.fixture
def campaign(editor: Client) -> Campaign:
    """A campaign that was made by a command, given a step over the API, and changed in the admin."""
    campaign = lifecycle.create_campaign(name="Welcome", actor=COMMAND)
    add_step(campaign.id, step_fields(0), actor=TOKEN)
    save(editor, campaign, opened(editor, campaign) | {"name": "Renamed"} | row(0, template_id="new"))
    return campaign


def changes_of(answer: object) -> list[tuple[str, str, str, list[tuple[str, str, str]]]]:
    changes = answer.context["changes"]  # type: ignore[attr-defined]
    return [(change.entry.actor_name, change.way, change.verb, list(change.fields)) for change in changes]


def test_the_history_page_tells_who_changed_what_in_whichever_way(viewer: Client, campaign: Campaign) -> None:
    assert changes_of(viewer.get(campaign_url(campaign.pk, "history"))) == [
        ("emil", "admin", "changed a step", [("template id", "t0", "new")]),
        ("emil", "admin", "changed the campaign", [("name", "Welcome", "Renamed")]),
        (
            "crm",
            "API",
            "added a step",
            [
                ("position", "-", "0"),
                ("template id", "-", "t0"),
                ("template version id", "-", "t0-v1"),
                ("delay", "-", "at once"),
                ("variables", "-", "{}"),
            ],
        ),
        (
            "seed_campaigns",
            "command",
            "created the campaign",
            [("name", "-", "Welcome"), ("steps", "-", "0")],
        ),
    ]


def test_a_save_tells_of_each_step_what_was_changed_from_what_to_what(editor: Client) -> None:
    campaign = make_campaign(steps=4)
    removed, changed, _, moved = campaign.steps.order_by("position")
    form = opened(editor, campaign) | row(0, DELETE="on") | row(1, template_version_id="new", variables='{"a": true}')
    form = form | row(3, position=9)
    save(editor, campaign, with_new_row(form, position=0, template_id="first", template_version_id="v1"))
    added = campaign.steps.get(position=0)
    assert told(campaign) == [
        ("step.deleted", removed.fields._asdict(), None),
        ("step.added", None, added.fields._asdict()),
        (
            "step.changed",
            {"template_version_id": "t1-v1", "variables": {}},
            {"template_version_id": "new", "variables": {"a": True}},
        ),
        ("step.changed", {"position": 3}, {"position": 9}),
    ]
    steps = [entry["step_id"] for entry in history_of(campaign)]
    assert steps == [removed.pk, added.pk, changed.pk, moved.pk]


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(row(0, position=2) | row(2, position=0), id="up and down"),
        pytest.param(row(1, position=11) | row(2, position=9), id="up, in another order"),
        pytest.param(row(2, position=5) | row(3, position=9), id="up and down, in the same order"),
    ],
)
def test_a_save_that_only_moves_steps_counts_them(editor: Client, moved: dict[str, str]) -> None:
    campaign = make_campaign(steps=3)
    make_step(campaign, 10)
    save(editor, campaign, opened(editor, campaign) | moved)
    assert told(campaign) == [("steps.reordered", None, {"steps": 2})]
    page = editor.get(campaign_url(campaign.pk, "history"))
    assert list(page.context["changes"][0].fields) == [("steps with another position than before", "-", "2")]


def test_a_step_that_is_inserted_moves_the_others_down(editor: Client) -> None:
    campaign = make_campaign(steps=3)
    form = opened(editor, campaign) | row(1, position=2) | row(2, position=3)
    save(editor, campaign, with_new_row(form, position=1, template_id="new", template_version_id="v1"))
    assert told(campaign)[0] == ("steps.shifted", None, {"from_position": 1, "to_position": 3, "steps": 2})
    assert [action for action, _, _ in told(campaign)] == ["steps.shifted", "step.added"]


def test_one_and_true_are_a_change_of_variables(editor: Client) -> None:
    campaign = make_campaign()
    make_step(campaign, variables={"a": 1})
    save(editor, campaign, opened(editor, campaign) | row(0, variables='{"a": true}'))
    assert told(campaign) == [("step.changed", {"variables": {"a": 1}}, {"variables": {"a": True}})]


def test_the_history_names_steps_and_campaigns_and_leads_to_them(admin_client: Client) -> None:
    campaign = make_campaign(steps=2)
    step, gone = campaign.steps.order_by("position")
    change_step(campaign.pk, step.pk, {"template_id": "new"}, actor=ACTOR)
    change_step(campaign.pk, gone.pk, {"position": 7}, actor=ACTOR)
    remove_step(campaign.pk, gone.pk, actor=ACTOR)
    page = admin_client.get(campaign_url(campaign.pk, "history"))
    step_url = reverse("admin:campaigns_campaignstep_change", args=[step.pk])
    assert [(change.step, change.step_url) for change in page.context["changes"]] == [
        ("position 7 (t1)", ""),
        ("position 1", ""),
        ("position 0 (t0)", step_url),
    ]
    link = f'<a href="{step_url}">position 0 (t0)</a>'
    assert link in page.content.decode()
    everything = admin_client.get(reverse("admin:campaigns_historyentry_changelist")).content.decode()
    entry = HistoryEntry.objects.earliest("id")
    of_entry = admin_client.get(reverse("admin:campaigns_historyentry_change", args=[entry.pk])).content.decode()
    for text in (everything, of_entry):
        assert f'<a href="{campaign_url(campaign.pk)}">Welcome</a>' in text
        assert link in text
        assert f"{entry.created_at:%H:%M:%S} UTC" in text
    assert "<del>t0</del><span>→</span><ins>new</ins>" in of_entry


def test_the_campaign_page_shows_the_last_changes(viewer: Client, campaign: Campaign) -> None:
    recent = viewer.get(campaign_url(campaign.pk)).context["recent_changes"]
    assert [change.entry.actor_name for change in recent] == ["emil", "emil", "crm", "seed_campaigns"]


def test_the_history_of_a_deleted_campaign_can_still_be_found(editor: Client, campaign: Campaign) -> None:
    delete(editor, campaign_url(campaign.pk, "delete"))
    answer = editor.get(reverse("admin:campaigns_historyentry_changelist"), {"q": str(campaign.pk)})
    assert [entry.action for entry in answer.context["cl"].result_list] == [
        Action.CAMPAIGN_DELETED,
        Action.STEP_CHANGED,
        Action.CAMPAIGN_CHANGED,
        Action.STEP_ADDED,
        Action.CAMPAIGN_CREATED,
    ]


@pytest.mark.parametrize("term", ["no-id", "\x00", "0" * 5_000])
def test_a_search_for_what_is_no_id_finds_nothing(admin_client: Client, campaign: Campaign, term: str) -> None:
    answer = admin_client.get(reverse("admin:campaigns_historyentry_changelist"), {"q": term}, follow=True)
    assert list(answer.context["cl"].result_list) in ([], list(HistoryEntry.objects.all()))


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_not_even_a_superuser_rewrites_it(admin_client: Client, campaign: Campaign, page: str) -> None:
    entry = HistoryEntry.objects.latest("id")
    before = stored()
    args = [] if page == "add" else [entry.pk]
    answer = admin_client.post(reverse(f"admin:campaigns_historyentry_{page}", args=args), {"post": "yes"})
    assert answer.status_code == 403
    assert stored() == before


def test_a_campaign_without_history_says_so(viewer: Client) -> None:
    page = viewer.get(campaign_url(make_campaign().pk, "history")).content.decode()
    assert "Nothing was recorded for this campaign." in page


def test_delays_variables_and_times_read_as_people_write_them(viewer: Client) -> None:
    campaign = make_campaign(steps=1)
    step = campaign.steps.get()
    change_step(campaign.pk, step.pk, {"delay_minutes": 3 * 1440, "variables": {"ok": True}}, actor=ACTOR)
    answer = viewer.get(campaign_url(campaign.pk, "history"))
    (change,) = answer.context["changes"]
    assert list(change.fields) == [("delay", "at once", "3 d"), ("variables", "{}", '{\n  "ok": true\n}')]
    assert f"{change.entry.created_at:%H:%M:%S} UTC</time>" in answer.content.decode()


def test_staff_read_times_in_their_zone_and_programs_in_utc(
    settings: Settings, editor: Client, client: APIClient
) -> None:
    settings.STAFF_TIME_ZONE = ZoneInfo("Asia/Kolkata")
    campaign = lifecycle.create_campaign(name="Welcome", actor=ACTOR)
    at = HistoryEntry.objects.get().created_at
    here = f"{at + timedelta(hours=5, minutes=30):%-d %b %Y, %H:%M:%S} IST"
    for url in (
        campaign_url(campaign.pk),
        campaign_url(campaign.pk, "history"),
        reverse("admin:campaigns_campaign_changelist"),
        reverse("admin:campaigns_historyentry_changelist"),
    ):
        assert here in editor.get(url).content.decode()
    (entry,) = client.get(f"/v1/messaging/campaigns/{campaign.pk}/history").json()["results"]
    assert datetime.fromisoformat(entry["at"]) == at
    assert entry["at"].endswith("Z")
