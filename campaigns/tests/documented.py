"""The operations as the OpenAPI document has them, and whether an answer is as it says."""

import json
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from drf_spectacular.generators import SchemaGenerator
from openapi_schema_validator import OAS30ReadValidator
from rest_framework.test import APIClient

from campaigns.tests.contract import resolve

DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
# Headers of every answer that no program needs to be told of.
UNTOLD = {
    *("Allow", "Content-Length", "Content-Type", "Vary"),
    *("Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy"),
    *("X-Content-Type-Options", "X-Frame-Options"),
}
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
    """The answer has the status, fits its schema, has its headers and no others, and looks like one of its examples."""
    assert response.status_code == status, response.content
    headers = operation.answer(status)["headers"]
    assert [name for name, it in headers.items() if it.get("required") and name not in response.headers] == []
    assert response.headers.keys() - headers.keys() - UNTOLD == set(), response.headers
    if not operation.content(status):
        assert response.content == b""
        return
    body = json.loads(response.content)
    assert faults(operation.content(status), body) == []
    examples = operation.examples(status)
    assert [it for it in examples if reason(it) == reason(body) and alike(it, body)], (body, examples)
