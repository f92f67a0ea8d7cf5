"""What readiness tells of a campaign's templates, and what of it stands in the way of an activation."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns import lifecycle
from campaigns.catalogue import TemplateVersion, asking
from campaigns.catalogue.memory import demo
from campaigns.exceptions import NotReady
from campaigns.management.commands.load_demo import ACTIVE_STEPS, DRAFT_STEPS, NEW_STEP
from campaigns.models import Campaign, CampaignStep
from campaigns.steps import add_step
from campaigns.tests.admin.conftest import PUBLISH
from campaigns.tests.admin.pages import FormReader
from campaigns.tests.api import campaign_url
from campaigns.tests.catalogue.conftest import Recording
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_fields

pytestmark = pytest.mark.django_db(transaction=True)  # inside a transaction, nothing is asked


@pytest.fixture
def strict(settings: Settings) -> None:
    settings.TEMPLATE_CATALOGUE_STRICT = True


@pytest.fixture
def paula(db: None) -> Client:
    """She may do everything, at a browser."""
    user = User.objects.create_user("paula", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=PUBLISH))
    client = Client()
    client.force_login(user)
    return client


def campaign_with(*versions: str, variables: Any = None, **fields: Any) -> Campaign:
    campaign = make_campaign(**fields)
    for position, version in enumerate(versions):
        template = version.partition("-")[0]
        make_step(campaign, position, template_id=template, template_version_id=version, variables=variables or {})
    return campaign


def findings(client: APIClient, campaign: Campaign) -> list[tuple[str, str]]:
    """(code, message) of each warning, after a look at the steps that they name."""
    answer = client.get(campaign_url(campaign, "/readiness")).json()
    assert (answer["ready"], answer["errors"]) == (True, [])
    return [(warning["code"], warning["message"]) for warning in answer["warnings"]]


def test_each_step_is_compared_with_what_its_template_version_declares(client: APIClient, catalogue: Recording) -> None:
    campaign = campaign_with("welcome-v2", variables={"name": None})
    make_step(
        campaign, 1, template_id="welcome", template_version_id="welcome-v1", variables={"zeal": 1, "a": {"b": 2}}
    )
    make_step(campaign, 2, template_id="offer", template_version_id="offer-v9", variables={"x": 1})
    _, second, third = campaign.steps.order_by("position")

    assert client.get(campaign_url(campaign, "/readiness")).json() == {
        "ready": True,
        "errors": [],
        "warnings": [
            {"code": code, "message": message, "step_id": str(step.id)}
            for code, message, step in (
                ("missing_variables", "Its template version needs variables that the step lacks: name.", second),
                (
                    "surplus_variables",
                    "The step has variables that its template version doesn't declare: a, zeal.",
                    second,
                ),
                ("newer_version", "There is a newer version of its template: welcome-v2.", second),
                ("unknown_version", "The template catalogue has no version offer-v9 of the template offer.", third),
            )
        ],
    }
    assert catalogue.asked == [3]


def test_a_catalogue_that_fails_is_a_warning(client: APIClient, catalogue: Recording, strict: None) -> None:
    def fail() -> None:
        raise RuntimeError("down")

    catalogue.before = fail
    campaign = campaign_with("x-v1", "x-v2")

    unchecked = ("unchecked_version", "The template catalogue could not be asked about 2 steps.")
    assert findings(client, campaign) == [unchecked]
    assert client.post(campaign_url(campaign, "/activate")).status_code == 200
    assert catalogue.asked == [2]


def test_of_each_kind_a_hundred_are_listed_and_the_others_counted(client: APIClient, catalogue: Recording) -> None:
    campaign = make_campaign(steps=1_001)

    found = findings(client, campaign)
    assert len(found) == 101
    assert found[0] == (
        "unknown_version",
        "There are 1,001 steps with an unknown template version: the first 100 are listed.",
    )
    assert catalogue.asked == [500, 500, 1]


def test_without_a_catalogue_nothing_is_looked_up(
    client: APIClient, django_assert_num_queries: Any, settings: Settings
) -> None:
    settings.TEMPLATE_CATALOGUE_STRICT = False
    campaign = campaign_with("x-v1")
    with django_assert_num_queries(2):  # of the status and of the steps
        assert findings(client, campaign) == []


def test_an_unknown_version_stands_in_the_way_only_where_that_is_set(
    client: APIClient, catalogue: Recording, settings: Settings
) -> None:
    settings.TEMPLATE_CATALOGUE_STRICT = True
    campaign = campaign_with("offer-v9")
    [step] = campaign.steps.all()
    message = "The template catalogue has no version offer-v9 of the template offer."
    error = {"code": "unknown_version", "message": message, "step_id": str(step.id)}

    for key in ({}, {"Idempotency-Key": "once"}):
        answer = client.post(campaign_url(campaign, "/activate"), headers=key)
        assert (answer.status_code, answer.json()["details"]) == (412, {"reason": "not_ready", "errors": [error]})
    assert catalogue.asked == [1]

    settings.TEMPLATE_CATALOGUE_STRICT = False
    assert client.post(campaign_url(campaign, "/activate")).json()["status"] == "active"


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}], ids=["plain", "idempotent"])
def test_nothing_is_held_while_the_catalogue_is_asked(
    client: APIClient, catalogue: Recording, strict: None, headers: dict[str, str]
) -> None:
    """It writes the campaign itself, at once, from a connection of its own; and adds a step, which isn't judged."""
    campaign = campaign_with("offer-v1")
    seen: list[bool] = []

    def write() -> None:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                Campaign.objects.select_for_update(nowait=True).get(pk=campaign.pk)
            Campaign.objects.filter(pk=campaign.pk).update(description="written meanwhile")
        add_step(campaign.pk, step_fields(7), actor=ACTOR)
        seen.append(True)

    catalogue.before = write
    answer = client.post(campaign_url(campaign, "/activate"), headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert (seen, answer.json()["description"]) == ([True], "written meanwhile")


def test_adding_a_step_asks_nothing(client: APIClient, catalogue: Recording, strict: None) -> None:
    campaign = make_campaign()
    body = {"position": 0, "template_id": "x", "template_version_id": "x-v1"}
    assert client.post(campaign_url(campaign, "/steps"), body).status_code == 201
    assert (catalogue.asked, catalogue.searched) == ([], [])


def test_a_transaction_asks_nothing_and_knows_what_was_asked_before(catalogue: Recording, strict: None) -> None:
    known, unasked = campaign_with("offer-v9"), campaign_with("offer-v8")
    asking.asker().ask([TemplateVersion("offer", "offer-v9")])
    with transaction.atomic():
        lifecycle.change_status(unasked.pk, "active", actor=ACTOR)
        with pytest.raises(NotReady):
            lifecycle.change_status(known.pk, "active", actor=ACTOR)
    assert catalogue.asked == [1]


# --- Staff -----------------------------------------------------------------------------------------------------------


def test_staff_see_what_the_catalogue_says_before_they_activate(paula: Client, catalogue: Recording) -> None:
    campaign = campaign_with("welcome-v1", variables={"name": "Ada"})
    newer = "There is a newer version of its template: welcome-v2."
    changelist = reverse("admin:campaigns_campaign_changelist")
    asked_first = {"action": "activate", "_selected_action": str(campaign.pk)}

    assert newer in paula.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).text
    assert newer in paula.get(reverse("admin:campaigns_campaign_status", args=[campaign.pk, "active"])).text
    assert newer in paula.post(changelist, asked_first).text
    assert catalogue.asked == [1]


