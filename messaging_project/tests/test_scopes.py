"""Scopes per operation: who gets a 403, and which settings are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings
from rest_framework.test import APIClient

from messaging_project.api.checks import check_required_scopes, known_operation_ids
from messaging_project.api.token_settings import required_scopes
from messaging_project.tests.identity_provider import claims, hs256

Ask = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("shared_key")


@pytest.mark.parametrize(
    ("required", "scope"),
    [
        ([], None),
        (["greet=a:b"], None),
        (["whoAmI=a:read"], "a:read"),
        (["whoAmI=a:read"], "x a:read y"),
        (["whoAmI=a:read a:write"], "a:write a:read"),
        (["*=a:read"], "a:read"),
        (["*=a:admin", "whoAmI=a:read"], "a:read"),
    ],
)
def test_enough_scopes(whoami: Ask, settings: Settings, required: list[str], scope: str | None) -> None:
    settings.REQUIRED_SCOPES = required

    assert whoami(hs256(claims(scope=scope))).json()["subject"] == "service-a"


@pytest.mark.parametrize(
    ("required", "scope", "needed"),
    [
        (["whoAmI=a:read"], None, ["a:read"]),
        (["whoAmI=a:read"], "a:reader A:READ a", ["a:read"]),
        (["whoAmI=a:read"], "a:read\u00a0x", ["a:read"]),
        (["whoAmI=b a"], "a", ["a", "b"]),
        (["*=a:read"], "b", ["a:read"]),
        (["whoAmI=a:read", "*=b"], "b", ["a:read"]),
    ],
)
def test_a_missing_scope(
    whoami: Ask, settings: Settings, required: list[str], scope: str | None, needed: list[str]
) -> None:
    settings.REQUIRED_SCOPES = required

    response = whoami(hs256(claims(scope=scope)))

    assert response.status_code == 403
    assert response.json() == {
        "error": "insufficient_scope",
        "message": f"This operation needs an access token with the scopes {', '.join(needed)}: "
        "request one that has them.",
        "details": {"required_scopes": needed},
    }
    assert response["WWW-Authenticate"] == (
        f'Bearer realm="messaging", error="insufficient_scope", scope="{" ".join(needed)}"'
    )


@pytest.mark.parametrize("required", [[], ["whoAmI=a:read"]])
def test_without_a_token_it_is_a_401_whatever_the_scopes(whoami: Ask, settings: Settings, required: list[str]) -> None:
    settings.REQUIRED_SCOPES = required

    response = whoami()

    assert response.status_code == 401
    assert response.json()["error"] == "unauthenticated"


def test_a_user_without_scopes_passes_where_none_are_needed(whoami: Ask, settings: Settings) -> None:
    client = APIClient()
    client.force_authenticate(User(username="tester"))

    assert client.get("/v1/greet").json() == {"hello": "world"}
    settings.REQUIRED_SCOPES = ["greet=a:b"]
    assert client.get("/v1/greet").json()["error"] == "insufficient_scope"


# --- The setting -----------------------------------------------------------------------------------------------------


def test_the_setting_is_read() -> None:
    words = ["addStep=campaigns:read  campaigns:write", " * = campaigns:read "]

    assert required_scopes(words) == {
        "addStep": frozenset({"campaigns:read", "campaigns:write"}),
        "*": frozenset({"campaigns:read"}),
    }


@pytest.mark.parametrize(
    "words",
    [["addStep"], ["addStep="], ["=a"], ["add step=a"], ["add*=a"], ['addStep=a"b'], ["addStep=ä"], ["a=b", "a=c"]],
)
def test_a_setting_that_cannot_be_read_stops_the_start(words: list[str]) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"API_REQUIRED_SCOPES can't be read at .*: name each operation"):
        required_scopes(words)


def test_an_operation_that_does_not_exist_is_reported(settings: Settings) -> None:
    settings.ROOT_URLCONF = "messaging_project.tests.whoami"
    settings.REQUIRED_SCOPES = ["whoAmI=a", "whoami=a", "*=b"]

    assert check_required_scopes() == [
        Error(
            "API_REQUIRED_SCOPES names the operation whoami, which does not exist.",
            hint="Choose from greet, whoAmI, or * for all that are not named.",
            id="messaging_api.E001",
        )
    ]


@pytest.mark.parametrize("words", [[], ["*=a"], ["whoAmI=a", "greet=b"]])
def test_operations_that_exist_are_fine(settings: Settings, words: list[str]) -> None:
    settings.ROOT_URLCONF = "messaging_project.tests.whoami"
    settings.REQUIRED_SCOPES = words

    assert check_required_scopes() == []
    assert known_operation_ids() == {"whoAmI", "greet"}


def test_the_operations_that_settings_may_name() -> None:
    assert known_operation_ids() >= {"addStep", "listSteps", "createCampaign", "activateCampaign"}
