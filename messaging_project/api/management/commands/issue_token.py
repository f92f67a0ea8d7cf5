"""Print an access token for development, signed with the HS256 key."""

import time
from argparse import ArgumentParser
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings
from django.core.management.base import CommandError

from messaging_project import commands
from messaging_project.api.token_settings import SCOPE
from messaging_project.api.tokens import MAX_SUBJECT_LENGTH, is_subject
from messaging_project.commands import WholeNumber

HOUR, DAY = 3_600, 86_400
MAX_SECONDS = 366 * DAY


class Command(commands.Command):
    help = "Print an access token and nothing else. Only for the HS256 key: an identity provider issues its own."
    requires_system_checks = ()  # their warnings have no place around a token

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--subject", default="developer", help="whom the token stands for (default: %(default)s)")
        parser.add_argument("--scope", default="", help='the scopes, separated by spaces: "campaigns:read a:b"')
        parser.add_argument(
            "--expires-in",
            type=WholeNumber(maximum=MAX_SECONDS),
            default=HOUR,
            metavar="SECONDS",
            help=f"how long it is valid, 1 to {MAX_SECONDS}, 366 days (default: %(default)s)",
        )

    def handle(self, *, subject: str, scope: str, expires_in: int, **options: Any) -> None:
        configured = settings.ACCESS_TOKENS
        if configured["JWKS_URL"]:
            raise CommandError("JWT_JWKS_URL names an identity provider: get the token there; this service has no key.")
        if not configured["HS256_KEY"]:
            raise CommandError("There is no key to sign with: set JWT_HS256_KEY, or leave DJANGO_SECRET_KEY unset.")
        if not is_subject(subject):
            raise CommandError(f"--subject must be 1 to {MAX_SUBJECT_LENGTH} printable characters.")
        scopes = scope.split()
        if not all(map(SCOPE.fullmatch, scopes)):
            raise CommandError('--scope must be printable ASCII words without " and \\, separated by spaces.')
        now = int(time.time())
        claims = {
            "iss": configured["ISSUER"],
            "aud": configured["AUDIENCE"],
            "sub": subject,
            "iat": now,
            "exp": now + expires_in,
            "jti": str(uuid4()),
            **({"scope": " ".join(scopes)} if scopes else {}),
        }
        # The type is RFC 9068's; it keeps the token from passing for an OpenID Connect ID token elsewhere.
        self.stdout.write(jwt.encode(claims, configured["HS256_KEY"], "HS256", {"typ": "at+jwt"}))
