"""No lost updates: ETag, If-Match and If-None-Match (RFC 9110) of campaigns, steps and step lists."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import NO_ID, campaign_url, not_editable, not_found, stale, step_url
from campaigns.tests.factories import ids, make_campaign, make_step, step_body, stored

pytestmark = pytest.mark.django_db


def addresses(campaign: Campaign) -> dict[str, str]:
    return {
        "campaign": campaign_url(campaign),
        "list": campaign_url(campaign, "/steps"),
        "first": campaign_url(campaign, f"/steps/{ids(campaign)[0]}"),
        "second": campaign_url(campaign, f"/steps/{ids(campaign)[1]}"),
    }


# What each call changes of what GET shows.
CHANGES: dict[str, tuple[Callable[[APIClient, Campaign], Any], set[str]]] = {
    "a name": (lambda c, x: c.patch(campaign_url(x), {"name": "New"}), {"campaign"}),
    "the same name": (lambda c, x: c.patch(campaign_url(x), {"name": x.name}), set()),
    "a status": (lambda c, x: c.post(campaign_url(x, "/activate")), {"campaign"}),
    "a step added": (lambda c, x: c.post(campaign_url(x, "/steps"), step_body(9)), {"campaign", "list"}),
    "a step shifted in": (
        lambda c, x: c.post(campaign_url(x, "/steps?on_conflict=shift"), step_body(1)),
        {"campaign", "list", "second"},
    ),
    "steps added": (
        lambda c, x: c.post(campaign_url(x, "/steps/bulk"), {"steps": [step_body(9)]}),
        {"campaign", "list"},
    ),
    "a delay": (
        lambda c, x: c.patch(addresses(x)["first"], {"delay_minutes": 9}),
        {"campaign", "list", "first"},
    ),
    "variables": (lambda c, x: c.patch(addresses(x)["first"], {"variables": {"a": 1}}), {"list", "first"}),
    "the same delay": (lambda c, x: c.patch(addresses(x)["first"], {"delay_minutes": 0}), set()),
    "an order": (
        lambda c, x: c.put(campaign_url(x, "/steps/order"), {"step_ids": ids(x)[::-1]}),
        {"list", "first", "second"},
    ),
    "the same order": (lambda c, x: c.put(campaign_url(x, "/steps/order"), {"step_ids": ids(x)}), set()),
    "a replacement": (
        lambda c, x: c.put(
            campaign_url(x, "/steps"), {"steps": [step_body(0, id=ids(x)[0]), step_body(4, id=ids(x)[1])]}
        ),
        {"list", "second"},
    ),
    "another campaign": (lambda c, x: c.post(campaign_url(make_campaign(), "/steps"), step_body(0)), set()),
    "a copy": (lambda c, x: c.post(campaign_url(x, "/duplicate")), set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_entity_tag_changes_exactly_when_what_it_stands_for_does(client: APIClient, name: str) -> None:
    campaign = make_campaign(steps=2)
    of = addresses(campaign)
    before = {what: client.get(address) for what, address in of.items()}
    call, changed = CHANGES[name]
    assert call(client, campaign).status_code in {200, 201}
    after = {what: client.get(address) for what, address in of.items()}
    assert {what for what in of if before[what].json() != after[what].json()} == changed
    assert {what for what in of if before[what]["ETag"] != after[what]["ETag"]} == changed


def test_deleting_a_step_changes_the_list_and_the_campaign(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    of = addresses(campaign)
    before = {what: client.get(address)["ETag"] for what, address in of.items()}
    client.delete(of["first"])
    assert {what for what in ("campaign", "list", "second") if client.get(of[what])["ETag"] != before[what]} == {
        "campaign",
        "list",
    }


def test_every_write_answers_with_the_tag_that_a_get_gives(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    of = addresses(campaign)
    assert client.patch(of["campaign"], {"name": "New"})["ETag"] == client.get(of["campaign"])["ETag"]
    assert client.patch(of["first"], {"delay_minutes": 5})["ETag"] == client.get(of["first"])["ETag"]
    assert (
        client.put(of["list"] + "/order", {"step_ids": ids(campaign)[::-1]})["ETag"] == client.get(of["list"])["ETag"]
    )
    added = client.post(of["list"], step_body(7))
    assert added["ETag"] == client.get(added["Location"])["ETag"] == '"1"'
    assert client.post(of["campaign"] + "/activate")["ETag"] == client.get(of["campaign"])["ETag"]
    created = client.post("/v1/messaging/campaigns", {"name": "New", "steps": [step_body(0)]})
    assert created["ETag"] == client.get(created["Location"])["ETag"]


def test_a_page_of_all_steps_has_the_tag_of_the_list_and_any_other_one_of_its_own(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    whole, page = client.get(campaign_url(campaign, "/steps")), client.get(campaign_url(campaign, "/steps?limit=1"))
    assert client.get(campaign_url(campaign, "/steps?limit=3"))["ETag"] == whole["ETag"]
    assert client.get(page.json()["next"])["ETag"] not in {whole["ETag"], page["ETag"]}
    assert client.get(campaign_url(campaign, "/steps?limit=1&include=list_etag"))["ETag"] == whole["ETag"]


def test_the_tag_of_a_page_tells_its_steps_and_whether_others_are_around_it(client: APIClient) -> None:
    campaign = make_campaign(steps=3)
    address = campaign_url(campaign, "/steps?limit=2")
    tag = {"If-None-Match": client.get(address)["ETag"]}
    campaign.steps.filter(position=2).update(version=2)
    assert client.get(address, headers=tag).status_code == 304

    campaign.steps.filter(position=2).delete()
    assert client.get(address, headers=tag).json()["next"] is None
    campaign.steps.filter(position=1).update(version=2)
    make_step(campaign, 2)
    assert client.get(address, headers=tag).status_code == 200


def test_adding_many_steps_gives_the_tag_of_the_list_on_request(client: APIClient) -> None:
    address = campaign_url(make_campaign(steps=1), "/steps")
    added = client.post(f"{address}/bulk?include=list_etag", {"steps": [step_body(7), step_body(8)]})
    assert (added.status_code, added["ETag"]) == (201, client.get(address)["ETag"])
    assert "ETag" not in client.post(f"{address}/bulk", {"steps": [step_body(9)]})


@pytest.mark.parametrize(("query", "last_read"), [("", 1), ("?include=list_etag&limit=1", 2)])
def test_a_list_read_while_a_step_is_added_never_has_a_tag_newer_than_itself(
    client: APIClient, query: str, last_read: int
) -> None:
    """Else a replacement on that condition would remove a step that its writer never saw."""
    campaign = make_campaign(steps=1)
    reads = []

    def add_before_the_last_read(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('SELECT "campaigns_campaignstep"'):
            reads.append(sql)
            if len(reads) == last_read:
                make_step(campaign, 5)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(add_before_the_last_read):
        read = client.get(campaign_url(campaign, f"/steps{query}"))
    assert campaign.steps.count() == 2
    seen = read.json()["results"]
    condition = {"If-Match": read["ETag"]}
    answer = client.put(campaign_url(campaign, "/steps"), {"steps": seen}, headers=condition)
    assert answer.status_code == 412 or len(seen) == 2
    assert campaign.steps.count() == 2


# --- If-Match --------------------------------------------------------------------------------------------------------

# Each call that takes If-Match, and what its tag is of.
CALLS: dict[str, tuple[str, str, str, str, Callable[[list[str]], Any]]] = {
    "changeCampaign": ("draft", "patch", "", "campaign", lambda _: {"name": "New"}),
    "deleteCampaign": ("draft", "delete", "", "campaign", lambda _: None),
    "activateCampaign": ("draft", "post", "/activate", "campaign", lambda _: None),
    "pauseCampaign": ("active", "post", "/pause", "campaign", lambda _: None),
    "completeCampaign": ("active", "post", "/complete", "campaign", lambda _: None),
    "archiveCampaign": ("draft", "post", "/archive", "campaign", lambda _: None),
    "duplicateCampaign": ("active", "post", "/duplicate", "campaign", lambda _: None),
    "addStep": ("draft", "post", "/steps", "list", lambda _: step_body(9)),
    "addSteps": ("draft", "post", "/steps/bulk", "list", lambda _: {"steps": [step_body(9)]}),
    "changeStep": ("draft", "patch", "/steps/{0}", "first", lambda _: {"delay_minutes": 1}),
    "deleteStep": ("draft", "delete", "/steps/{0}", "first", lambda _: None),
    "reorderSteps": ("draft", "put", "/steps/order", "list", lambda ids: {"step_ids": ids[::-1]}),
    "replaceSteps": ("draft", "put", "/steps", "list", lambda ids: {"steps": []}),
}


class Case:
    """One of CALLS on a campaign of two steps, and the entity tag that it has to name."""

    def __init__(self, client: APIClient, name: str) -> None:
        status, self.method, path, of, body = CALLS[name]
        self.client, self.of = client, of
        self.campaign = make_campaign(status=status, steps=2)
        self.address = campaign_url(self.campaign, path.format(*ids(self.campaign)))
        self.body = body(ids(self.campaign))

    @property
    def etag(self) -> str:
        return str(self.client.get(addresses(self.campaign)[self.of])["ETag"])

    def call(self, if_match: str) -> Any:
        return getattr(self.client, self.method)(self.address, self.body, headers={"If-Match": if_match})


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", ["{}", "*", ' , ,"other" ,, {} ,', 'W/"other", {}, "x"'])
def test_a_condition_that_holds_lets_the_call_pass(client: APIClient, name: str, form: str) -> None:
    case = Case(client, name)
    before = stored()
    assert case.call(form.format(case.etag)).status_code in {200, 201, 204}
    assert stored() != before


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", ['"other"', '"a", "b"', 'W/{}, "a"', '""', '"*"'])
def test_a_condition_that_does_not_hold_is_refused_with_the_current_tag(
    client: APIClient, name: str, form: str
) -> None:
    case = Case(client, name)
    etag, before = case.etag, stored()
    answer = case.call(form.format(etag))
    assert (answer.status_code, answer.json()) == (412, stale(etag))
    assert stored() == before
    assert case.call(answer.json()["details"]["etag"]).status_code in {200, 201, 204}


@pytest.mark.parametrize("name", CALLS)
def test_a_tag_that_a_proxy_made_weak_is_told_so(client: APIClient, name: str) -> None:
    case = Case(client, name)
    etag, before = case.etag, stored()
    message = "A weak tag never matches: send it without W/, which a proxy on the way may have put there."
    answer = case.call(f"W/{etag}")
    assert (answer.status_code, answer.json()) == (412, {**stale(etag), "message": message})
    assert stored() == before


@pytest.mark.parametrize(
    ("name", "of", "message"),
    [
        ("addStep", "", "The tag is of the campaign: send the ETag of the whole step list, as you have read it."),
        (
            "replaceSteps",
            "/steps?limit=1",
            "The tag is of a page of the step list: send the ETag of the whole step list, as you have read it.",
        ),
        ("deleteStep", "/steps", "The tag is of the whole step list: send the ETag of the step, as you have read it."),
        (
            "changeCampaign",
            "?include=steps",
            "The tag is of the campaign with include=steps: send the ETag of the campaign, as you have read it.",
        ),
        (
            "activateCampaign",
            "/steps/{0}",
            "The tag is of the step: send the ETag of the campaign, as you have read it.",
        ),
    ],
)
def test_a_tag_of_something_else_is_told_so(client: APIClient, name: str, of: str, message: str) -> None:
    case = Case(client, name)
    etag, before = case.etag, stored()
    answer = case.call(client.get(campaign_url(case.campaign, of.format(*ids(case.campaign))))["ETag"])
    assert (answer.status_code, answer.json()) == (412, {**stale(etag), "message": message})
    assert stored() == before


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", ["{unquoted}", "no tag", "", ",", "{}, x", "*, {}"])
def test_a_header_that_is_no_list_of_tags_is_told_so(client: APIClient, name: str, form: str) -> None:
    case = Case(client, name)
    etag, before = case.etag, stored()
    message = 'If-Match must be * or entity tags in double quotes, as ETag headers have them: "1".'
    answer = case.call(form.format(etag, unquoted=etag.strip('"')))
    assert (answer.status_code, answer.json()) == (412, {**stale(etag), "message": message})
    assert stored() == before


@pytest.mark.parametrize("name", CALLS)
def test_the_campaign_is_looked_for_before_the_condition(client: APIClient, name: str) -> None:
    case = Case(client, name)
    case.address = case.address.replace(str(case.campaign.id), NO_ID)
    answer = case.call('"old"')
    assert answer.status_code == 404
    assert answer.json() == not_found("campaign", NO_ID) or name in {"changeStep", "deleteStep"}


@pytest.mark.parametrize("name", ["addStep", "addSteps", "changeStep", "deleteStep", "reorderSteps", "replaceSteps"])
def test_the_condition_is_judged_before_the_state(client: APIClient, name: str) -> None:
    case = Case(client, name)
    Campaign.objects.update(status="active")
    etag = case.etag
    assert case.call('"old"').json() == stale(etag)
    assert case.call(etag).json() == not_editable(case.campaign, "active")


@pytest.mark.parametrize(
    "name", ["changeCampaign", "addStep", "addSteps", "changeStep", "reorderSteps", "replaceSteps"]
)
def test_the_bodys_faults_are_told_before_the_condition(client: APIClient, name: str) -> None:
    case = Case(client, name)
    case.body = dict.fromkeys(case.body, -1)
    assert case.call('"old"').status_code == 400


def test_a_stale_order_is_told_of_the_change_and_not_of_the_steps_it_misses(client: APIClient) -> None:
    case = Case(client, "reorderSteps")
    old = case.etag
    make_step(case.campaign, 9)
    assert case.call(old).json() == stale(case.etag)


@pytest.mark.parametrize(
    ("name", "body"),
    [("changeStep", {"position": 1}), ("addStep", step_body(1)), ("addSteps", {"steps": [step_body(1)]})],
)
def test_a_taken_position_is_judged_last(client: APIClient, name: str, body: Any) -> None:
    case = Case(client, name)
    case.body = body
    assert case.call('"old"').json()["error"] == "precondition_failed"
    assert case.call(case.etag).json()["details"]["reason"] == "position_taken"


REVIEWED = [name for name, call in CALLS.items() if call[3] == "campaign" and name != "changeCampaign"]


@pytest.mark.parametrize("name", REVIEWED)
def test_the_tag_of_the_steps_that_were_reviewed_is_taken_too(client: APIClient, name: str) -> None:
    case = Case(client, name)
    case.of = "list"
    assert case.call(case.etag).status_code in {200, 201, 204}


@pytest.mark.parametrize("name", REVIEWED)
def test_with_it_a_step_that_a_colleague_changed_meanwhile_is_not_passed_over(client: APIClient, name: str) -> None:
    case = Case(client, name)
    case.of = "list"
    reviewed, own = case.etag, client.get(campaign_url(case.campaign))["ETag"]
    case.campaign.steps.filter(position=1).update(template_id="other", version=2)
    before = stored()
    answer = case.call(reviewed)
    assert (answer.status_code, answer.json()) == (412, stale(case.etag))
    assert stored() == before
    assert client.get(campaign_url(case.campaign))["ETag"] == own  # which is why the campaign's tag doesn't help


def test_changing_a_campaigns_fields_takes_no_tag_of_its_steps(client: APIClient) -> None:
    case = Case(client, "changeCampaign")
    etag = case.etag
    answer = case.call(client.get(campaign_url(case.campaign, "/steps"))["ETag"]).json()
    assert (answer["error"], answer["details"]) == ("precondition_failed", {"etag": etag})


# --- If-None-Match ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["campaign", "list", "first"])
@pytest.mark.parametrize("form", ["{}", "W/{}", "*", '"other", {}'])
def test_what_the_caller_has_already_is_not_sent_again(client: APIClient, what: str, form: str) -> None:
    address = addresses(make_campaign(steps=2))[what]
    etag = client.get(address)["ETag"]
    answer = client.get(address, headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert "Content-Type" not in answer


@pytest.mark.parametrize("what", ["campaign", "list", "first"])
@pytest.mark.parametrize("form", ['"other"', "nonsense", "", "{unquoted}"])
def test_what_the_caller_has_not_is_sent(client: APIClient, what: str, form: str) -> None:
    address = addresses(make_campaign(steps=2))[what]
    whole = client.get(address)
    answer = client.get(address, headers={"If-None-Match": form.format(unquoted=whole["ETag"].strip('"'))})
    assert (answer.status_code, answer.json()) == (200, whole.json())


def test_after_a_change_it_is_sent_again(client: APIClient) -> None:
    campaign = make_campaign(steps=1)
    step = CampaignStep.objects.get()
    etag = client.get(step_url(step))["ETag"]
    client.patch(step_url(step), {"delay_minutes": 9})
    assert client.get(step_url(step), headers={"If-None-Match": etag}).json()["delay_minutes"] == 9
    assert campaign.steps.count() == 1


def test_an_answer_without_a_body_says_no_length(client: APIClient) -> None:
    """RFC 9110, section 8.6."""
    address = campaign_url(make_campaign())
    unchanged = client.get(address, headers={"If-None-Match": "*"})
    deleted = client.delete(address)
    assert (unchanged.status_code, deleted.status_code) == (304, 204)
    assert "Content-Length" not in unchanged.headers.keys() | deleted.headers.keys()
