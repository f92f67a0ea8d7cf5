"""The OpenAPI document is complete, current and true."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from openapi_schema_validator import OAS30WriteValidator
from openapi_spec_validator import validate
from rest_framework.test import APIClient

from campaigns.http.refusals import Reason
from campaigns.models import ActorType, HistoryEntry
from campaigns.openapi.examples import CAMPAIGN_ID
from campaigns.openapi.operations import OPERATIONS, PATH_PARAMETERS
from campaigns.serializers import meanings
from campaigns.tests.documented import DOCUMENT, DOCUMENTED, OF_ONE, WITH_BODY, Documented, each, faults
from campaigns.tests.factories import make_campaign, step_body
from campaigns.views import CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet

COPY = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
RENEW = "python manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn"


def test_the_committed_copy_is_valid_and_what_is_generated_without_warnings() -> None:
    generated = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=generated)
    assert generated.getvalue() == COPY.read_text(), f"renew it: {RENEW}"
    validate(json.loads(json.dumps(DOCUMENT)))


def nodes(value: Any) -> Iterator[Any]:
    """A value and everything inside it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def test_every_component_is_used_and_every_reference_leads_to_one() -> None:
    schemas, responses = (DOCUMENT["components"][kind] for kind in ("schemas", "responses"))
    components = {f"#/components/schemas/{name}" for name in schemas}
    components |= {f"#/components/responses/{name}" for name in responses}
    references = {node["$ref"] for node in nodes(DOCUMENT) if isinstance(node, dict) and "$ref" in node}
    assert references == components


def test_every_operation_says_what_it_does_under_a_tag_that_is_described() -> None:
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert {tag for it in DOCUMENTED.values() for tag in it.description["tags"]} == set(tags)
    assert [it.id for it in DOCUMENTED.values() if not it.description.get("summary")] == []


def test_operation_ids_are_frozen() -> None:
    """Clients' methods are named after them: an id may be added, none may change."""
    assert sorted(DOCUMENTED) == [
        "activateCampaign",
        "addStep",
        "addSteps",
        "archiveCampaign",
        "changeCampaign",
        "changeStep",
        "completeCampaign",
        "createCampaign",
        "deleteCampaign",
        "deleteStep",
        "duplicateCampaign",
        "getCampaign",
        "getChanges",
        "getReadiness",
        "getRevision",
        "getStep",
        "getTimeline",
        "listCampaigns",
        "listEvents",
        "listHistory",
        "listRevisions",
        "listSteps",
        "pauseCampaign",
        "reorderSteps",
        "replaceSteps",
    ]


def test_every_operation_of_the_views_is_declared() -> None:
    views = (CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet)
    of_views = [name for view in views for name in view.operation_ids.values()]
    assert sorted(OPERATIONS) == sorted(of_views) == sorted(DOCUMENTED)


def test_paths_are_shown_without_a_slash_at_the_end() -> None:
    assert [path for path in DOCUMENT["paths"] if path.endswith("/")] == []


def test_every_operation_needs_an_access_token() -> None:
    security = {name: operation.description["security"] for name, operation in DOCUMENTED.items()}
    assert security == {key: [{"accessToken": []}] for key in DOCUMENTED}


@each(OF_ONE)
def test_ids_in_paths_are_plain_strings_that_say_whose(operation: Documented) -> None:
    in_path = {it["name"]: it for it in operation.description["parameters"] if it["in"] == "path"}
    assert {name: (it["schema"], it["description"]) for name, it in in_path.items()} == {
        name: ({"type": "string"}, sentence) for name, sentence in PATH_PARAMETERS.items() if name in in_path
    }


def test_on_conflict_has_its_values() -> None:
    parameters = {it["name"]: it for it in DOCUMENTED["addStep"].description["parameters"]}
    schema = {"type": "string", "enum": ["reject", "shift"], "default": "reject"}
    assert (parameters["on_conflict"]["schema"], parameters["on_conflict"].get("required")) == (schema, None)


def test_filters_say_what_they_find() -> None:
    parameters = {p["name"]: p for p in DOCUMENTED["listCampaigns"].description["parameters"]}
    described = {name: p["description"] for name, p in parameters.items()}
    assert "at this time or later" in described["created_from"]
    assert "not at it" in described["created_before"]
    assert "in whatever case" in described["search"]
    assert "Case matters" in described["external_id"]
    assert [kind["format"] for kind in parameters["created_from"]["schema"]["anyOf"]] == ["date-time", "date"]


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for component, schema in DOCUMENT["components"]["schemas"].items():
        for name, described in schema.get("properties", {}).items():
            yield component, name, described


