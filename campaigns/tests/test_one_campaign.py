"""Campaigns: create, read, change, delete, duplicate."""

import re
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from campaigns.lifecycle import unique_external_id
from campaigns.models import Campaign, CampaignStep
from campaigns.tests.api import NO_ID, ROOT, campaign_url, faults, not_found
from campaigns.tests.factories import history_of, make_campaign, make_step, positions, step_body, stored

pytestmark = pytest.mark.django_db
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_a_campaign_needs_only_a_name(client: APIClient) -> None:
    answer = client.post(ROOT, {"name": "Welcome"})
    campaign = Campaign.objects.get()
    body = answer.json()
    assert answer.status_code == 201
    times = {name: body.pop(name) for name in ("created_at", "updated_at")}
    assert all(INSTANT.fullmatch(time) for time in times.values())
    assert body == {
        "id": str(campaign.id),
        "external_id": None,
        "name": "Welcome",
        "description": "",
        "status": "draft",
        "step_count": 0,
        "total_delay_minutes": 0,
        "revision": None,
    }
    assert answer["Location"] == f"http://testserver{campaign_url(campaign)}"
    assert client.get(answer["Location"]).json() == {**body, **times}


def test_a_campaign_may_come_with_its_steps(client: APIClient) -> None:
    steps = [step_body(5, delay_minutes=60, variables={"a": [1, {"b": "ü"}]}), step_body(0, delay_minutes=2**31 - 1)]
    fields = {"name": "Welcome", "description": "Two\nlines", "external_id": "crm-1"}
    answer = client.post(ROOT, {**fields, "steps": steps})
    body = answer.json()
    campaign = Campaign.objects.get()
    assert {name: body[name] for name in fields} == fields
    assert (body["status"], body["step_count"], body["total_delay_minutes"]) == ("draft", 2, 2**31 + 59)
    assert [step.fields._asdict() for step in campaign.steps.order_by("-position")] == [
        {"delay_minutes": 0, "variables": {}, **step} for step in steps
    ]
    (entry,) = history_of(campaign)
    assert (entry["action"], entry["before"], entry["after"]) == ("campaign.created", None, {**fields, "steps": 2})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("name", "required")]),
        ({"name": " "}, [("name", "blank")]),
        ({"name": "x" * 201}, [("name", "max_length")]),
        (
            {"name": "a\nb", "description": "\u0001"},
            [("name", "control_character"), ("description", "control_character")],
        ),
        ({"name": 5, "external_id": ""}, [("external_id", "blank"), ("name", "invalid_type")]),
        ({"name": "x", "steps": None}, [("steps", "null")]),
        ({"name": "x", "steps": [step_body(0), step_body(0)]}, [("steps[1].position", "repeated")]),
        ({"name": "x", "steps": [step_body(0, delay_minutes=1.5)]}, [("steps[0].delay_minutes", "invalid_type")]),
        ({"name": "x", "steps": [{}] * 1_001}, [("steps", "max_length")]),
    ],
)
def test_nothing_is_created_from_a_faulty_body(client: APIClient, body: Any, expected: Any) -> None:
    assert faults(client.post(ROOT, body)) == expected
    assert stored() == []


def test_what_only_the_service_sets_is_ignored(client: APIClient) -> None:
    body = client.post(ROOT, {"name": "x", "status": "active", "id": NO_ID, "step_count": 5}).json()
    assert (body["status"], body["step_count"]) == ("draft", 0)
    assert body["id"] != NO_ID


@pytest.mark.parametrize("method", ["post", "patch"])
def test_an_external_id_is_unique(client: APIClient, method: str) -> None:
    holder = make_campaign(external_id="crm-1")
    other = make_campaign(external_id="crm-2", steps=1)
    message = f"The campaign {holder.id} has this external id: change that one, or choose another external id."
    before = stored()
    address = ROOT if method == "post" else campaign_url(other)
    answer = getattr(client, method)(address, {"name": "New", "external_id": "crm-1", "steps": [step_body(0)]})
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "error": "validation_error",
            "message": f"external_id: {message}",
            "details": {
                "errors": [{"field": "external_id", "code": "unique", "message": message}],
                "campaign_id": str(holder.id),
            },
        },
    )
    assert stored() == before


def test_a_taken_external_id_is_named_beside_other_faults(client: APIClient) -> None:
    holder, other = (make_campaign(external_id=f"crm-{number}") for number in (1, 2))
    body = {"name": " ", "external_id": "crm-1"}
    message = f"The campaign {holder.id} has this external id: change that one, or choose another external id."
    for answer in (
        client.post(ROOT, body),
        client.patch(campaign_url(other), body),
        client.post(campaign_url(other, "/duplicate"), body),
    ):
        assert faults(answer) == [("external_id", "unique"), ("name", "blank")]
        assert answer.json()["message"] == f"external_id: {message} (1 more)"
        assert answer.json()["details"]["campaign_id"] == str(holder.id)
    answer = client.post(f"{ROOT}?include=all", {**body, "name": "New"})
    assert faults(answer) == [("external_id", "unique"), ("include", "invalid_choice")]
    answer = client.patch(campaign_url(other), {**body, "external_id": "crm-2"})  # its own
    assert faults(answer) == [("name", "blank")]


