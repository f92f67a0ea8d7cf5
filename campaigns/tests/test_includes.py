"""?include=: entity tags inside lists, and a campaign with its first steps."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import ROOT, campaign_url, faults, not_found, stale
from campaigns.tests.factories import make_campaign, new_step, step_body, stored
from campaigns.tests.races import caller, threads

pytestmark = pytest.mark.django_db
SEVEN = {"id", "campaign_id", "position", "template_id", "template_version_id", "delay_minutes", "variables"}


def test_each_step_of_a_list_carries_its_tag_on_request(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    campaign.steps.filter(position=1).update(version=7)
    plain = client.get(campaign_url(campaign, "/steps"))
    tagged = client.get(campaign_url(campaign, "/steps?include=etag"))
    steps = tagged.json()["results"]
    of_each = [client.get(campaign_url(campaign, f"/steps/{step['id']}"))["ETag"] for step in steps]
    assert [step.pop("etag") for step in steps] == of_each == ['"1"', '"7"', '"1"']
    assert steps == plain.json()["results"]
    assert [set(step) for step in steps] == [SEVEN] * 3
    assert tagged["ETag"] == plain["ETag"]


def test_each_campaign_of_a_list_carries_its_tag_on_request(client: APIClient) -> None:
    campaigns = [make_campaign(steps=count) for count in range(3)]
    plain = client.get(ROOT).json()["results"]
    tagged = client.get(f"{ROOT}?include=etag").json()["results"]
    assert [row.pop("etag") for row in tagged] == [client.get(campaign_url(it))["ETag"] for it in campaigns]
    assert tagged == plain


def test_the_tags_are_kept_on_the_pages_that_follow(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    page = client.get(client.get(campaign_url(campaign, "/steps?include=etag&limit=1")).json()["next"]).json()
    assert [(step["position"], step["etag"]) for step in page["results"]] == [(1, '"1"')]


@pytest.mark.parametrize("path", ["", "/steps", "/history", "/timeline"])
def test_what_can_not_be_included_is_refused_or_unknown(client: APIClient, path: str) -> None:
    address = campaign_url(make_campaign(steps=1), path)
    client.patch(campaign_url(Campaign.objects.get()), {"name": "New"})
    answer = client.get(f"{address}?include=all", headers={"Prefer": "handling=strict"})
    assert faults(answer) == [("include", "unknown" if path in {"/history", "/timeline"} else "invalid_choice")]


# --- A campaign with its steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 100, 101, 205])
def test_a_campaign_shows_its_first_100_steps_and_where_the_others_are(client: APIClient, count: int) -> None:
    campaign = make_campaign()
    CampaignStep.objects.bulk_create(new_step(campaign, position) for position in reversed(range(count)))
    plain = client.get(campaign_url(campaign)).json()
    shown = client.get(campaign_url(campaign, "?include=steps")).json()
    steps = shown.pop("steps")
    assert shown == plain
    assert set(steps) == {"next", "results"}
    assert len(steps["results"]) == min(count, 100)
    found, address = steps["results"], steps["next"]
    while address:
        page = client.get(address).json()
        found, address = [*found, *page["results"]], page["next"]
    listed = client.get(campaign_url(campaign, "/steps?limit=1000")).json()["results"]
    assert found == listed
    assert [step["position"] for step in found] == list(range(count))


def test_campaign_and_steps_carry_their_own_tags_on_request(client: APIClient) -> None:
    campaign = make_campaign(steps=101)
    answer = client.get(campaign_url(campaign, "?include=steps&include=etag"))
    shown = answer.json()
    assert shown["etag"] == client.get(campaign_url(campaign))["ETag"] != answer["ETag"]
    assert {step["etag"] for step in shown["steps"]["results"]} == {'"1"'}
    assert [step["etag"] for step in client.get(shown["steps"]["next"]).json()["results"]] == ['"1"']
    assert "steps" not in client.get(campaign_url(campaign, "?include=etag")).json()


def test_a_new_campaign_shows_its_steps_with_their_ids(client: APIClient) -> None:
    body = {"name": "New", "steps": [step_body(5), step_body(2)]}
    answer = client.post(f"{ROOT}?include=steps", body)
    shown = client.get(f"{answer['Location']}?include=steps")
    assert (answer.status_code, answer.json(), answer["ETag"]) == (201, shown.json(), shown["ETag"])
    assert [step["position"] for step in answer.json()["steps"]["results"]] == [2, 5]
    assert "steps" not in client.post(ROOT, body).json()


def test_none_shows_the_steps_of_no_campaign(client: APIClient) -> None:
    answer = client.get(campaign_url("none", "?include=steps"))
    assert (answer.status_code, answer.json()) == (404, not_found("campaign", "none"))


CHANGES: dict[str, Callable[[APIClient, Campaign], Any]] = {
    "a name": lambda client, campaign: client.patch(campaign_url(campaign), {"name": "New"}),
    "a step's content": lambda client, campaign: client.patch(
        campaign_url(campaign, f"/steps/{campaign.steps.get(position=150).id}"), {"template_id": "other"}
    ),
    "a step added": lambda client, campaign: client.post(campaign_url(campaign, "/steps"), step_body(999)),
    "a step deleted": lambda client, campaign: client.delete(
        campaign_url(campaign, f"/steps/{campaign.steps.get(position=150).id}")
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_its_tag_changes_with_the_campaign_and_with_any_step(client: APIClient, name: str) -> None:
    campaign = make_campaign(steps=151)
    address = campaign_url(campaign, "?include=steps")
    before = client.get(address)["ETag"]
    assert client.get(address, headers={"If-None-Match": before}).status_code == 304
    assert CHANGES[name](client, campaign).status_code < 300
    assert client.get(address, headers={"If-None-Match": before}).status_code == 200
    assert client.get(address)["ETag"] != before


ACTIONS = {
    "deleteCampaign": ("draft", "delete", ""),
    "duplicateCampaign": ("draft", "post", "/duplicate"),
    "activateCampaign": ("draft", "post", "/activate"),
    "pauseCampaign": ("active", "post", "/pause"),
    "completeCampaign": ("active", "post", "/complete"),
    "archiveCampaign": ("draft", "post", "/archive"),
}


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("change", ["a name", "a step's content", None])
def test_its_tag_is_taken_as_if_match(client: APIClient, name: str, change: str | None) -> None:
    status, method, path = ACTIONS[name]
    campaign = make_campaign(status="draft", steps=151)
    address = campaign_url(campaign, "?include=steps")
    if change:
        seen = client.get(address)["ETag"]
        CHANGES[change](client, campaign)
    Campaign.objects.filter(pk=campaign.pk).update(status=status)
    current = client.get(address)["ETag"]
    before = stored()
    answer = getattr(client, method)(campaign_url(campaign, path), headers={"If-Match": seen if change else current})
    if change:
        assert (answer.status_code, answer.json()) == (412, stale(current))
        assert stored() == before
    else:
        assert answer.status_code in {200, 201, 204}


@pytest.mark.django_db(transaction=True)
def test_campaign_and_steps_are_as_they_were_at_one_moment() -> None:
    """Whatever others commit between the queries that read them; on SQLite nobody waits for the reader, either."""
    campaign = make_campaign(steps=2)
    selects: list[str] = []

    def change_before_each_read(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT"):
            selects.append(sql)
            if len(selects) > 1:
                position = 100 + len(selects)
                added = start(lambda: caller().post(campaign_url(campaign, "/steps"), step_body(position)))
                assert added.result().status_code == 201
        return execute(sql, params, many, context)

    before = caller().get(campaign_url(campaign, "?include=steps"))
    with threads() as start, connection.execute_wrapper(change_before_each_read):
        during = caller().get(campaign_url(campaign, "?include=steps"))
    assert len(selects) == 3
    assert (during.json(), during["ETag"]) == (before.json(), before["ETag"])
    after = caller().get(campaign_url(campaign, "?include=steps")).json()
    assert (after["step_count"], len(after["steps"]["results"])) == (4, 4)
