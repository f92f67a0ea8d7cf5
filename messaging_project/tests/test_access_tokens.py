"""Which access tokens the API takes, and how it answers to the others."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from messaging_project.api.tokens import TokenUser
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.identity_provider import claims, hmac_signed, hs256
from messaging_project.tests.refusals import CHALLENGE, assert_refused

Ask = Callable[..., Any]
Sign = Callable[[dict[str, Any]], str]


# --- Taken -----------------------------------------------------------------------------------------------------------


def test_a_good_token_names_the_caller(whoami: Ask, sign: Sign) -> None:
    response = whoami(sign(claims(scope="campaigns:write campaigns:read")))

    assert response.status_code == 200
    assert response.json() == {
        "issuer": idp.ISSUER,
        "subject": "service-a",
        "scopes": ["campaigns:read", "campaigns:write"],
    }
    assert "WWW-Authenticate" not in response


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": None}, id="no scope"),
        pytest.param({"scope": ""}, id="empty scope"),
        pytest.param({"aud": ["another", "messaging"]}, id="one of several audiences"),
        pytest.param({"iat": None}, id="no iat"),
        pytest.param({"exp": lambda: int(time.time()) - 5}, id="expired within the leeway"),
        pytest.param({"exp": 4_000_000_000.5}, id="a fraction"),
        pytest.param({"nbf": lambda: int(time.time()) + 20}, id="valid within the leeway"),
        pytest.param({"sub": "ä" * 255}, id="longest subject"),
    ],
)
def test_also_good(whoami: Ask, changes: dict[str, Any]) -> None:
    good = claims(**{name: value() if callable(value) else value for name, value in changes.items()})
    response = whoami(hs256(good))

    assert response.status_code == 200
    assert response.json() == {"issuer": idp.ISSUER, "subject": good["sub"], "scopes": []}


def test_what_keys_on_a_user_gets_issuer_and_subject() -> None:
    assert TokenUser("https://issuer.example/", "service-a", frozenset()).pk == "https://issuer.example/ service-a"


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_case_insensitive(whoami: Ask, scheme: str) -> None:
    assert whoami(header=f"{scheme} {hs256(claims())}").json()["subject"] == "service-a"


def test_a_token_that_was_good_before_is_refused_once_it_has_expired(
    whoami: Ask, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = claims()
    token = sign(good)
    assert whoami(token).status_code == 200

    now = float(good["exp"] + 30)  # the leeway
    monkeypatch.setattr("messaging_project.api.tokens.time.time", lambda: now)
    assert_refused(whoami(token), "it has expired")
    now -= 0.1
    assert whoami(token).status_code == 200


def test_a_token_that_was_good_before_is_refused_under_another_key(whoami: Ask, settings: Settings) -> None:
    settings.ACCESS_TOKENS = idp.hs256_settings()
    token = hs256(claims())
    assert whoami(token).status_code == 200

    settings.ACCESS_TOKENS = {**idp.hs256_settings(), "HS256_KEY": "another" * 8}
    assert_refused(whoami(token), "its signature is wrong")


# --- Not given -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize("header", [None, "", "Basic dXNlcjpwYXNzd29yZA==", "Token abc", "Bearertoken abc"])
def test_without_a_token_the_challenge_names_no_error(whoami: Ask, header: str | None) -> None:
    response = whoami(header=header)

    assert response.status_code == 401
    assert response.json()["error"] == "unauthenticated"
    assert "Authorization: Bearer <token>" in response.json()["message"]
    assert response["WWW-Authenticate"] == CHALLENGE


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize("name", ["access_token", "token", "Authorization"])
def test_a_token_in_the_query_string_counts_for_nothing(whoami: Ask, name: str) -> None:
    response = whoami(path=f"/v1/whoami?{name}={hs256(claims())}")

    assert response.status_code == 401
    assert response.json()["error"] == "unauthenticated"
    assert response["WWW-Authenticate"] == CHALLENGE


@pytest.mark.usefixtures("shared_key")
def test_a_view_that_does_not_look_at_its_caller_needs_a_token_all_the_same(whoami: Ask) -> None:
    assert whoami(path="/v1/greet").json()["error"] == "unauthenticated"
    assert whoami(hs256(claims()), path="/v1/greet").json() == {"hello": "world"}


# --- Claims that don't hold ------------------------------------------------------------------------------------------

SUBJECT = "its sub claim must be 1 to 255 printable characters"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1_000_000_000}, "it has expired"),
        ({"exp": True}, "it has expired"),
        ({"exp": None}, "it has no exp claim"),
        ({"exp": "tomorrow"}, "it is malformed"),
        ({"exp": "4000000000"}, "it is malformed"),
        ({"exp": float("inf")}, "it is malformed"),
        ({"nbf": 4_000_000_000}, "it is not valid yet"),
        ({"nbf": {}}, "it is malformed"),
        ({"iat": 4_000_000_000}, "it is not valid yet"),
        ({"nbf": "1"}, "it is malformed"),
        ({"iat": "now"}, "it is malformed"),
        ({"iat": True}, "it is malformed"),
        ({"iss": "https://other.example/"}, "it is from another issuer"),
        ({"iss": idp.ISSUER.rstrip("/")}, "it is from another issuer"),
        ({"iss": None}, "it has no iss claim"),
        ({"aud": "another"}, "it is for another audience"),
        ({"aud": ["another", "messaging2"]}, "it is for another audience"),
        ({"aud": {"messaging": 1}}, "it is for another audience"),
        ({"aud": []}, "it has no aud claim"),
        ({"aud": None}, "it has no aud claim"),
        ({"sub": None}, "it has no sub claim"),
        ({"sub": 7}, SUBJECT),
        ({"sub": ["service-a"]}, SUBJECT),
        ({"sub": ""}, SUBJECT),
        ({"sub": " \u00a0"}, SUBJECT),
        ({"sub": "a" * 256}, SUBJECT),
        ({"sub": "a\u0000b"}, SUBJECT),
        ({"sub": "a\nb"}, SUBJECT),
        ({"sub": "a\ud800b"}, SUBJECT),
        ({"scope": ["campaigns:read"]}, "its scope claim must be one string"),
        ({"scope": 1}, "its scope claim must be one string"),
    ],
)
def test_a_claim_that_does_not_hold(whoami: Ask, sign: Sign, changes: dict[str, Any], reason: str) -> None:
    assert_refused(whoami(sign(claims(**changes))), reason)


def test_an_issuer_that_is_no_text(whoami: Ask, shared_key: bytes) -> None:
    assert_refused(whoami(hmac_signed({**claims(), "iss": 7}, shared_key)), "it is from another issuer")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"[]", id="list"),
        pytest.param(b'"sub"', id="string"),
        pytest.param(b"7", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 5_000, id="nested deeply"),
        pytest.param(b'{"exp": ' + b"9" * 5_000 + b"}", id="long number"),
    ],
)
def test_a_signed_payload_that_is_no_object(whoami: Ask, shared_key: bytes, payload: bytes) -> None:
    assert_refused(whoami(hmac_signed(payload, shared_key)), "it is malformed")
