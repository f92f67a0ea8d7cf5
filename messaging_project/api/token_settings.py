"""The settings for access tokens, read from the environment and checked at start-up."""

import re
from collections.abc import Iterable
from typing import TypedDict

from django.core.exceptions import ImproperlyConfigured
from jwt import InvalidKeyError
from jwt.algorithms import HMACAlgorithm

from messaging_project.environment import Environment, is_trustworthy

# RFC 7518 section 3.1 and RFC 8037. A JWKS publishes public keys, so no HMAC is among them.
ASYMMETRIC_ALGORITHMS = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
MIN_HS256_KEY_BYTES = 32  # RFC 7518 section 3.2
MAX_LEEWAY_SECONDS = 300
LOCAL_ISSUER = "http://localhost:8000/"

OPERATION = re.compile(r"\*|[A-Za-z0-9_.-]+")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # scope-token of RFC 6749 section 3.3

NO_KEY = (
    "No key for access tokens is set, so every call is a 401: set JWT_JWKS_URL for an identity provider or "
    "JWT_HS256_KEY for one shared key, and JWT_ISSUER."
)


class AccessTokens(TypedDict):
    """With JWKS_URL, HS256_KEY is ignored; without both, no token is accepted."""

    ISSUER: str
    AUDIENCE: str
    JWKS_URL: str
    ALGORITHMS: list[str]  # those accepted with JWKS_URL
    HS256_KEY: str
    LEEWAY_SECONDS: int
    REQUIRE_AT_JWT: bool  # of the types that RFC 9068 names, and no other


def access_tokens(env: Environment, *, local_key: str) -> AccessTokens:
    """The settings of one identity provider or one HS256 key. `local_key` is used if neither is set.

    Raises ImproperlyConfigured with the variable and the remedy.
    """
    jwks_url, hs256_key = env.text("JWT_JWKS_URL"), env.text("JWT_HS256_KEY")
    if jwks_url and hs256_key:
        raise ImproperlyConfigured(
            "JWT_JWKS_URL and JWT_HS256_KEY are both set: keep the first for an identity provider, "
            "or the second for one shared key."
        )
    _check_jwks_url(jwks_url)
    _check_hs256_key(hs256_key)
    issuer = env.text("JWT_ISSUER", LOCAL_ISSUER if local_key and not jwks_url else "")
    if (jwks_url or hs256_key) and not issuer:
        raise ImproperlyConfigured("JWT_ISSUER is not set: set it to the `iss` of the tokens, character by character.")
    return {
        "ISSUER": issuer,
        "AUDIENCE": env.text("JWT_AUDIENCE", "messaging"),
        "JWKS_URL": jwks_url,
        "ALGORITHMS": _algorithms(env),
        "HS256_KEY": "" if jwks_url else hs256_key or local_key,
        "LEEWAY_SECONDS": _leeway(env),
        "REQUIRE_AT_JWT": env.flag("JWT_REQUIRE_AT_JWT", default=False),
    }


def required_scopes(words: Iterable[str]) -> dict[str, frozenset[str]]:
    """The scopes that each operation id needs, from words such as "addStep=campaigns:read campaigns:write".

    Raises ImproperlyConfigured with the remedy. A word without scopes is refused, not read as "none needed": an empty
    variable in a deployment template leaves the same behind.
    """
    required: dict[str, frozenset[str]] = {}
    for word in words:
        operation, _, value = (part.strip() for part in word.partition("="))
        scopes = value.split()
        well_formed = OPERATION.fullmatch(operation) and scopes and all(map(SCOPE.fullmatch, scopes))
        if not well_formed or operation in required:
            raise ImproperlyConfigured(
                f"API_REQUIRED_SCOPES can't be read at {word!r}: name each operation once, as operation=scope or "
                "operation=scope scope, with commas between operations; * stands for all that are not named."
            )
        required[operation] = frozenset(scopes)
    return required


def _check_jwks_url(url: str) -> None:
    if url and not is_trustworthy(url):
        raise ImproperlyConfigured(
            "JWT_JWKS_URL must be an https:// address (http:// only on this machine): whoever can change the "
            "answer on its way can sign tokens."
        )


def _check_hs256_key(key: str) -> None:
    if not key:
        return
    if len(key.encode()) < MIN_HS256_KEY_BYTES:
        raise ImproperlyConfigured(
            f"JWT_HS256_KEY is too short: set it to a random string of at least {MIN_HS256_KEY_BYTES} bytes."
        )
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key)
    except InvalidKeyError as error:  # a PEM or a JWK, perhaps a public one
        raise ImproperlyConfigured(
            "JWT_HS256_KEY is a key of another kind (PEM, SSH or JWK): set it to a random string, "
            "or set JWT_JWKS_URL for an identity provider's public keys."
        ) from error


def _algorithms(env: Environment) -> list[str]:
    algorithms = env.words("JWT_ALGORITHMS", ("RS256", "ES256"))
    if refused := [name for name in algorithms if name not in ASYMMETRIC_ALGORITHMS]:
        raise ImproperlyConfigured(
            f"JWT_ALGORITHMS has {', '.join(refused)}: choose from {', '.join(ASYMMETRIC_ALGORITHMS)}. "
            "HS256 needs no mention: it goes with JWT_HS256_KEY, and never with JWT_JWKS_URL."
        )
    return algorithms


def _leeway(env: Environment) -> int:
    leeway = env.integer("JWT_LEEWAY_SECONDS", default=30)
    if leeway > MAX_LEEWAY_SECONDS:
        raise ImproperlyConfigured(
            f"JWT_LEEWAY_SECONDS is {leeway}: set it to at most {MAX_LEEWAY_SECONDS}; expired tokens pass for so long."
        )
    return leeway
