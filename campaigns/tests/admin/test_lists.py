"""The list of campaigns: what it shows, finds and filters; and what the pages cost, whatever their size."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import lifecycle
from campaigns.history import Actor
from campaigns.models import ActorType, Campaign
from campaigns.tests.admin.pages import campaign_url, opened, row, save, status_url
from campaigns.tests.factories import make_campaign, make_step

LIST = "admin:campaigns_campaign_changelist"
STEP_LIST = "admin:campaigns_campaignstep_changelist"


def names(answer: object) -> list[str]:
    return [campaign.name for campaign in answer.context["cl"].result_list]  # type: ignore[attr-defined]


def test_a_row_shows_status_steps_duration_and_the_last_change(viewer: Client) -> None:
    campaign = make_campaign(name="Welcome", status="paused", external_id="crm-1")
    make_step(campaign, 0, delay_minutes=60)
    make_step(campaign, 3, delay_minutes=1501)
    lifecycle.change_campaign(
        campaign.pk, {"description": "new"}, actor=Actor(ActorType.TOKEN, "crm", "crm sync", "https://i.example/")
    )
    page = viewer.get(reverse(LIST)).content.decode()
    shown = ["Welcome", "badge-paused", ">2<", "1 d 2 h 1 min", "by crm sync", "crm-1"]
    assert [text for text in shown if text not in page] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "wel"}, ["Welcome back", "Welcome"]),
        ({"q": "CRM-"}, ["Welcome"]),
        ({"q": "t1"}, ["Two steps"]),
        ({"q": "t0-v1"}, ["Two steps", "Welcome"]),
        ({"q": "t0-v"}, []),
        ({"q": "nothing"}, []),
        ({"q": "\x00"}, ["Two steps", "Welcome back", "Welcome"]),
        ({"status__exact": "paused"}, ["Welcome back"]),
        ({"steps": "none"}, ["Welcome back"]),
        ({"steps": "some"}, ["Two steps", "Welcome"]),
        ({"q": "wel", "status__exact": "draft"}, ["Welcome"]),
    ],
)
def test_campaigns_are_searched_and_filtered(viewer: Client, query: dict[str, str], found: list[str]) -> None:
    make_campaign(name="Welcome", external_id="crm-1", steps=1)
    make_campaign(name="Welcome back", status="paused")
    make_campaign(name="Two steps", steps=2)
    assert names(viewer.get(reverse(LIST), query)) == found


def test_pages_follow_each_other_without_a_count_over_everything(viewer: Client) -> None:
    Campaign.objects.bulk_create(Campaign(name=f"C{number:03}") for number in range(451))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        first = viewer.get(reverse(LIST))
    counts = [query["sql"] for query in queries if "COUNT(*)" in query["sql"] and "SELECT COUNT" in query["sql"]]
    assert ["LIMIT 301" in sql for sql in counts] == [True]
    assert "more than 300 campaigns" in first.content.decode()
    pages = [name for page in range(1, 11) for name in names(viewer.get(reverse(LIST), {"p": page}))]
    assert pages == [f"C{number:03}" for number in reversed(range(451))]


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "99999999999999999999", "\x00"])
def test_a_page_number_that_is_none_is_no_crash(viewer: Client, page: str) -> None:
    make_campaign()
    for url in (LIST, STEP_LIST, "admin:campaigns_historyentry_changelist"):
        assert viewer.get(reverse(url), {"p": page}, follow=True).status_code == 200


# --- What it costs ---------------------------------------------------------------------------------------------------


def queries_of(work: Callable[[], object]) -> int:
    """How many statements, transaction control and savepoints left out: they differ between databases."""
    with CaptureQueriesContext(connection) as queries:
        work()
    return sum(not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for query in queries)


@pytest.mark.parametrize("campaigns", [1, 40])
def test_the_list_costs_the_same_with_1_and_40_campaigns(viewer: Client, campaigns: int) -> None:
    for number in range(campaigns):
        make_campaign(name=f"C{number}", steps=2)
    viewer.get(reverse(LIST))
    # session, user, permissions (twice: the user's and the groups'), count, rows
    assert queries_of(lambda: viewer.get(reverse(LIST))) == 6


@pytest.mark.parametrize("steps", [1, 40])
def test_the_step_list_costs_the_same_with_1_and_40_steps(viewer: Client, steps: int) -> None:
    for number in range(steps):
        make_campaign(name=f"C{number}", steps=1)
    viewer.get(reverse(STEP_LIST))
    assert queries_of(lambda: viewer.get(reverse(STEP_LIST))) == 6


@pytest.mark.parametrize("steps", [3, 200])
def test_the_campaign_page_costs_the_same_with_3_and_200_steps(publisher: Client, steps: int) -> None:
    campaign = make_campaign(steps=steps)
    opened(publisher, campaign)
    assert queries_of(lambda: publisher.get(campaign_url(campaign.pk))) == 10


@pytest.mark.parametrize("steps", [3, 60])  # Django writes 70 entries of the history at once on SQLite
def test_saving_costs_the_same_with_3_and_60_steps(publisher: Client, steps: int) -> None:
    campaign = make_campaign(steps=steps)
    form = opened(publisher, campaign) | {"name": "New"}
    for number in range(1, steps):
        form |= row(number, position=steps - number, template_id=f"new{number}")
    form |= row(0, DELETE="on")
    assert queries_of(lambda: save(publisher, campaign, form)) == 19


@pytest.mark.parametrize("steps", [3, 200])
def test_creating_costs_the_same_with_3_and_200_steps(publisher: Client, steps: int) -> None:
    form = {"name": "New", "steps-TOTAL_FORMS": str(steps), "steps-INITIAL_FORMS": "0"}
    for number in range(steps):
        form |= row(number, position=number, template_id="t", template_version_id="v")
    publisher.get(reverse(LIST))
    assert queries_of(lambda: publisher.post(reverse("admin:campaigns_campaign_add"), form)) == 9
    assert Campaign.objects.get().steps.count() == steps


@pytest.mark.parametrize("steps", [3, 200])
def test_asking_and_activating_cost_the_same_with_3_and_200_steps(publisher: Client, steps: int) -> None:
    campaign = make_campaign(steps=steps)
    url = status_url(campaign, "active")
    publisher.get(url)
    version: dict[str, str] = {}
    assert queries_of(lambda: version.update(page_version=publisher.get(url).context["page_version"])) == 9
    assert queries_of(lambda: publisher.post(url, version)) == 15  # three of them freeze the steps


def test_no_page_takes_more_than_15_queries(publisher: Client) -> None:
    campaign = make_campaign(steps=350, status="paused")
    make_step(campaign, 900, template_version_id="t349-v1", delay_minutes=400 * 1440)
    step = campaign.steps.get(position=120)
    pages = [
        reverse(LIST),
        f"{reverse(LIST)}?q=t1",
        reverse(STEP_LIST),
        campaign_url(campaign.pk),
        f"{campaign_url(campaign.pk)}?at=250",
        f"{campaign_url(campaign.pk)}?q=t1",
        campaign_url(campaign.pk, "history"),
        status_url(campaign, "active"),
        status_url(campaign, "completed"),
        reverse("admin:campaigns_campaignstep_change", args=[step.pk]),
        reverse("admin:campaigns_historyentry_changelist"),
        reverse("admin:index"),
    ]
    publisher.get(pages[0])
    cost = {page: queries_of(lambda page=page: publisher.get(page)) for page in pages}  # type: ignore[misc]
    assert {page: count for page, count in cost.items() if count > 15} == {}
