"""What the environment may say about access tokens, and what stops the start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured

from messaging_project.api.token_settings import AccessTokens, access_tokens
from messaging_project.environment import Environment
from messaging_project.tests import identity_provider as idp

BASE_DIR = Path(__file__).resolve().parents[2]
JWKS = {"JWT_JWKS_URL": "https://idp.example/jwks", "JWT_ISSUER": "https://idp.example/"}
KEY = "0123456789abcdef0123456789abcdef"


def read(variables: dict[str, str], local_key: str = "") -> AccessTokens:
    return access_tokens(Environment(variables), local_key=local_key)


def test_nothing_set_accepts_nothing() -> None:
    assert read({}) == {
        "ISSUER": "",
        "AUDIENCE": "messaging",
        "JWKS_URL": "",
        "ALGORITHMS": ["RS256", "ES256"],
        "HS256_KEY": "",
        "LEEWAY_SECONDS": 30,
        "REQUIRE_AT_JWT": False,
    }


def test_a_working_copy_has_a_key_of_its_own() -> None:
    found = read({}, local_key=KEY)

    assert (found["HS256_KEY"], found["ISSUER"], found["JWKS_URL"]) == (KEY, "http://localhost:8000/", "")


@pytest.mark.parametrize("local_key", ["", KEY])
def test_an_identity_provider_leaves_no_other_key(local_key: str) -> None:
    more = {
        "JWT_AUDIENCE": "campaigns",
        "JWT_ALGORITHMS": "EdDSA, PS512",
        "JWT_LEEWAY_SECONDS": "0",
        "JWT_REQUIRE_AT_JWT": "1",
    }

    assert read(JWKS | more, local_key) == {
        "ISSUER": "https://idp.example/",
        "AUDIENCE": "campaigns",
        "JWKS_URL": "https://idp.example/jwks",
        "ALGORITHMS": ["EdDSA", "PS512"],
        "HS256_KEY": "",
        "LEEWAY_SECONDS": 0,
        "REQUIRE_AT_JWT": True,
    }


def test_one_shared_key() -> None:
    found = read({"JWT_HS256_KEY": KEY, "JWT_ISSUER": "tests"}, local_key="another key that must not be used")

    assert (found["HS256_KEY"], found["ISSUER"]) == (KEY, "tests")


@pytest.mark.parametrize(
    "url",
    ["http://localhost/jwks", "http://127.0.0.1:8080/jwks", "http://127.8.9.1/jwks", "http://[::1]:8080/jwks", "HTTPS://IDP.example/"],
)  # fmt: skip
def test_addresses_that_nobody_can_tamper_with(url: str) -> None:
    assert read(JWKS | {"JWT_JWKS_URL": url})["JWKS_URL"] == url


def public_pem() -> str:
    public = idp.rsa_key("first").public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (JWKS | {"JWT_HS256_KEY": KEY}, "JWT_JWKS_URL and JWT_HS256_KEY are both set: keep"),
        ({"JWT_JWKS_URL": "https://idp.example/jwks"}, "JWT_ISSUER is not set: set it to"),
        ({"JWT_HS256_KEY": KEY}, "JWT_ISSUER is not set: set it to"),
        ({"JWT_HS256_KEY": KEY[1:], "JWT_ISSUER": "tests"}, "JWT_HS256_KEY is too short: set it to"),
        ({"JWT_HS256_KEY": public_pem(), "JWT_ISSUER": "tests"}, "JWT_HS256_KEY is a key of another kind"),
        (
            {"JWT_HS256_KEY": json.dumps(idp.rsa_jwk(idp.rsa_key("first"))), "JWT_ISSUER": "tests"},
            "JWT_HS256_KEY is a key of another kind",
        ),
        (JWKS | {"JWT_ALGORITHMS": "RS256,HS256"}, "JWT_ALGORITHMS has HS256: choose from RS256, "),
        (JWKS | {"JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS has none: choose from RS256, "),
        (JWKS | {"JWT_ALGORITHMS": "rs256,RS256,XY1"}, "JWT_ALGORITHMS has rs256, XY1: choose from RS256, "),
        (JWKS | {"JWT_LEEWAY_SECONDS": "301"}, "JWT_LEEWAY_SECONDS is 301: set it to at most 300"),
        (JWKS | {"JWT_LEEWAY_SECONDS": "-1"}, "JWT_LEEWAY_SECONDS is '-1': set it to a whole number"),
        *(
            (JWKS | {"JWT_JWKS_URL": url}, "JWT_JWKS_URL must be an https:// address")
            for url in (
                "http://idp.example/jwks",
                "http://localhost.example/jwks",
                "http://127.0.0.1.example/jwks",
                "http://user@idp.example/jwks",
                "ftp://localhost/jwks",
                "file:///etc/passwd",
                "https://",
                "https:idp.example",
                "https://idp.example:port/",
                "https://[::1/jwks",
                "idp.example/jwks",
            )
        ),
    ],
)
def test_a_setting_that_stops_the_start(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(variables)

    assert str(refused.value).startswith(message)
    assert variables.get("JWT_HS256_KEY", "no key") not in str(refused.value)


def test_the_issuer_of_a_working_copy_is_no_identity_provider() -> None:
    with pytest.raises(ImproperlyConfigured, match="JWT_ISSUER is not set: set it to"):
        read({"JWT_JWKS_URL": "https://idp.example/jwks"}, local_key=KEY)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"JWT_JWKS_URL": "http://idp.example/jwks"}, "JWT_JWKS_URL must be an https:// address"),
        ({"API_REQUIRED_SCOPES": "addStep"}, "API_REQUIRED_SCOPES can't be read at 'addStep'"),
    ],
)
def test_the_settings_module_asks_for_all_of_it(variables: dict[str, str], message: str) -> None:
    production = {"DJANGO_SECRET_KEY": "x" * 50, "DATABASE_URL": "sqlite://"}
    environment = {"PATH": os.environ["PATH"], **production, **variables}
    command = [sys.executable, "-c", "import messaging_project.settings"]
    done = subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"ImproperlyConfigured: {message}" in done.stderr