def test_an_external_id_whose_holder_has_gone_at_once_names_none(client: APIClient) -> None:
    make_campaign(external_id="crm-1")
    refusals: list[Any] = []

    def gone(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if refusals == [] and sql.startswith("SELECT") and "external_id" in sql.partition("WHERE")[2]:
            refusals.append(sql)
            Campaign.objects.filter(external_id="crm-1").delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(gone):
        answer = client.post(ROOT, {"name": "New", "external_id": "crm-1"})
    details = answer.json()["details"]
    assert details == {
        "errors": [
            {"field": "external_id", "code": "unique", "message": "Another campaign had this external id: try again."}
        ]
    }


def test_a_refusal_of_the_database_that_no_external_id_of_the_caller_explains_passes() -> None:
    make_campaign(external_id="crm-1")
    with pytest.raises(IntegrityError), unique_external_id(None):
        make_campaign(external_id="crm-1")


def test_many_campaigns_may_have_no_external_id(client: APIClient) -> None:
    assert [client.post(ROOT, {"name": "x", "external_id": None}).status_code for _ in range(2)] == [201, 201]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "New"},
        {"description": "tab\tand\nline"},
        {"external_id": None},
        {"external_id": "crm-2"},
        {"name": "New", "description": "", "external_id": "ü"},
    ],
)
def test_a_patch_changes_what_it_names(client: APIClient, changes: dict[str, Any]) -> None:
    fields = {"name": "Old", "description": "Why", "external_id": "crm-1"}
    campaign = make_campaign(status="archived", steps=1, **fields)
    answer = client.patch(campaign_url(campaign), changes)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in fields} == {**fields, **changes}
    assert client.get(campaign_url(campaign)).json() == answer.json()
    after = Campaign.objects.get()
    assert (after.version, after.updated_at > campaign.updated_at) == (2, True)
    (entry,) = history_of(campaign)
    assert entry["action"] == "campaign.changed"
    assert (entry["before"], entry["after"]) == ({name: fields[name] for name in changes}, changes)


@pytest.mark.parametrize("changes", [{}, {"name": "Old"}, {"status": "active"}, {"steps": [step_body(5)]}])
def test_a_patch_that_changes_nothing_writes_nothing(client: APIClient, changes: dict[str, Any]) -> None:
    campaign = make_campaign(name="Old", steps=1)
    before = stored()
    assert client.patch(campaign_url(campaign), changes).status_code == 200
    assert stored() == before


def test_deleting_a_draft_deletes_its_steps_and_no_others(client: APIClient) -> None:
    campaign, other = make_campaign(steps=3, external_id="crm-1"), make_campaign(steps=2)
    answer = client.delete(campaign_url(campaign))
    assert (answer.status_code, answer.content) == (204, b"")
    assert list(Campaign.objects.all()) == [other]
    assert CampaignStep.objects.count() == 2
    (entry,) = history_of(campaign)
    before = {"name": "Welcome", "external_id": "crm-1", "description": "", "steps": 3}
    assert (entry["action"], entry["before"], entry["after"]) == ("campaign.deleted", before, None)
    assert client.delete(campaign_url(campaign)).json() == not_found("campaign", campaign.id)


@pytest.mark.parametrize("status", ["draft", "active", "completed", "archived"])
def test_a_copy_is_a_draft_with_all_steps_and_ids_of_its_own(client: APIClient, status: str) -> None:
    source = make_campaign(status=status, name="Spring", description="Why", external_id="crm-1")
    make_step(source, 0, delay_minutes=5, variables={"a": [True]})
    make_step(source, 7)
    CampaignStep.objects.update(version=4)
    before = stored()
    answer = client.post(campaign_url(source, "/duplicate"))

    copy = Campaign.objects.exclude(pk=source.pk).get()
    assert (answer.status_code, answer["Location"]) == (201, f"http://testserver{campaign_url(copy)}")
    assert (copy.name, copy.description, copy.status, copy.external_id, copy.version) == (
        "Spring (copy)", "Why", "draft", None, 1,
    )  # fmt: skip
    assert [step.fields for step in copy.steps.order_by("position")] == [
        step.fields for step in source.steps.order_by("position")
    ]
    assert set(copy.steps.values_list("version", flat=True)) == {1}
    assert not set(copy.steps.values_list("id")) & set(source.steps.values_list("id"))
    assert all(row in stored() for row in before)  # the source is as it was
    (entry,) = history_of(copy)
    assert entry["after"] == {"name": "Spring (copy)", "duplicate_of": str(source.id), "steps": 2}
    assert (entry["action"], entry["before"]) == ("campaign.duplicated", None)


def test_the_name_of_a_copy_fits(client: APIClient) -> None:
    name = client.post(campaign_url(make_campaign(name="x" * 200), "/duplicate")).json()["name"]
    assert name == "x" * 193 + " (copy)"


@pytest.mark.parametrize("count", [1, 200])
def test_a_copy_takes_as_many_statements_whatever_its_length(client: APIClient, count: int) -> None:
    campaign = make_campaign(steps=count)
    with CaptureQueriesContext(connection) as queries:
        copy = client.post(campaign_url(campaign, "/duplicate")).json()
    assert positions(Campaign.objects.get(pk=copy["id"])) == list(range(count))
    assert sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE")) for query in queries) == 6


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""), ("patch", ""), ("delete", ""), ("post", "/duplicate"), ("get", "/steps"), ("get", "/readiness"),
        ("get", "/timeline?tz=nowhere"), ("get", "/history"), ("post", "/activate"), ("post", "/pause"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("id", [NO_ID, "5", "none", "9" * 30])
def test_a_campaign_that_is_not_there_is_not_found(client: APIClient, method: str, path: str, id: str) -> None:
    answer = getattr(client, method)(campaign_url(id, path), {"name": 5} if method == "patch" else None)
    assert (answer.status_code, answer.json()) == (404, not_found("campaign", id))