def named(value: Any, *path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property, parameter and header of a part of the document, with its path."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key in {"properties", "headers"}:
            yield from (("/".join([*path, name]), it) for name, it in inner.items())
        elif key == "parameters":
            yield from (("/".join([*path, it["name"]]), it) for it in inner)
        if key not in {"example", "examples"}:
            yield from named(inner, *path, str(key))


def test_every_property_parameter_and_header_is_described() -> None:
    found = [*named(DOCUMENT)]
    assert {"paths//v1/messaging/campaigns/get/sort", "components/schemas/StepValues/position"} <= {*dict(found)}
    assert [path for path, it in found if not it.get("description")] == []


def test_integers_are_numbers_only_where_the_contract_publishes_them() -> None:
    numbers = {(component, name) for component, name, described in properties() if described.get("type") == "number"}
    names = ("position", "delay_minutes")
    assert numbers == {(component, name) for component in ("CampaignStep", "ListedStep") for name in names}


def test_sums_have_64_bits_and_nothing_published_has() -> None:
    longs = {f"{component}.{name}" for component, name, described in properties() if described.get("format") == "int64"}
    assert longs == {"Campaign.total_delay_minutes", "PlannedStep.offset_minutes"}


def test_the_reasons_of_a_412_are_an_enumeration_that_generated_clients_have() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["BadStateReason"]["enum"] == Reason.values
    assert schemas["StateErrorDetails"]["properties"]["reason"]["allOf"] == [
        {"$ref": "#/components/schemas/BadStateReason"}
    ]
    described = schemas["StateErrorDetails"]["properties"]["reason"]["description"]
    assert [reason for reason in Reason.values if f"`{reason}`: " not in described] == []
    state, plain = ({"$ref": f"#/components/schemas/{name}"} for name in ("StateError", "Error"))
    of_412 = {it.id: it.content(412)["schema"] for it in DOCUMENTED.values() if "412" in it.description["responses"]}
    assert of_412.pop("addStep") == plain  # as published
    assert of_412 == dict.fromkeys(of_412, state)
    words = DOCUMENTED["addStep"].description["description"]
    shown = {example["details"].get("reason") for example in DOCUMENTED["addStep"].examples(412)} - {None}
    assert {reason for reason in Reason.values if f"`{reason}`" in words} == shown


def test_the_example_of_a_failed_precondition_is_a_change_meanwhile() -> None:
    of_412 = [it for it in DOCUMENTED.values() if "412" in it.description["responses"]]
    shown = {example["message"] for it in of_412 for example in it.examples(412) if example["error"] != "bad_state"}
    assert shown == {"It was changed since you read it: get it again and repeat your change."}


def test_every_reason_is_given_by_some_refusal() -> None:
    shown = {
        example["details"].get("reason")
        for it in DOCUMENTED.values()
        if "412" in it.description["responses"]
        for example in it.examples(412)
    }
    assert shown - {None} == set(Reason.values)


def test_the_examples_of_revisions_changes_and_history_tell_of_one_campaign() -> None:
    revision, changes, history, steps = (
        DOCUMENTED[name].examples(200)[0] for name in ("getRevision", "getChanges", "listHistory", "replaceSteps")
    )
    (entry,), (changed,), (added,) = history["results"], changes["changed"], changes["added"]
    frozen = {step["id"]: step for step in revision["steps"]}
    now = {step["id"]: {"ordinal": place, **step} for place, step in enumerate(steps["results"])}
    assert (entry["step_id"], entry["before"], entry["after"]) == (changed["id"], changed["before"], changed["after"])
    assert frozen[changed["id"]] | changed["before"] == frozen[changed["id"]]
    assert now[changed["id"]] | changed["after"] | {"ordinal": changed["ordinal"]} == now[changed["id"]]
    assert {name: now[added["id"]][name] for name in added} == added
    assert {*now} - {*frozen} == {added["id"]}


def test_the_next_page_in_an_example_is_one_of_the_same_list() -> None:
    lists = {it.id: it for it in DOCUMENTED.values() if it.method == "get" and "next" in it.examples(200)[0]}
    assert sorted(lists) == ["listCampaigns", "listHistory", "listRevisions", "listSteps"]
    shown = {name: urlsplit(it.examples(200)[0]["next"]).path for name, it in lists.items()}
    assert shown == {name: it.path.replace("{id}", str(CAMPAIGN_ID)) for name, it in lists.items()}


@each(WITH_BODY)
def test_the_limit_of_a_body_is_the_one_that_holds(operation: Documented) -> None:
    many = {"createCampaign", "addSteps", "replaceSteps", "reorderSteps"}
    limit = "8,388,608" if operation.id in many else "1,048,576"
    assert [limit in example["message"] for example in operation.examples(413)] == [True]


@pytest.mark.django_db
def test_what_changes_leave_in_the_history_is_typed(client: APIClient) -> None:
    campaign = make_campaign(steps=2)
    url = f"/v1/messaging/campaigns/{campaign.id}"
    first, second = client.get(f"{url}/steps").json()["results"]
    client.patch(url, {"name": "New", "description": "d", "external_id": "crm-9"})
    client.post(f"{url}/steps", step_body(7))
    client.post(f"{url}/steps/bulk?on_conflict=shift", {"steps": [step_body(0)]})
    client.patch(f"{url}/steps/{first['id']}", {"variables": {"a": 1}, "delay_minutes": 5})
    client.put(f"{url}/steps", {"steps": [second, step_body(8)]})
    client.put(f"{url}/steps/order", {"step_ids": [it["id"] for it in client.get(f"{url}/steps").json()["results"]]})
    copy = client.post(f"{url}/duplicate", {"external_id": "crm-10"})
    client.delete(copy["Location"])
    client.post("/v1/messaging/campaigns", {"name": "Third", "steps": [step_body(0)]})
    client.post(f"{url}/activate")
    call_command("seed_campaigns", campaigns=1, steps=1, verbosity=0, stdout=StringIO(), stderr=StringIO())
    typed = DOCUMENT["components"]["schemas"]["HistoryValues"]["properties"]
    entries = HistoryEntry.objects.all()
    assert len({entry.action for entry in entries}) == 12
    left = {name for entry in entries for values in (entry.before, entry.after) for name in values or ()}
    assert left == set(typed)
    schema = {"schema": {"$ref": "#/components/schemas/HistoryValues"}}
    found = [faults(schema, values) for entry in entries for values in (entry.before, entry.after) if values]
    assert found == [[] for _ in found]


@each(DOCUMENTED.values())
def test_every_answer_has_an_example_that_fits_and_its_headers(operation: Documented) -> None:
    always = {"X-Request-ID"}
    also = {201: {"Location"}, 401: {"WWW-Authenticate"}, 403: {"WWW-Authenticate"}, 503: {"Retry-After"}}
    for status in map(int, operation.description["responses"]):
        assert always | also.get(status, set()) <= set(operation.answer(status)["headers"])
        assert operation.answer(status)["description"]
        assert operation.examples(status) or status in {204, 304}
        assert [faults(operation.content(status), example) for example in operation.examples(status)] == [
            [] for _ in operation.examples(status)
        ]


@each(DOCUMENTED.values())
def test_every_status_that_can_happen_anywhere_is_documented(operation: Documented) -> None:
    expected = {"401", "403", "406", "500", "503"}
    expected |= {"400", "413", "415"} if operation in WITH_BODY else set()
    expected |= {"404"} if operation in OF_ONE else set()
    expected |= {"400", "409", "422"} if operation.method == "post" else set()
    assert expected <= set(operation.description["responses"])


@each(WITH_BODY)
def test_the_example_of_a_body_fits_its_schema(operation: Documented) -> None:
    part = operation.description["requestBody"]["content"]["application/json"]
    assert faults(part, operation.sent_example, OAS30WriteValidator) == []


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "position": [-1, 2_147_483_648, "3", True, 2.5, None],
        "template_id": ["", " \t", "a" * 256, "a\u0085", 5, None],
        "variables": [[], "{}", None],
    }.items(),
)
def test_the_schema_of_a_body_refuses_what_the_rules_refuse(field: str, values: list[Any]) -> None:
    schema = {"$ref": "#/components/schemas/CampaignStepRequest", "components": DOCUMENT["components"]}
    validator = OAS30WriteValidator(schema)
    assert [value for value in values if validator.is_valid(step_body() | {field: value})] == []


@pytest.mark.any_database
def test_words_are_described_by_their_labels() -> None:
    assert meanings(ActorType) == "`token`: Token; `user`: User; `command`: Command."
