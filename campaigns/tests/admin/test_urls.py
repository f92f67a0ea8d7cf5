"""Every address that Django's admin serves for this project has a case here; a new one without a case is a failure."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.tests.admin.conftest import Login
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_fields, stored

FIELD = {"app_label": "campaigns", "model_name": "campaignstep", "field_name": "campaign"}
AUTOCOMPLETE = f"autocomplete/?{urlencode(FIELD)}"
MODELS = {"campaign": Campaign, "campaignstep": CampaignStep, "historyentry": HistoryEntry}

# For each route: what is asked for, the answer's status, and a text on the page or the place that it leads to.
CASES: dict[str, tuple[str, int, str]] = {
    "": ("", 200, "Campaign steps"),
    "login/": ("login/", 302, "/admin/"),
    "logout/": ("logout/", 405, ""),
    "password_change/": ("password_change/", 200, "Old password"),
    "password_change/done/": ("password_change/done/", 200, "Your password was changed"),
    "autocomplete/": (AUTOCOMPLETE, 200, '"text": "Welcome"'),
    "jsi18n/": ("jsi18n/", 200, "catalog"),
    "r/<path:content_type_id>/<path:object_id>/": ("r/{content_type}/{campaign}/", 404, ""),
    "^(?P<app_label>auth|campaigns)/$": ("campaigns/", 200, "History entries"),
    "(?P<url>.*)$": ("unknown", 404, ""),
    "campaigns/campaign/": ("campaigns/campaign/", 200, "Welcome"),
    "campaigns/campaign/add/": ("campaigns/campaign/add/", 200, "New campaign"),
    "campaigns/campaign/templates/": ("campaigns/campaign/templates/", 404, ""),  # without a catalogue
    "campaigns/campaign/timeline/": ("campaigns/campaign/timeline/", 200, "No steps yet"),
    "campaigns/campaign/<path:object_id>/": (
        "campaigns/campaign/{campaign}/",
        302,
        "/admin/campaigns/campaign/{campaign}/change/",
    ),
    "campaigns/campaign/<path:object_id>/change/": ("campaigns/campaign/{campaign}/change/", 200, 'value="Welcome"'),
    "campaigns/campaign/<path:object_id>/delete/": ("campaigns/campaign/{campaign}/delete/", 200, "1 step"),
    "campaigns/campaign/<path:object_id>/history/": (
        "campaigns/campaign/{campaign}/history/",
        200,
        "created the campaign",
    ),
    "campaigns/campaign/<uuid:campaign_id>/status/<slug:target>/": (
        "campaigns/campaign/{campaign}/status/active/",
        200,
        "Activate “Welcome”?",
    ),
    "campaigns/campaign/<uuid:campaign_id>/revisions/": (
        "campaigns/campaign/{campaign}/revisions/",
        200,
        "was never activated",
    ),
    "campaigns/campaign/<uuid:campaign_id>/revisions/<int:number>/": (
        "campaigns/campaign/{campaign}/revisions/1/",
        404,
        "",
    ),
    "campaigns/campaign/<uuid:campaign_id>/duplicate/": (
        "campaigns/campaign/{campaign}/duplicate/",
        200,
        "Duplicate “Welcome”?",
    ),
    "campaigns/campaign/<uuid:campaign_id>/steps.<slug:format>": (
        "campaigns/campaign/{campaign}/steps.csv",
        200,
        "t0-v1",
    ),
    "campaigns/campaignstep/": ("campaigns/campaignstep/", 200, "t0-v1"),
    "campaigns/campaignstep/add/": ("campaigns/campaignstep/add/", 200, "Add campaign step"),
    "campaigns/campaignstep/<path:object_id>/": (
        "campaigns/campaignstep/{campaignstep}/",
        302,
        "/admin/campaigns/campaignstep/{campaignstep}/change/",
    ),
    "campaigns/campaignstep/<path:object_id>/change/": (
        "campaigns/campaignstep/{campaignstep}/change/",
        200,
        'value="t0-v1"',
    ),
    "campaigns/campaignstep/<path:object_id>/delete/": (
        "campaigns/campaignstep/{campaignstep}/delete/",
        200,
        "step 0",
    ),
    "campaigns/campaignstep/<path:object_id>/history/": (
        "campaigns/campaignstep/{campaignstep}/history/",
        302,
        "/admin/campaigns/campaign/{campaign}/history/",
    ),
    "campaigns/historyentry/": ("campaigns/historyentry/", 200, "campaign.created"),
    "campaigns/historyentry/add/": ("campaigns/historyentry/add/", 403, ""),
    "campaigns/historyentry/<path:object_id>/": (
        "campaigns/historyentry/{historyentry}/",
        302,
        "/admin/campaigns/historyentry/{historyentry}/change/",
    ),
    "campaigns/historyentry/<path:object_id>/change/": (
        "campaigns/historyentry/{historyentry}/change/",
        200,
        "campaign.created",
    ),
    "campaigns/historyentry/<path:object_id>/delete/": ("campaigns/historyentry/{historyentry}/delete/", 403, ""),
    "campaigns/historyentry/<path:object_id>/history/": (
        "campaigns/historyentry/{historyentry}/history/",
        200,
        "have a change history",
    ),
}
OF_AN_OBJECT = sorted(route for route in CASES if "object_id" in route or "campaign_id" in route)


def routes(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every route below; Django's own pages of users and groups left out."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif not route.startswith("auth/"):
            yield route


@pytest.fixture
def ids(db: None) -> dict[str, str]:
    """The id of one object of each kind, by the kind's name."""
    lifecycle.create_campaign(name="Welcome", steps=[step_fields(0)], actor=ACTOR)
    content_type = ContentType.objects.get_for_model(Campaign)
    return {name: str(model._default_manager.get().pk) for name, model in MODELS.items()} | {
        "content_type": str(content_type.pk)
    }


