"""Which access tokens the API takes, and how it answers to the others."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm
from pytest_django import Settings

from messaging_project.api.tokens import TokenUser
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.identity_provider import IdentityProvider, claims, es256, hs256, rs256

Ask = Callable[..., Any]
Sign = Callable[[dict[str, Any]], str]
CHALLENGE = 'Bearer realm="messaging"'


def by_hand(header: Any, payload: Any, signature: bytes = b"") -> str:
    """A token put together without a library; bytes go in as they are, anything else as JSON."""

    def segment(part: Any) -> str:
        data = part if isinstance(part, bytes) else json.dumps(part).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    return f"{segment(header)}.{segment(payload)}.{segment(signature)}"


def hmac_signed(payload: Any, key: bytes, header: dict[str, Any] | None = None) -> str:
    """HS256 over any payload and with any key, among them those that PyJWT refuses to sign."""
    header = {"alg": "HS256", "typ": "JWT", **(header or {})}
    signing_input = by_hand(header, payload).rpartition(".")[0].encode()
    return by_hand(header, payload, HMACAlgorithm(HMACAlgorithm.SHA256).sign(signing_input, key))


def assert_refused(response: Any, reason: str) -> None:
    remedy = "Get a new one and send it as `Authorization: Bearer <token>`."
    assert response.status_code == 401
    assert response.json() == {
        "error": "unauthenticated",
        "message": f"The access token is refused: {reason}. {remedy}",
    }
    assert response["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token", error_description="{reason}"'


@pytest.fixture(params=["HS256", "RS256", "ES256"])
def sign(request: pytest.FixtureRequest, settings: Settings) -> Sign:
    """Signs as the service is configured to expect; its tests run with a shared, an RSA and an EC key."""
    if request.param == "HS256":
        settings.ACCESS_TOKENS = idp.hs256_settings()
        return hs256
    settings.ACCESS_TOKENS = request.getfixturevalue("provider").settings()
    return rs256 if request.param == "RS256" else es256


@pytest.fixture
def shared_key(settings: Settings) -> bytes:
    settings.ACCESS_TOKENS = idp.hs256_settings()
    return idp.HS256_KEY.encode()


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


# --- Not a token -----------------------------------------------------------------------------------------------------

FORM = "the Authorization header must be Bearer, a space and one token"
OTHER_ALGORITHM = "its algorithm is not accepted here"
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
