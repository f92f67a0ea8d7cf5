"""The check of the access token that every peer makes: signature, issuer, audience, expiry and subject."""

import os

import jwt

KEY, ISSUER, AUDIENCE = os.environ["JWT_HS256_KEY"], os.environ["JWT_ISSUER"], "messaging"


class Unauthorized(Exception):
    """There is no good token."""


def subject(authorization: str | None) -> str:
    """The caller. Raises Unauthorized."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme != "Bearer":
        raise Unauthorized
    try:
        claims = jwt.decode(
            token, KEY, ["HS256"], issuer=ISSUER, audience=AUDIENCE, options={"require": ["exp", "sub", "iss", "aud"]}
        )
    except jwt.PyJWTError as error:
        raise Unauthorized from error
    return str(claims["sub"])
