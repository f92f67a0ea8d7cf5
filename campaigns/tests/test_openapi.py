"""The OpenAPI document is complete, current and true: what it shows is what the API answers."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from openapi_spec_validator import validate
from rest_framework.test import APIClient

from campaigns import history
from campaigns.http.refusals import Reason
from campaigns.models import Action, HistoryEntry
from campaigns.openapi.operations import OPERATIONS, PATH_PARAMETERS
from campaigns.revisions import freeze_all
from campaigns.tests.contract import resolve
from campaigns.tests.factories import ACTOR, make_campaign, step_body
from campaigns.views import CampaignViewSet, EventViewSet, RevisionViewSet, StepViewSet

COPY = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
RENEW = "python manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn"
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
FREE_FORM = {"variables", "before", "after"}
NOBODY = UUID(int=7)  # a well-formed id that nothing has


class Documented(NamedTuple):
    """An operation as the document has it."""

    path: str
    method: str
    description: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.description["operationId"])

    @property
    def sent_example(self) -> Any:
        return self.description["requestBody"]["content"]["application/json"]["examples"]["Example"]["value"]

    def answer(self, status: int) -> dict[str, Any]:
        return resolve(DOCUMENT, self.description["responses"][str(status)])

    def content(self, status: int) -> dict[str, Any]:
        content: dict[str, Any] = self.answer(status).get("content", {}).get("application/json", {})
        return content

    def examples(self, status: int) -> list[Any]:
        return [example["value"] for example in self.content(status).get("examples", {}).values()]

    def call(self, client: APIClient, id: Any = NOBODY, step_id: Any = NOBODY, body: Any = None, **options: Any) -> Any:
        path = self.path.replace("{id}", str(id)).replace("{step_id}", str(step_id))
        path = path.replace("{number}", "latest")
        if body is None and "requestBody" in self.description:
            body = self.sent_example
        if body is not None and "content_type" not in options:
            options["format"] = "json"
        return getattr(client, self.method)(path, body, **options)


DOCUMENTED = {
    operation["operationId"]: Documented(path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
WITH_BODY = [it for it in DOCUMENTED.values() if "requestBody" in it.description]
OF_ONE = [it for it in DOCUMENTED.values() if "{" in it.path]


def each(operations: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", list(operations), ids=lambda it: it.id)


def alike(example: Any, real: Any) -> bool:
    """Whether two values have the same names and types; null is like anything, and free-form objects are alike."""
    match example, real:
        case None, _:
            return True
        case _, None:
            return True
        case dict(), dict():
            return example.keys() == real.keys() and all(
                name in FREE_FORM or alike(example[name], real[name]) for name in example
            )
        case list(), list():
            return all(alike(example[0], item) for item in real) if example else True
        case _:
            return type(example) is type(real)


def reason(body: Any) -> tuple[Any, Any]:
    details = body.get("details", {})
    return body.get("error"), details.get("reason", details.get("resource"))


def faults(part: dict[str, Any], value: Any, validator: Any = OAS30ReadValidator) -> list[str]:
    """How a value departs from the schema of a part of the document."""
    schema = {**part["schema"], "components": DOCUMENT["components"]}
    return [error.message for error in validator(schema).iter_errors(json.loads(json.dumps(value)))]


def assert_as_documented(operation: Documented, response: Any, status: int) -> None:
    """The answer has the status, fits its schema, has its headers, and looks like one of its examples."""
    assert response.status_code == status, response.content
    headers = operation.answer(status)["headers"]
    assert [name for name, it in headers.items() if it.get("required") and name not in response.headers] == []
    if not operation.content(status):
        assert response.content == b""
        return
    body = json.loads(response.content)
    assert faults(operation.content(status), body) == []
    examples = operation.examples(status)
    assert [it for it in examples if reason(it) == reason(body) and alike(it, body)], (body, examples)


# --- The document ----------------------------------------------------------------------------------------------------


def test_the_committed_copy_is_current() -> None:
    rendered = OpenApiYamlRenderer().render(DOCUMENT, renderer_context={}).decode()  # type: ignore[no-untyped-call]
    assert COPY.read_text() == rendered, f"renew it: {RENEW}"


def test_it_is_generated_without_warnings_and_valid(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)
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
    parameters = [(it.id, parameter) for it in DOCUMENTED.values() for parameter in it.description["parameters"]]
    assert [(name, parameter["name"]) for name, parameter in parameters if not parameter.get("description")] == []


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


def test_every_query_parameter_is_described() -> None:
    parameters = [(it.id, p) for it in DOCUMENTED.values() for p in it.description.get("parameters", ())]
    assert [(name, p["name"]) for name, p in parameters if p["in"] == "query" and not p.get("description")] == []
    described = {p["name"]: p["description"] for name, p in parameters if name == "listCampaigns"}
    assert "at this time or later" in described["created_from"]
    assert "not at it" in described["created_before"]
    assert "in whatever case" in described["search"]
    assert "Case matters" in described["external_id"]


def test_sums_have_64_bits_and_nothing_published_has() -> None:
    longs = {
        f"{name}.{key}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for key, property_schema in schema.get("properties", {}).items()
        if property_schema.get("format") == "int64"
    }
    assert longs == {"Campaign.total_delay_minutes", "PlannedStep.offset_minutes"}


def test_the_reasons_of_a_412_are_an_enumeration_that_generated_clients_have() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["BadStateReason"]["enum"] == Reason.values
    assert schemas["StateErrorDetails"]["properties"]["reason"]["allOf"] == [
        {"$ref": "#/components/schemas/BadStateReason"}
    ]
    state, plain = ({"$ref": f"#/components/schemas/{name}"} for name in ("StateError", "Error"))
    of_412 = {it.id: it.content(412)["schema"] for it in DOCUMENTED.values() if "412" in it.description["responses"]}
    assert of_412.pop("addStep") == plain  # as published
    assert of_412 == dict.fromkeys(of_412, state)
    words = DOCUMENTED["addStep"].description["description"]
    shown = {example["details"].get("reason") for example in DOCUMENTED["addStep"].examples(412)} - {None}
    assert {reason for reason in Reason.values if f"`{reason}`" in words} == shown


def test_every_reason_is_given_by_some_refusal() -> None:
    shown = {
        example["details"].get("reason")
        for it in DOCUMENTED.values()
        if "412" in it.description["responses"]
        for example in it.examples(412)
    }
    assert shown - {None} == set(Reason.values)


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


# --- The API answers as documented -----------------------------------------------------------------------------------


@pytest.mark.django_db
@each(DOCUMENTED.values())
def test_without_a_token(operation: Documented) -> None:
    assert_as_documented(operation, operation.call(APIClient()), 401)


@pytest.mark.django_db
@each(DOCUMENTED.values())
def test_for_another_media_type(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client, headers={"accept": "image/png"}), 406)


@pytest.mark.django_db
@each(OF_ONE)
def test_of_nothing(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client), 404)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_that_is_no_json(operation: Documented, client: APIClient) -> None:
    response = operation.call(client, body="{", content_type="application/json")
    assert_as_documented(operation, response, 400)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_of_another_type(operation: Documented, client: APIClient) -> None:
    assert_as_documented(operation, operation.call(client, body="a", content_type="text/plain"), 415)


@pytest.mark.django_db
@each(WITH_BODY)
def test_a_body_that_is_too_large(operation: Documented, client: APIClient) -> None:
    response = operation.call(client, body=" " * (8 * 1024 * 1024 + 1), content_type="application/json")
    assert_as_documented(operation, response, 413)


@pytest.mark.django_db
@each(it for it in DOCUMENTED.values() if any(p["name"] == "limit" for p in it.description.get("parameters", ())))
def test_a_page_of_an_impossible_size(operation: Documented, client: APIClient) -> None:
    campaign = make_campaign()
    assert_as_documented(operation, operation.call(client, campaign.id, body={"limit": 0}, content_type=None), 400)


class Case(NamedTuple):
    """A call and the status that it ends in; `status` and `steps` are of the campaign that it is about."""

    id: str
    ends_in: int
    status: str = "draft"
    steps: int = 2
    body: Any = None
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - of a tuple, and never changed


STALE = {"if-match": '"stale"'}
NO_KEY = {"idempotency-key": " "}
CASES = [
    Case("listCampaigns", 200),
    Case("listCampaigns", 400, query="?status=running"),
    Case("createCampaign", 201),
    Case("createCampaign", 400, body={"name": 5, "external_id": ""}),
    Case("createCampaign", 400, body={"name": "Again", "external_id": "crm-1"}),
    Case("getCampaign", 200),
    Case("getCampaign", 304, headers={"if-none-match": "*"}),
    Case("changeCampaign", 200),
    Case("changeCampaign", 400, body={"name": ""}),
    Case("changeCampaign", 412, headers=STALE),
    Case("deleteCampaign", 204),
    Case("deleteCampaign", 412, status="paused"),
    Case("deleteCampaign", 412, headers=STALE),
    Case("duplicateCampaign", 201, status="archived"),
    Case("duplicateCampaign", 400, headers=NO_KEY),
    Case("duplicateCampaign", 412, headers=STALE),
    Case("listSteps", 200),
    Case("listSteps", 304, headers={"if-none-match": "*"}),
    Case("addStep", 201, steps=1),
    Case("addStep", 400, body={"position": -1}),
    Case("addStep", 400, query="?on_conflict=ask"),
    Case("addStep", 412, status="active"),
    Case("addStep", 412, headers=STALE),
    Case("addStep", 412),
    Case("addSteps", 201, steps=0),
    Case("addSteps", 400, body={"steps": [step_body(7), step_body(7)]}),
    Case("addSteps", 412, status="active"),
    Case("addSteps", 412, headers=STALE),
    Case("addSteps", 412),
    Case("replaceSteps", 200, body={"steps": [step_body(7)]}),
    Case("replaceSteps", 400, steps=0),
    Case("replaceSteps", 412, status="completed", body={"steps": []}),
    Case("replaceSteps", 412, body={"steps": []}, headers=STALE),
    Case("reorderSteps", 200, steps=0, body={"step_ids": []}),
    Case("reorderSteps", 400),
    Case("reorderSteps", 412, status="active", steps=0, body={"step_ids": []}),
    Case("reorderSteps", 412, steps=0, body={"step_ids": []}, headers=STALE),
    Case("getStep", 200),
    Case("getStep", 304, headers={"if-none-match": "*"}),
    Case("changeStep", 200),
    Case("changeStep", 400, body={"variables": []}),
    Case("changeStep", 412, body={"position": 1}),
    Case("changeStep", 412, status="active"),
    Case("changeStep", 412, headers=STALE),
    Case("deleteStep", 204),
    Case("deleteStep", 412, status="active"),
    Case("deleteStep", 412, headers=STALE),
    Case("activateCampaign", 200),
    Case("activateCampaign", 400, headers=NO_KEY),
    Case("activateCampaign", 412, steps=0),
    Case("activateCampaign", 412, status="archived"),
    Case("activateCampaign", 412, headers=STALE),
    Case("pauseCampaign", 200, status="active"),
    Case("pauseCampaign", 412),
    Case("completeCampaign", 200, status="paused"),
    Case("completeCampaign", 412),
    Case("archiveCampaign", 200),
    Case("archiveCampaign", 412, status="active"),
    Case("getReadiness", 200, steps=0),
    Case("getTimeline", 200, query="?tz=Europe/Berlin"),
    Case("getTimeline", 400, query="?tz=Mars"),
    Case("listHistory", 200),
    Case("listRevisions", 200),
    Case("getRevision", 200, status="active"),
    Case("getRevision", 304, status="active", headers={"if-none-match": "*"}),
    Case("getChanges", 200),
    Case("listEvents", 200),
    Case("listEvents", 400, query="?types=step.moved"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda it: f"{it.id} {it.ends_in}")
def test_a_call(case: Case, client: APIClient) -> None:
    documented = DOCUMENTED[case.id]
    campaign = make_campaign(status=case.status, steps=case.steps, external_id="crm-1")
    history.record(ACTOR, Action.CAMPAIGN_CREATED, campaign.id, after={"name": "Welcome"})
    list(freeze_all())
    operation = documented._replace(path=documented.path + case.query)
    first = campaign.steps.order_by("position").first()
    response = operation.call(client, campaign.id, first and first.id, case.body, headers=case.headers)
    assert_as_documented(operation, response, case.ends_in)


@pytest.mark.django_db
def test_a_key_of_another_request(client: APIClient) -> None:
    create, key = DOCUMENTED["createCampaign"], {"idempotency-key": "one"}
    assert_as_documented(create, create.call(client, headers=key), 201)
    response = create.call(client, body={"name": "Other"}, headers=key)
    assert_as_documented(create, response, 422)


def test_every_success_and_every_kind_of_412_is_among_the_calls() -> None:
    documented = {(it.id, int(status)) for it in DOCUMENTED.values() for status in it.description["responses"]}
    tried = {(it.id, it.ends_in) for it in CASES}
    assert {it for it in documented if it[1] < 400 or it[1] == 412} - tried == set()