def test_every_address_has_a_case() -> None:
    assert sorted(routes(admin.site.urls[0])) == sorted(CASES)


@pytest.mark.parametrize("route", CASES)
def test_every_address_answers(publisher: Client, ids: dict[str, str], route: str) -> None:
    address, status, expected = CASES[route]
    answer = publisher.get(f"/admin/{address.format(**ids)}")
    assert answer.status_code == status
    if status == 302:
        assert answer.headers["Location"] == expected.format(**ids)
    else:
        assert expected in answer.content.decode()


@pytest.mark.parametrize("object_id", [str(UUID(int=1)), "x", "%00", "_2F", "é" * 300])
@pytest.mark.parametrize("route", OF_AN_OBJECT)
def test_an_address_of_nothing_says_so(publisher: Client, ids: dict[str, str], route: str, object_id: str) -> None:
    address = CASES[route][0].format(**dict.fromkeys(ids, object_id))
    before = stored()
    for method in (publisher.get, publisher.post):
        answer: Any = method(f"/admin/{address}", {}, follow=True)
        assert answer.status_code in (200, 403, 404)
        if answer.status_code == 200:
            assert [str(message) for message in answer.context["messages"]] != []
    assert stored() == before


@pytest.mark.parametrize("route", sorted(set(CASES) - {"login/", "logout/", "jsi18n/"}))
def test_who_is_not_logged_in_is_asked_to(ids: dict[str, str], route: str) -> None:
    answer = Client().get(f"/admin/{CASES[route][0].format(**ids)}")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(("/admin/login/?next=/admin/", "/admin/campaigns/"))


# --- The suggestions of the field "campaign" --------------------------------------------------------------------------


def suggested(client: Client, **query: str) -> tuple[list[str], bool]:
    """The names that are suggested, and whether there are more of them."""
    answer = client.get(reverse("admin:autocomplete"), FIELD | query).json()
    return [each["text"] for each in answer["results"]], answer["pagination"]["more"]


def test_the_campaigns_that_can_take_a_step_are_suggested(editor: Client) -> None:
    for status in Campaign.Status.values:
        make_campaign(status=status, name=f"A {status} one")
    assert suggested(editor) == (["A paused one", "A draft one"], False)
    assert suggested(editor, term="DRAFT") == (["A draft one"], False)
    assert suggested(editor, term="active") == ([], False)


def test_suggestions_go_on_for_as_long_as_somebody_scrolls(editor: Client) -> None:
    Campaign.objects.bulk_create(Campaign(name=f"C{number:03}") for number in range(165))
    pages = [suggested(editor, page=str(page)) for page in range(1, 10)]
    assert [name for names, _ in pages for name in names] == [f"C{number:03}" for number in reversed(range(165))]
    assert [more for _, more in pages] == [True] * 8 + [False]


def test_suggestions_are_for_those_who_may_see_campaigns(login: Login) -> None:
    make_step(make_campaign())
    assert login("otto", "add_campaignstep").get(f"/admin/{AUTOCOMPLETE}").status_code == 403


def test_an_active_campaign_stays_in_lists_and_searches(editor: Client) -> None:
    make_campaign(status="active", name="Live")
    page = editor.get(reverse("admin:campaigns_campaign_changelist"), {"q": "live"})
    assert "Live" in page.content.decode()
