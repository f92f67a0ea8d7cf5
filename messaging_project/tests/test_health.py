"""/healthz says that the process lives, whatever host and scheme it is asked by, and without a database."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_it_is_answered_before_host_and_https_are_checked(settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response: Any = Client().get(path, headers={"host": "10.0.0.7:8000"})

    assert (response.status_code, response.content, response["Cache-Control"]) == (200, b"ok\n", "no-cache")


def test_other_paths_are_not_its_own() -> None:
    assert Client().get("/healthz/x").status_code == 404
