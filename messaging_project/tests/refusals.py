"""The answers to access tokens that are refused, or can't be checked."""

from typing import Any

CHALLENGE = 'Bearer realm="messaging"'
UNKNOWN_KEY = "its signing key is unknown"
OTHER_ALGORITHM = "its algorithm is not accepted here"


def assert_refused(response: Any, reason: str) -> None:
    remedy = "Get a new one and send it as `Authorization: Bearer <token>`."
    assert response.status_code == 401
    assert response.json() == {
        "error": "unauthenticated",
        "message": f"The access token is refused: {reason}. {remedy}",
    }
    assert response["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token", error_description="{reason}"'


def assert_unavailable(response: Any) -> None:
    assert response.status_code == 503
    assert response.json() == {
        "error": "unavailable",
        "message": "The access token can't be checked now, because the identity provider's keys are out of reach: "
        "try again in 5 seconds.",
    }
    assert response["Retry-After"] == "5"
    assert "WWW-Authenticate" not in response
