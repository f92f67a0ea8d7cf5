"""The answers to access tokens that are refused, or can't be checked."""

from typing import Any

CHALLENGE = 'Bearer realm="messaging"'
UNKNOWN_KEY = "its signing key is unknown"
OTHER_ALGORITHM = "its algorithm is not accepted here"
# What metrics and logs say of each.
WORDS = {
    "it has expired": "token_expired",
    "it is not valid yet": "token_not_yet_valid",
    "it is for another audience": "token_wrong_audience",
    "it is from another issuer": "token_wrong_issuer",
    "its signature is wrong": "token_bad_signature",
    UNKNOWN_KEY: "token_unknown_key",
    OTHER_ALGORITHM: "token_wrong_algorithm",
    "its type (typ) is not accepted here": "token_wrong_type",
    "its sub claim must be 1 to 255 printable characters": "token_bad_subject",
    "its scope claim must be one string": "token_bad_scope",
    "it is malformed": "token_malformed",
    "it is too long": "token_too_long",
    "the Authorization header must be Bearer, a space and one token": "token_bad_header",
    "this service has no key to check it with until its operator sets JWT_JWKS_URL": "no_key",
    "it has no exp claim": "token_without_exp",
    "it has no sub claim": "token_without_sub",
    "it has no iss claim": "token_without_iss",
    "it has no aud claim": "token_without_aud",
}


def assert_refused(response: Any, reason: str) -> None:
    remedy = "Get a new one and send it as `Authorization: Bearer <token>`."
    assert response.status_code == 401
    assert response.json() == {
        "error": "unauthenticated",
        "message": f"The access token is refused: {reason}. {remedy}",
    }
    assert response["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token", error_description="{reason}"'
    assert response.refused_for == WORDS[reason]


def assert_unavailable(response: Any) -> None:
    assert response.status_code == 503
    assert response.json() == {
        "error": "unavailable",
        "message": "The access token can't be checked now, because the identity provider's keys are out of reach: "
        "try again in 5 seconds.",
    }
    assert response["Retry-After"] == "5"
    assert "WWW-Authenticate" not in response
