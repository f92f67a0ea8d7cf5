"""Headers that hold no token, and tokens that no key of the issuer signed: refused, each with its reason."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import Settings

from messaging_project.tests import identity_provider as idp
from messaging_project.tests.identity_provider import (
    IdentityProvider,
    by_hand,
    claims,
    es256,
    hmac_signed,
    hs256,
    rs256,
)
from messaging_project.tests.refusals import OTHER_ALGORITHM, assert_refused

Ask = Callable[..., Any]
Sign = Callable[[dict[str, Any]], str]

# --- Not a token -----------------------------------------------------------------------------------------------------

FORM = "the Authorization header must be Bearer, a space and one token"
GOOD = hs256(claims())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer", FORM),
        ("Bearer ", FORM),
        ("Bearer a b", FORM),
        ("Bearer töken", FORM),
        ('Bearer "abc"', FORM),
        ("Bearer a.b.c\x00", FORM),
        (f"Bearer {GOOD},Bearer {GOOD}", FORM),  # how servers join two headers into one
        (f"Bearer {GOOD}, Bearer {GOOD}", FORM),
        (f"Bearer {GOOD}, Basic dXNlcjpwYXNzd29yZA==", FORM),
        ("Bearer " + "a" * (16_385 - len("Bearer ")), "it is too long"),
        ("Bearer " + "a" * (16_384 - len("Bearer ")), "it is malformed"),
        ("Bearer abc", "it is malformed"),
        ("Bearer ..", "it is malformed"),
        ("Bearer a.b.c", "it is malformed"),
        ("Bearer a.b.c.d.e", "it is malformed"),
        ("Bearer " + by_hand([], {}), "it is malformed"),
        ("Bearer " + by_hand("alg", {}), "it is malformed"),
        ("Bearer " + by_hand(b"\xff", {}), "it is malformed"),
        ("Bearer " + by_hand(b"[" * 5_000, {}), "it is malformed"),
        ("Bearer " + by_hand({"typ": "JWT"}, claims()), OTHER_ALGORITHM),
        ("Bearer " + by_hand({"alg": ["HS256"]}, claims()), OTHER_ALGORITHM),
        ("Bearer " + by_hand({"alg": None}, claims()), OTHER_ALGORITHM),
    ],
    ids=lambda value: value[:40] if value.startswith("Bearer") else "",
)
@pytest.mark.parametrize("keys", ["shared", "published"])
def test_a_header_that_holds_no_token(
    whoami: Ask, provider: IdentityProvider, settings: Settings, keys: str, header: str, reason: str
) -> None:
    settings.ACCESS_TOKENS = idp.hs256_settings() if keys == "shared" else provider.settings()

    assert_refused(whoami(header=header), reason)


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize("token", [f"{GOOD}.{GOOD}", f"{GOOD}===", f"{GOOD}/", f"A{GOOD}", GOOD.replace(".", "..")])
def test_a_good_token_with_something_added(whoami: Ask, token: str) -> None:
    assert_refused(whoami(token), "it is malformed")


def test_a_key_id_that_is_no_text(whoami: Ask, provider: IdentityProvider, settings: Settings) -> None:
    settings.ACCESS_TOKENS = provider.settings()

    for kid in (7, None, ["rsa"], {"rsa": 1}):
        token = by_hand({"alg": "RS256", "kid": kid}, claims(), b"signature")
        assert_refused(whoami(token), "it is malformed")


TYPED = [
    *(("at+jwt", 200, 200), ("application/at+jwt", 200, 200), ("AT+JWT", 200, 200)),
    *(("JWT", 200, 401), ("jwt", 200, 401), (None, 200, 401)),
    *(("dpop+jwt", 401, 401), ("id+jwt", 401, 401), ("", 401, 401), (7, 401, 401), (["at+jwt"], 401, 401)),
]


@pytest.mark.parametrize(("typ", "status", "strict_status"), TYPED)
def test_the_type_of_a_token(
    whoami: Ask, settings: Settings, shared_key: bytes, typ: Any, status: int, strict_status: int
) -> None:
    token = hmac_signed(claims(), shared_key, {"typ": typ})

    assert whoami(token).status_code == status
    settings.ACCESS_TOKENS = idp.hs256_settings(REQUIRE_AT_JWT=True)
    assert whoami(token).status_code == strict_status


def test_a_token_of_another_type_is_refused_with_the_reason(
    whoami: Ask, provider: IdentityProvider, settings: Settings
) -> None:
    settings.ACCESS_TOKENS = provider.settings()
    token = jwt.encode(claims(), idp.rsa_key("first"), "RS256", {"kid": "rsa", "typ": "logout+jwt"})

    assert_refused(whoami(token), "its type (typ) is not accepted here")
    assert provider.requests == 0


# --- Forged ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("header", [{}, {"kid": "rsa"}])
def test_no_signature_is_not_an_algorithm(whoami: Ask, sign: Sign, algorithm: str, header: dict[str, str]) -> None:
    token = by_hand({"alg": algorithm, "typ": "JWT", **header}, claims())

    assert_refused(whoami(token), OTHER_ALGORITHM)


def test_a_changed_payload_breaks_the_signature(whoami: Ask, sign: Sign) -> None:
    header, _, signature = sign(claims()).split(".")
    _, payload, _ = sign(claims(sub="admin")).split(".")

    assert_refused(whoami(f"{header}.{payload}.{signature}"), "its signature is wrong")


def test_a_signature_left_out(whoami: Ask, sign: Sign) -> None:
    assert_refused(whoami(sign(claims()).rpartition(".")[0] + "."), "its signature is wrong")


def test_another_key_under_a_known_key_id(whoami: Ask, provider: IdentityProvider, settings: Settings) -> None:
    settings.ACCESS_TOKENS = provider.settings()

    assert_refused(whoami(rs256(claims(), kid="rsa", key="attacker")), "its signature is wrong")
    assert_refused(whoami(es256(claims(), kid="ec", key="attacker")), "its signature is wrong")


@pytest.mark.usefixtures("shared_key")
def test_another_shared_key(whoami: Ask) -> None:
    token = jwt.encode(claims(), "an attacker's key, long enough for HS256", "HS256")

    assert_refused(whoami(token), "its signature is wrong")


@pytest.mark.parametrize("secret", ["PEM", "PKCS1 PEM", "DER", "JWK", "JWKS"])
def test_a_public_key_is_no_shared_key(
    whoami: Ask, provider: IdentityProvider, settings: Settings, secret: str
) -> None:
    settings.ACCESS_TOKENS = provider.settings()
    public = idp.rsa_key("first").public_key()
    key = {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PKCS1 PEM": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": json.dumps(provider.jwks[0]).encode(),
        "JWKS": json.dumps({"keys": provider.jwks}).encode(),
    }[secret]

    assert_refused(whoami(hmac_signed(claims(), key, {"kid": "rsa"})), OTHER_ALGORITHM)


def test_with_an_identity_provider_the_shared_key_signs_nothing(
    whoami: Ask, provider: IdentityProvider, settings: Settings
) -> None:
    settings.ACCESS_TOKENS = provider.settings(HS256_KEY=idp.HS256_KEY)

    assert_refused(whoami(hs256(claims())), OTHER_ALGORITHM)


@pytest.mark.usefixtures("shared_key")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_with_the_shared_key(whoami: Ask, algorithm: str) -> None:
    assert_refused(whoami(jwt.encode(claims(), idp.HS256_KEY * 2, algorithm)), OTHER_ALGORITHM)


def test_keys_that_the_token_brings_along_are_ignored(
    whoami: Ask, provider: IdentityProvider, settings: Settings
) -> None:
    settings.ACCESS_TOKENS = provider.settings()
    attacker = IdentityProvider()
    key = idp.rsa_key("attacker")
    attacker.jwks = [idp.rsa_jwk(key, kid="rsa")]
    jku = attacker.settings()["JWKS_URL"]
    token = jwt.encode(claims(), key, "RS256", {"kid": "rsa", "jwk": attacker.jwks[0], "jku": jku, "x5u": jku})

    assert_refused(whoami(token), "its signature is wrong")
    attacker.stop()
    assert attacker.requests == 0


def test_an_extension_that_must_be_understood(whoami: Ask, shared_key: bytes) -> None:
    assert_refused(whoami(hmac_signed(claims(), shared_key, {"crit": ["exp"]})), "it is malformed")


def test_without_keys_no_token_is_taken(whoami: Ask, settings: Settings) -> None:
    settings.ACCESS_TOKENS = idp.hs256_settings(HS256_KEY="")

    for token in (hs256(claims()), rs256(claims()), by_hand({"alg": "none"}, claims()), hmac_signed(claims(), b"")):
        reason = "this service has no key to check it with until its operator sets JWT_JWKS_URL"
        assert_refused(whoami(token), reason)


@pytest.mark.usefixtures("shared_key")
def test_neither_the_answer_nor_the_log_repeats_a_refused_token(whoami: Ask, caplog: pytest.LogCaptureFixture) -> None:
    token = hs256(claims(exp=1))
    response = whoami(token)

    everything = f"{response.headers} {response.content!r} {caplog.text}"
    assert "it has expired" in everything
    assert token.rpartition(".")[2] not in everything
    assert idp.HS256_KEY not in everything
