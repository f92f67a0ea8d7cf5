"""JSON and times that SQLite stored as text before they had one spelling get it by migration 0005."""

from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from rest_framework.test import APIClient

from campaigns.canonical_json import canonical
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.steps import add_step
from campaigns.tests.api import ROOT, step_url
from campaigns.tests.factories import ACTOR, make_campaign, step_body, step_fields, stored

pytestmark = pytest.mark.django_db
OLD = '{"b":1e+300,"aa": "\\u00fc","a":[100.0,-0.0]}'
NEW = f'{{"a": [100.0, 0.0], "b": 1{"0" * 300}, "aa": "ü"}}'


def respell() -> None:
    migration = import_module("campaigns.migrations.0005_one_spelling")
    migration.respell(apps, SimpleNamespace(connection=connection))  # the part of a schema editor that it reads


def stored_as(column: str, table: str = "campaigns_campaignstep") -> str:
    text = f"{column}::text" if connection.vendor == "postgresql" else column
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text} FROM {table}")  # noqa: S608
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("column", ["before", "after"])
def test_stored_json_is_respelled_and_no_version_changes(client: APIClient, column: str) -> None:
    step = add_step(make_campaign().id, step_fields(0), actor=ACTOR)
    etag = client.get(step_url(step))["ETag"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_campaignstep SET variables = %s", [OLD])
        cursor.execute(f"UPDATE campaigns_historyentry SET {column} = %s", [OLD])  # noqa: S608
    respell()
    assert stored_as("variables") == stored_as(column, "campaigns_historyentry") == NEW
    assert client.get(step_url(step))["ETag"] == etag
    before = stored()
    respell()
    assert stored() == before


def test_what_is_spelled_already_stays_as_it_is() -> None:
    campaign = make_campaign(steps=2)
    add_step(campaign.id, step_fields(2, variables={"ü": [1e300, None]}), actor=ACTOR)
    before = stored()
    respell()
    assert stored() == before
    assert {canonical(step.variables) for step in CampaignStep.objects.all()} == {
        "{}",
        f'{{"ü": [1{"0" * 300}, null]}}',
    }


@pytest.mark.parametrize(("fraction", "microsecond"), [(".120", 120_000), (".000", 0), (".123456", 123_456), ("", 0)])
def test_stored_times_equal_themselves_afterwards(fraction: str, microsecond: int) -> None:
    make_campaign()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_campaign SET created_at = %s", [f"2026-12-01 08:00:00{fraction}"])
    respell()
    assert Campaign.objects.filter(created_at=datetime(2026, 12, 1, 8, 0, 0, microsecond, UTC)).exists()


# --- Times that are equal, by whatever way they were stored ----------------------------------------------------------


def test_the_time_that_an_answer_shows_finds_what_was_created_then(client: APIClient) -> None:
    for number in range(5):
        at = client.post(ROOT, {"name": str(number), "steps": [step_body(0)]}).json()["created_at"]
        found = client.get(ROOT, {"created_from": at}).json()["results"]
        earlier = client.get(ROOT, {"created_before": at}).json()["results"]
        assert [campaign["name"] for campaign in found][:1] == [str(number)]
        assert str(number) not in [campaign["name"] for campaign in earlier]


@pytest.mark.parametrize("microsecond", [0, 1, 1_000, 120_000, 123_456, 999_999])
def test_a_bound_is_met_to_the_microsecond(client: APIClient, microsecond: int) -> None:
    make_campaign(name="then")
    at = datetime(2026, 12, 1, 8, 0, 0, microsecond, UTC)
    Campaign.objects.update(created_at=at)

    def found(name: str, bound: str) -> int:
        return len(client.get(ROOT, {name: bound}).json()["results"])

    spelled = at.isoformat(timespec="microseconds")
    assert (found("created_from", spelled), found("created_before", spelled)) == (1, 0)
    after = at.replace(microsecond=microsecond + 1) if microsecond < 999_999 else at.replace(second=1, microsecond=0)
    assert (found("created_from", after.isoformat()), found("created_before", after.isoformat())) == (0, 1)


def test_times_that_the_database_makes_equal_themselves_when_they_are_looked_up() -> None:
    step = add_step(make_campaign().id, step_fields(0), actor=ACTOR)
    for row in (Campaign.objects.get(), step, HistoryEntry.objects.get()):
        row.refresh_from_db()
        assert type(row)._default_manager.filter(created_at=row.created_at).exists()
