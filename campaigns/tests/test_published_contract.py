"""POST …/steps stays what clients were generated from; and the comparison that says so can tell when it doesn't."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from campaigns.tests.contract import departures, resolve

PUBLISHED = json.loads((Path(__file__).parent / "data" / "create-step.openapi.json").read_text())
PATH = "/v1/messaging/campaigns/{id}/steps"


@pytest.fixture(scope="module")
def generated() -> Any:
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]


@pytest.fixture
def document(generated: Any) -> Any:
    return copy.deepcopy(generated)


def test_the_document_keeps_the_published_contract(document: Any) -> None:
    assert departures(PUBLISHED, document, PATH, "post") == []


def test_errors_are_the_component_that_clients_know(document: Any) -> None:
    responses = document["paths"][PATH]["post"]["responses"]
    errors = {status: resolve(document, response) for status, response in responses.items() if status != "201"}
    schemas = {status: error["content"]["application/json"]["schema"] for status, error in errors.items()}
    assert schemas == {key: {"$ref": "#/components/schemas/Error"} for key in errors}


def operation(document: Any) -> Any:
    return document["paths"][PATH]["post"]


def request(document: Any) -> Any:
    return resolve(document, operation(document)["requestBody"]["content"]["application/json"]["schema"])


def answer(document: Any) -> Any:
    return resolve(document, operation(document)["responses"]["201"]["content"]["application/json"]["schema"])


def error(document: Any) -> Any:
    return document["components"]["schemas"]["Error"]


def path_id(document: Any) -> Any:
    return next(it for it in operation(document)["parameters"] if it["name"] == "id")


def rename(mapping: dict[str, Any], old: str, new: str) -> None:
    mapping[new] = mapping.pop(old)


BREAKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "path with a slash": (
        lambda it: rename(it["paths"], PATH, f"{PATH}/"),
        "POST /v1/messaging/campaigns/{id}/steps is gone",
    ),
    "method gone": (lambda it: it["paths"][PATH].pop("post"), "POST /v1/messaging/campaigns/{id}/steps is gone"),
    "path parameter renamed": (lambda it: path_id(it).update(name="pk"), "path parameter id: gone"),
    "path parameter with a format": (
        lambda it: path_id(it)["schema"].update(format="uuid"),
        "path parameter id: format is 'uuid', not None",
    ),
    "path parameter with a pattern": (
        lambda it: path_id(it)["schema"].update(pattern="^[^/]+$"),
        "path parameter id: pattern is '^[^/]+$', not None",
    ),
    "query parameter required": (
        lambda it: next(p for p in operation(it)["parameters"] if p["in"] == "query").update(required=True),
        "query parameter on_conflict: required",
    ),
    "body optional": (lambda it: operation(it)["requestBody"].pop("required"), "requestBody: not required"),
    "body of another type": (
        lambda it: rename(operation(it)["requestBody"]["content"], "application/json", "text/json"),
        "requestBody: no application/json",
    ),
    "request property dropped": (
        lambda it: request(it)["properties"].pop("variables"),
        "requestBody.variables: gone",
    ),
    "request property renamed": (
        lambda it: rename(request(it)["properties"], "delay_minutes", "delay"),
        "requestBody.delay: new",
    ),
    "request property retyped": (
        lambda it: request(it)["properties"]["position"].update(type="number"),
        "requestBody.position: type is 'number', not 'integer'",
    ),
    "request property nullable": (
        lambda it: request(it)["properties"]["template_id"].update(nullable=True),
        "requestBody.template_id: nullable is True, not None",
    ),
    "more required in the request": (
        lambda it: request(it)["required"].append("variables"),
        "requestBody: required are ['position', 'template_id', 'template_version_id', 'variables']",
    ),
    "published limit raised": (
        lambda it: request(it)["properties"]["position"].update(minimum=1),
        "requestBody.position: minimum is 1, not 0",
    ),
    "published limit gone": (
        lambda it: request(it)["properties"]["position"].pop("minimum"),
        "requestBody.position: minimum is None, not 0",
    ),
    "variables of strings only": (
        lambda it: request(it)["properties"]["variables"].update(additionalProperties={"type": "string"}),
        "requestBody.variables: additionalProperties is {'type': 'string'}, not {}",
    ),
    "status gone": (lambda it: operation(it)["responses"].pop("412"), "412: no application/json"),
    "answer with an integer": (
        lambda it: answer(it)["properties"]["delay_minutes"].update(type="integer"),
        "201.delay_minutes: type is 'integer', not 'number'",
    ),
    "answer with a uuid": (
        lambda it: answer(it)["properties"]["campaign_id"].update(format="uuid"),
        "201.campaign_id: format is 'uuid', not None",
    ),
    "answer with a limit": (
        lambda it: answer(it)["properties"]["template_id"].update(maxLength=255),
        "201.template_id: maxLength is 255, not None",
    ),
    "answer's key gone": (lambda it: answer(it)["properties"].pop("id"), "201.id: gone"),
    "answer's key new": (
        lambda it: answer(it)["properties"].update(version={"type": "number"}),
        "201.version: new",
    ),
    "answer's key optional": (
        lambda it: answer(it)["required"].remove("variables"),
        "201: required are ['campaign_id', 'delay_minutes', 'id', 'position', 'template_id', 'template_version_id']",
    ),
    "error's details required": (
        lambda it: error(it)["required"].append("details"),
        "404: required are ['details', 'error', 'message']",
    ),
    "error's message renamed": (lambda it: rename(error(it)["properties"], "message", "detail"), "500.message: gone"),
}


@pytest.mark.parametrize(("change", "departure"), BREAKS.values(), ids=BREAKS.keys())
def test_the_comparison_names_a_break(document: Any, change: Callable[[Any], Any], departure: str) -> None:
    change(document)
    assert departure in departures(PUBLISHED, document, PATH, "post")


ADDITIONS: dict[str, Callable[[Any], Any]] = {
    "a status": lambda it: operation(it)["responses"].update({"418": {"description": "I'm a teapot"}}),
    "an optional parameter": lambda it: operation(it)["parameters"].append(
        {"in": "query", "name": "dry_run", "schema": {"type": "boolean"}}
    ),
    "a header": lambda it: operation(it)["responses"]["201"]["headers"].update(ETag={"schema": {"type": "string"}}),
    "words": lambda it: answer(it)["properties"]["id"].update(description="The step's id.", example="a"),
    "a limit of what is sent": lambda it: request(it)["properties"]["template_id"].update(maxLength=10),
}


@pytest.mark.parametrize("change", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_the_comparison_allows_an_addition(document: Any, change: Callable[[Any], Any]) -> None:
    change(document)
    assert departures(PUBLISHED, document, PATH, "post") == []
