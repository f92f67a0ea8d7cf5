"""`manage.py issue_token`: a token for development, on standard output and alone."""

import io
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from messaging_project.tests import identity_provider as idp

Ask = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("shared_key")


def issue(*arguments: str) -> str:
    output = io.StringIO()
    call_command("issue_token", *arguments, stdout=output)
    return output.getvalue()


def test_it_prints_a_token_and_nothing_else(whoami: Ask) -> None:
    output = issue()

    assert output.count("\n") == 1
    assert whoami(output.strip()).json() == {"issuer": idp.ISSUER, "subject": "developer", "scopes": []}


def test_subject_and_scope(whoami: Ask) -> None:
    output = issue("--subject", "service b", "--scope", "campaigns:write  campaigns:read")

    assert whoami(output.strip()).json() == {
        "issuer": idp.ISSUER,
        "subject": "service b",
        "scopes": ["campaigns:read", "campaigns:write"],
    }


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        pytest.param([], 3_600, id="an hour by default"),
        pytest.param(["--expires-in", "1"], 1, id="a second"),
        pytest.param(["--expires-in", "2592000"], 2_592_000, id="30 days"),
        pytest.param(["--expires-in", "31622400"], 31_622_400, id="366 days"),
    ],
)
def test_how_long_it_is_valid(arguments: list[str], seconds: int) -> None:
    before = int(time.time())
    claims = jwt.decode(issue(*arguments).strip(), options={"verify_signature": False})

    assert claims["exp"] - claims["iat"] == seconds
    assert before <= claims["iat"] <= time.time()


def test_each_token_has_an_id_of_its_own() -> None:
    assert issue() != issue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subject", ""], "--subject must be 1 to 255 printable characters"),
        (["--subject", " "], "--subject must be 1 to 255 printable characters"),
        (["--subject", "a" * 256], "--subject must be 1 to 255 printable characters"),
        (["--subject", "a\nb"], "--subject must be 1 to 255 printable characters"),
        (["--scope", 'a"b'], "--scope must be printable ASCII words"),
        (["--scope", "ä"], "--scope must be printable ASCII words"),
        (["--expires-in", "0"], "'0' is not a whole number from 1 to 31622400"),
        (["--expires-in", "-1"], "'-1' is not a whole number from 1 to 31622400"),
        (["--expires-in", "31622401"], "'31622401' is not a whole number from 1 to 31622400"),
        (["--expires-in", "1h"], "'1h' is not a whole number from 1 to 31622400"),
    ],
)
def test_values_that_no_token_can_have(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        issue(*arguments)


def test_with_an_identity_provider_it_refuses(settings: Settings) -> None:
    settings.ACCESS_TOKENS = idp.hs256_settings(JWKS_URL="https://idp.example/jwks")

    with pytest.raises(CommandError, match="JWT_JWKS_URL names an identity provider: get the token there"):
        issue()


def test_without_a_key_it_refuses(settings: Settings) -> None:
    settings.ACCESS_TOKENS = idp.hs256_settings(HS256_KEY="")

    with pytest.raises(CommandError, match="There is no key to sign with: set JWT_HS256_KEY"):
        issue()
