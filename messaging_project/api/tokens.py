"""Access tokens: who calls (JWT, RFC 7519; Bearer, RFC 6750) and whether the token's scopes suffice.

docs/access-tokens.md tells operators how to configure them and what happens in an outage.
"""

import json
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import jwt
from django.conf import settings
from jwt.utils import base64url_decode
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from messaging_project.api import token_settings
from messaging_project.api.errors import APIError
from messaging_project.api.key_server import PAUSE_SECONDS, KeysUnavailable, key_server
from messaging_project.metrics import OUTAGES

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by way of the settings

CHALLENGE = 'Bearer realm="messaging"'
CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.ASCII | re.IGNORECASE)  # RFC 6750 section 2.1
MAX_TOKEN_LENGTH = 16_384  # far above what identity providers issue; longer ones are refused unread
REMEMBERED = 1_024  # tokens whose signature needn't be checked again; at most MAX_TOKEN_LENGTH each
MAX_SUBJECT_LENGTH = 255  # OpenID Connect Core 1.0 section 2
UNUSABLE_IN_SUBJECT = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
)  # databases and log lines can't take all of these
AT_JWT = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 section 2.1
TYPES = AT_JWT | {"jwt", None}  # what providers that are older than it send
REQUIRED_CLAIMS = ("exp", "sub", "iss", "aud")
TIMES = ("exp", "nbf", "iat")
# Why a token is refused: the word for metrics and logs, and the one for the caller. Neither quotes what was sent.
REASONS = {
    "token_expired": "it has expired",
    "token_not_yet_valid": "it is not valid yet",
    "token_wrong_audience": "it is for another audience",
    "token_wrong_issuer": "it is from another issuer",
    "token_bad_signature": "its signature is wrong",
    "token_unknown_key": "its signing key is unknown",
    "token_wrong_algorithm": "its algorithm is not accepted here",
    "token_wrong_type": "its type (typ) is not accepted here",
    "token_bad_subject": f"its sub claim must be 1 to {MAX_SUBJECT_LENGTH} printable characters",
    "token_bad_scope": "its scope claim must be one string",
    "token_malformed": "it is malformed",
    "token_too_long": "it is too long",
    "token_bad_header": "the Authorization header must be Bearer, a space and one token",
    "no_key": "this service has no key to check it with until its operator sets JWT_JWKS_URL",
    **{f"token_without_{claim}": f"it has no {claim} claim" for claim in REQUIRED_CLAIMS},
}
ERRORS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "token_expired",
    jwt.ImmatureSignatureError: "token_not_yet_valid",
    jwt.InvalidAudienceError: "token_wrong_audience",
    jwt.InvalidIssuerError: "token_wrong_issuer",
    jwt.InvalidSignatureError: "token_bad_signature",
    jwt.InvalidAlgorithmError: "token_wrong_algorithm",
    jwt.exceptions.InvalidSubjectError: "token_bad_subject",
}


@dataclass(frozen=True, slots=True)
class TokenUser:
    """The principal of a request: the subject of a verified access token. It has no row in the database."""

    is_authenticated: ClassVar[bool] = True

    issuer: str
    subject: str
    scopes: frozenset[str]

    @property
    def pk(self) -> str:
        """Identifies the caller to what keys on a user, such as DRF's throttles: a subject is unique per issuer."""
        return f"{self.issuer} {self.subject}"


