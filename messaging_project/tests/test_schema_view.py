"""The address of the OpenAPI document: for everyone, in YAML and JSON; its refusals are envelopes like all others."""

import json
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

URL = "/v1/messaging/schema"
YAML = "application/vnd.oai.openapi"
JSON = "application/vnd.oai.openapi+json"


def ask(path: str = URL, accept: str | None = None, **headers: str) -> Any:
    if accept is not None:
        headers["accept"] = accept
    return APIClient().get(path, headers=headers)


@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        (URL, None, YAML),
        (f"{URL}/", None, YAML),
        (URL, "*/*", YAML),
        (URL, JSON, JSON),
        (URL, "application/json", "application/json"),
        (URL, "application/json,*/*;q=0.5", "application/json"),
        (URL, f"{YAML};q=0.1, {JSON};q=0.2", JSON),
        (URL, f"{YAML};q=0, */*", JSON),
        (f"{URL}?format=json", None, JSON),
        (f"{URL}/?format=json", "*/*", JSON),
        (f"{URL}?format=yaml", None, YAML),
    ],
)
def test_the_caller_chooses_the_format(path: str, accept: str | None, media_type: str) -> None:
    response = ask(path, accept)
    read = yaml.safe_load if media_type == YAML else json.loads
    assert (response.status_code, response["Content-Type"]) == (200, media_type)
    assert read(response.content)["info"]["title"] == "Messaging API"


def test_both_formats_say_the_same() -> None:
    assert yaml.safe_load(ask().content) == json.loads(ask(accept=JSON).content)


def test_a_token_is_not_even_looked_at() -> None:
    assert ask(authorization="Bearer stale").status_code == 200


def test_the_methods_that_it_names_are_those_that_it_takes() -> None:
    refused = APIClient().options(URL)
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")


def test_an_unknown_format_is_a_fault() -> None:
    response = ask(f"{URL}?format=xml")
    fault = {"field": "format", "code": "invalid_choice", "message": "Must be one of: yaml, json."}
    assert (response.status_code, response.json()["details"]) == (400, {"errors": [fault]})


def test_who_takes_none_of_the_formats_is_told_all_of_them() -> None:
    offered = f"{YAML}, {JSON} or application/json"
    assert ask(accept="image/png").json()["message"] == f"Answers are {offered} only; change the Accept header."


@pytest.mark.parametrize(
    ("method", "accept", "status", "error"),
    [("get", "image/png", 406, "not_acceptable"), ("post", YAML, 405, "method_not_allowed")],
)
def test_refusals_are_json_whatever_was_asked_for(method: str, accept: str, status: int, error: str) -> None:
    response = getattr(APIClient(), method)(URL, headers={"accept": accept})
    assert (response.status_code, response["Content-Type"], response.json()["error"]) == (
        status,
        "application/json",
        error,
    )
