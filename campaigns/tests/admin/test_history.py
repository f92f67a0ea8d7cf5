"""The history in the admin: every change, whichever way it was made; and nobody rewrites it."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import Action, ActorType, Campaign, HistoryEntry
from campaigns.steps import add_step, change_step
from campaigns.tests.admin.pages import campaign_url, delete, opened, row, save
from campaigns.tests.factories import ACTOR, make_campaign, step_fields, stored

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
        ("emil", "admin", "changed the steps", [("changed", "-", "1")]),
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


def test_the_campaign_page_shows_the_last_changes(viewer: Client, campaign: Campaign) -> None:
    recent = viewer.get(campaign_url(campaign.pk)).context["recent_changes"]
    assert [change.entry.actor_name for change in recent] == ["emil", "emil", "crm", "seed_campaigns"]


def test_the_history_of_a_deleted_campaign_can_still_be_found(editor: Client, campaign: Campaign) -> None:
    delete(editor, campaign_url(campaign.pk, "delete"))
    answer = editor.get(reverse("admin:campaigns_historyentry_changelist"), {"q": str(campaign.pk)})
    assert [entry.action for entry in answer.context["cl"].result_list] == [
        Action.CAMPAIGN_DELETED,
        Action.STEPS_REPLACED,
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
