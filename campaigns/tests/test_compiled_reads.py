"""Reads whose queries are compiled once, and what is read is still each caller's own."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.factories import make_campaign, make_step, step_body
from messaging_project import compiled
from messaging_project.api.json import render
from messaging_project.strict_json import StoredJSON

pytestmark = pytest.mark.django_db


def addresses(campaign: Campaign) -> list[str]:
    paths = ("", "?include=steps", "/steps", "/steps?limit=1", f"/steps/{campaign.steps.get(position=0).id}")
    filters = f"?search={campaign.name}&status={campaign.status}&id={campaign.id}&created_from={campaign.created_at:%F}"
    own = [campaign_url(campaign, path) for path in (*paths, "/readiness", "/timeline", "/history")]
    return [*own, ROOT, ROOT + filters]


def test_no_query_is_compiled_twice_for_others_of_the_same_kind(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (make_campaign(name=name, steps=2) for name in ("First", "Second"))
    for campaign in (first, second):  # so that each has a history
        client.patch(campaign_url(campaign), {"description": "Told"})
    of_second = addresses(second)
    for address in addresses(first):
        assert client.get(address).status_code == 200

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a query is compiled again")

    monkeypatch.setattr(SQLCompiler, "as_sql", fail)
    answers = [client.get(address) for address in of_second]
    assert [answer.status_code for answer in answers] == [200] * len(of_second)
    assert answers[0].json()["name"] == "Second"
    assert {step["campaign_id"] for step in answers[2].json()["results"]} == {str(second.id)}
    assert [row["name"] for row in answers[-1].json()["results"]] == ["Second"]


def test_what_a_write_looks_at_first_is_not_compiled_twice_either(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_campaign(steps=1), make_campaign(steps=1)

    def add(campaign: Campaign, etag: str) -> int:
        added = client.post(campaign_url(campaign, "/steps"), step_body(1), headers={"If-Match": etag})
        return added.status_code

    etags = [client.get(campaign_url(campaign, "/steps"))["ETag"] for campaign in (first, second)]
    assert add(first, etags[0]) == 201

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a query is compiled again")

    monkeypatch.setattr(SQLCompiler, "as_sql", fail)
    assert add(second, etags[1]) == 201


def positions(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position").values_list("position")


def first(count: int, campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return positions(campaign_id)[:count]


def last(count: int) -> compiled.Build:
    return lambda campaign_id: positions(campaign_id).reverse()[:count]


def test_queries_are_told_apart_by_what_builds_them() -> None:
    campaign = make_campaign(steps=3)
    builds = (positions, partial(first, 1), partial(first, 2), last(1), last(2))
    read = [[row.position for row in compiled.rows(build, campaign.id)] for build in builds]
    assert read == [[0, 1, 2], [0], [0, 1], [2], [2, 1]]


def test_variables_are_read_as_they_were_stored(client: APIClient) -> None:
    variables = {"large": 10**40, "text": "ä\u2028\n", "float": 1.5, "deep": [None, True, {}]}
    step = make_step(make_campaign(), variables=variables)
    assert client.get(campaign_url(step.campaign, "/steps")).json()["results"][0]["variables"] == variables
    assert client.get(campaign_url(step.campaign, f"/steps/{step.id}")).json()["variables"] == variables


def test_stored_json_goes_out_beside_an_integer_beyond_64_bits() -> None:
    assert render([StoredJSON('{"a": 1}'), 2**70]) == b'[{"a":1},1180591620717411303424]'