class AccessTokenAuthentication(BaseAuthentication):
    """Takes a JWT from the Authorization header, and from nowhere else.

    Raises APIError: 401 for an invalid token, 503 if the identity provider's keys can't be fetched.
    """

    def authenticate(self, request: Request) -> tuple[TokenUser, dict[str, Any]] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if header.partition(" ")[0].lower() != "bearer":
            return None  # no token, or a scheme that isn't ours: RFC 6750 section 3.1 wants no error code for that
        if len(header) > MAX_TOKEN_LENGTH:
            raise invalid_token("token_too_long")
        if not (credentials := CREDENTIALS.fullmatch(header)):
            raise invalid_token("token_bad_header")
        return verified(credentials[1])

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class HasRequiredScopes(BasePermission):
    """Admits any authenticated caller; with settings.REQUIRED_SCOPES, only one with the operation's scopes.

    The view's `operation_id` is its OpenAPI operation id. A view without one, or one that isn't named, falls under "*".
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not getattr(request.user, "is_authenticated", False):
            return False  # DRF makes it a 401
        scopes = _required_scopes(tuple(settings.REQUIRED_SCOPES))
        required = scopes.get(getattr(view, "operation_id", ""), scopes.get("*", frozenset()))
        if required <= getattr(request.user, "scopes", frozenset()):
            return True
        names = sorted(required)
        raise APIError(
            403,
            "insufficient_scope",
            f"This operation needs an access token with the scopes {', '.join(names)}: request one that has them.",
            {"required_scopes": names},
            {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{" ".join(names)}"'},
        )


def verified(token: str) -> tuple[TokenUser, dict[str, Any]]:
    """Who calls with this token, and its claims, if signature, issuer, audience, times and subject are valid.

    Raises APIError. What can't change is checked once for each token; whether the key is still in use, and whether the
    token has expired, each time.
    """
    configured = settings.ACCESS_TOKENS
    leeway = configured["LEEWAY_SECONDS"]
    try:
        key, algorithms = _key(token)
        found = _decoded(token, key, algorithms, configured["ISSUER"], configured["AUDIENCE"], leeway)
        if int(found[1]["exp"]) <= time.time() - leeway:
            raise jwt.ExpiredSignatureError
    except jwt.MissingRequiredClaimError as error:
        raise invalid_token(f"token_without_{error.claim}") from error
    except jwt.PyJWTError as error:
        raise invalid_token(ERRORS.get(type(error), "token_malformed")) from error
    except KeysUnavailable as error:
        OUTAGES.labels("identity provider").inc()
        raise APIError(
            503,
            "unavailable",
            f"The access token can't be checked now, because the identity provider's keys are out of reach: "
            f"try again in {PAUSE_SECONDS} seconds.",
            headers={"Retry-After": str(PAUSE_SECONDS)},
        ) from error
    return found


@lru_cache(REMEMBERED)
def _decoded(
    token: str, key: jwt.PyJWK | str, algorithms: tuple[str, ...], issuer: str, audience: str, leeway: int
) -> tuple[TokenUser, dict[str, Any]]:
    """As verified(), at the time of the first call. An error isn't remembered."""
    claims = jwt.decode(
        token,
        key,
        algorithms,
        issuer=issuer,
        audience=audience,
        leeway=leeway,
        options={"require": list(REQUIRED_CLAIMS)},
    )
    if any(type(claims.get(name, 0)) not in (int, float) for name in TIMES):
        raise jwt.DecodeError("A NumericDate is a number (RFC 7519, 2); PyJWT takes what int() takes.")
    if not is_subject(claims["sub"]):
        raise invalid_token("token_bad_subject")
    return TokenUser(claims["iss"], claims["sub"], scopes_of(claims)), claims


def scopes_of(claims: dict[str, Any]) -> frozenset[str]:
    """The scopes in a token's `scope` claim: one string, separated by spaces (RFC 8693 section 4.2)."""
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise invalid_token("token_bad_scope")
    return frozenset(filter(None, scope.split(" ")))


def is_subject(value: str) -> bool:
    return len(value) <= MAX_SUBJECT_LENGTH and bool(value.strip()) and not UNUSABLE_IN_SUBJECT.search(value)


def invalid_token(reason: str) -> APIError:
    """The 401 for an invalid token; `reason` is one of REASONS."""
    said = REASONS[reason]
    return APIError(
        401,
        "unauthenticated",
        f"The access token is refused: {said}. Get a new one and send it as `Authorization: Bearer <token>`.",
        headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token", error_description="{said}"'},
        reason=reason,
    )


def _key(token: str) -> tuple[jwt.PyJWK | str, tuple[str, ...]]:
    """The key to verify `token` with, and the accepted algorithms: from the settings, whatever the token claims."""
    configured = settings.ACCESS_TOKENS
    header = _unverified_header(token.partition(".")[0])
    if not _is_accepted(header.get("typ"), AT_JWT if configured["REQUIRE_AT_JWT"] else TYPES):
        raise invalid_token("token_wrong_type")
    if url := configured["JWKS_URL"]:
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in configured["ALGORITHMS"]:
            raise jwt.InvalidAlgorithmError
        if not isinstance(kid, str | None):
            raise jwt.DecodeError
        if key := key_server(url, tuple(configured["ALGORITHMS"])).key(kid, algorithm):
            return key, (algorithm,)
        raise invalid_token("token_unknown_key")
    if configured["HS256_KEY"]:
        return configured["HS256_KEY"], ("HS256",)
    raise invalid_token("no_key")


def _is_accepted(typ: object, types: frozenset[str | None]) -> bool:
    """Whether a token's type, which is a media type and so without case (RFC 7515 section 4.1.9), is one of these."""
    return (typ.lower() in types) if isinstance(typ, str) else (typ is None and None in types)


@lru_cache(64)  # all tokens that a key signs have the same header
def _unverified_header(encoded: str) -> dict[str, Any]:
    # jwt.get_unverified_header() decodes and checks the whole token; jwt.decode() does so again: a third of the cost.
    try:
        header = json.loads(base64url_decode(encoded))
    except (ValueError, RecursionError) as error:
        raise jwt.DecodeError from error
    if not isinstance(header, dict):
        raise jwt.DecodeError
    return header


@lru_cache
def _required_scopes(words: tuple[str, ...]) -> dict[str, frozenset[str]]:
    return token_settings.required_scopes(words)