@pytest.mark.parametrize("way", ["page", "list", "save and resume"])
def test_no_way_of_the_staff_goes_past_a_strict_catalogue(
    paula: Client, catalogue: Recording, strict: None, way: str
) -> None:
    campaign = campaign_with("offer-v1", status="paused")
    page = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    if way == "save and resume":
        data = FormReader.of(paula.get(page)).data | {"steps-0-template_version_id": "offer-v9", "_resume": "1"}
        answer = paula.post(page, data)
    else:
        CampaignStep.objects.filter(campaign=campaign).update(template_version_id="offer-v9")
        ask = reverse("admin:campaigns_campaign_status", args=[campaign.pk, "active"])
        shown = FormReader.of(paula.get(ask)).data["page_version"]
        asking._asker.cache_clear()  # another process answers
        if way == "page":
            answer = paula.post(ask, {"page_version": shown})
        else:
            chosen = {"action": "activate", "_selected_action": str(campaign.pk), "confirmed": "1"}
            changelist = reverse("admin:campaigns_campaign_changelist")
            answer = paula.post(changelist, chosen | {"shown": json.dumps({str(campaign.pk): shown})}, follow=True)

    assert "The template catalogue has no version offer-v9 of the template offer." in answer.text
    campaign.refresh_from_db()
    assert campaign.status == "paused"


@pytest.mark.any_database
def test_the_demo_catalogue_knows_the_demo() -> None:
    versions = [TemplateVersion(step.template_id, step.template_version_id) for step in (*DRAFT_STEPS, *ACTIVE_STEPS)]
    versions.append(TemplateVersion(*(str(NEW_STEP[name]) for name in TemplateVersion._fields)))
    assert [answer.exists for answer in demo().look_up(versions).values()] == [True] * 7
