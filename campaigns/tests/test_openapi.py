"""The OpenAPI document is complete, current and true: what it shows is what the API answers."""

import json
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

from campaigns.schema import OPERATIONS
from campaigns.tests.contract import resolve
from campaigns.tests.factories import make_campaign, step_body
from campaigns.views import CampaignViewSet

COPY = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
RENEW = "python manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn"
DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
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

    def call(self, client: APIClient, id: Any = NOBODY, body: Any = None, **options: Any) -> Any:
        path = self.path.replace("{id}", str(id)).replace("{step_id}", str(NOBODY))
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


def shape(value: Any) -> Any:
    """What stays of a value when only its names and types are looked at."""
    match value:
        case dict():
            return {name: shape(item) for name, item in value.items()}
        case list():
            return [shape(item) for item in value[:1]]
        case _:
            return type(value).__name__


def assert_as_documented(operation: Documented, response: Any, status: int) -> None:
    """The answer has the status, fits its schema, has its headers, and looks like one of its examples."""
    assert response.status_code == status, response.content
    body = json.loads(response.content)
    schema = {**operation.content(status)["schema"], "components": DOCUMENT["components"]}
    assert list(OAS30ReadValidator(schema).iter_errors(body)) == []
    headers = operation.answer(status)["headers"]
    assert [name for name in headers if name not in response.headers] == []
    known = [(it.get("error"), shape(it)) for it in operation.examples(status)]
    assert (body.get("error"), shape(body)) in known


# --- The document ----------------------------------------------------------------------------------------------------


def test_the_committed_copy_is_current() -> None:
    rendered = OpenApiYamlRenderer().render(DOCUMENT, renderer_context={}).decode()
    assert COPY.read_text() == rendered, f"renew it: {RENEW}"


def test_it_is_generated_without_warnings_and_valid(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)
    validate(json.loads(json.dumps(DOCUMENT)))


def test_operation_ids_are_frozen() -> None:
    """Clients' methods are named after them: an id may be added, none may change."""
    assert sorted(DOCUMENTED) == [
        "activateCampaign",
        "addStep",
        "archiveCampaign",
        "completeCampaign",
        "createCampaign",
        "getCampaign",
        "listCampaigns",
        "listSteps",
        "pauseCampaign",
    ]


def test_every_operation_of_the_view_is_declared() -> None:
    assert sorted(OPERATIONS) == sorted(CampaignViewSet.operation_ids.values()) == sorted(DOCUMENTED)


def test_paths_are_shown_without_a_slash_at_the_end() -> None:
    assert [path for path in DOCUMENT["paths"] if path.endswith("/")] == []


def test_every_operation_needs_an_access_token() -> None:
    security = {name: operation.description["security"] for name, operation in DOCUMENTED.items()}
    assert security == {key: [{"accessToken": []}] for key in DOCUMENTED}


def test_on_conflict_has_its_values() -> None:
    parameters = {it["name"]: it for it in DOCUMENTED["addStep"].description["parameters"]}
    schema = {"type": "string", "enum": ["reject", "shift"], "default": "reject"}
    assert (parameters["on_conflict"]["schema"], parameters["on_conflict"].get("required")) == (schema, None)


@each(DOCUMENTED.values())
def test_every_answer_has_an_example_that_fits_and_its_headers(operation: Documented) -> None:
    always = {"X-Request-ID"}
    also = {201: {"Location"}, 401: {"WWW-Authenticate"}, 403: {"WWW-Authenticate"}, 503: {"Retry-After"}}
    for status in map(int, operation.description["responses"]):
        assert always | also.get(status, set()) <= set(operation.answer(status)["headers"])
        assert operation.answer(status)["description"]
        assert operation.examples(status) or status == 204
        for example in operation.examples(status):
            schema = {**operation.content(status)["schema"], "components": DOCUMENT["components"]}
            assert list(OAS30ReadValidator(schema).iter_errors(json.loads(json.dumps(example)))) == []


@each(DOCUMENTED.values())
def test_every_status_that_can_happen_anywhere_is_documented(operation: Documented) -> None:
    expected = {"401", "403", "406", "500", "503"}
    expected |= {"400", "413", "415"} if operation in WITH_BODY else set()
    expected |= {"404"} if operation in OF_ONE else set()
    assert expected <= set(operation.description["responses"])


@each(WITH_BODY)
def test_the_example_of_a_body_fits_its_schema(operation: Documented) -> None:
    schema = {
        **operation.description["requestBody"]["content"]["application/json"]["schema"],
        "components": DOCUMENT["components"],
    }
    assert list(OAS30WriteValidator(schema).iter_errors(operation.sent_example)) == []


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
    """A call and the status that it ends in; `steps` and `status` are of the campaign that it is about."""

    id: str
    ends_in: int
    status: str = "draft"
    steps: int = 1
    body: Any = None
    query: str = ""


CASES = [
    Case("listCampaigns", 200),
    Case("createCampaign", 201),
    Case("createCampaign", 400, body={"name": 5, "external_id": ""}),
    Case("getCampaign", 200),
    Case("listSteps", 200),
    Case("addStep", 201),
    Case("addStep", 400, body={"position": -1}),
    Case("addStep", 400, query="?on_conflict=ask"),
    Case("addStep", 412, status="active"),
    Case("addStep", 412, body=step_body(0)),
    Case("activateCampaign", 200),
    Case("activateCampaign", 412, steps=0),
    Case("activateCampaign", 412, status="archived"),
    Case("pauseCampaign", 200, status="active"),
    Case("pauseCampaign", 412),
    Case("completeCampaign", 200, status="paused"),
    Case("completeCampaign", 412),
    Case("archiveCampaign", 200),
    Case("archiveCampaign", 412, status="active"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda it: f"{it.id} {it.ends_in}")
def test_a_call(case: Case, client: APIClient) -> None:
    documented = DOCUMENTED[case.id]
    campaign = make_campaign(status=case.status, steps=case.steps, external_id="crm-1")
    operation = documented._replace(path=documented.path + case.query)
    assert_as_documented(operation, operation.call(client, campaign.id, case.body), case.ends_in)


def test_every_success_and_every_kind_of_412_is_among_the_calls() -> None:
    ends = {(it.id, it.ends_in) for it in CASES}
    documented = {(it.id, int(status)) for it in DOCUMENTED.values() for status in it.description["responses"]}
    assert {it for it in documented if it[1] < 300 or it[1] == 412} <= ends
