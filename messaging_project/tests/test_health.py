"""/healthz says that the process lives, whatever host and scheme it is asked by, and without a database."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from messaging_project.api.request_id import current_request_id


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_it_is_answered_before_host_and_https_are_checked(settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response: Any = Client().get(path, headers={"host": "10.0.0.7:8000"})

    assert (response.status_code, response.content, response["Cache-Control"]) == (200, b"ok\n", "no-cache")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_its_log_lines_have_an_id_of_their_own(path: str) -> None:
    before = Client().get("/")["X-Request-ID"]

    answer = Client().get(path)

    assert before != answer["X-Request-ID"] == current_request_id()


def test_other_paths_are_not_its_own() -> None:
    assert Client().get("/healthz/x").status_code == 404
