"""Readers of environment variables. They refuse a bad value, and say what to set."""

import json
import os
import re
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
FALSE = frozenset({"0", "false", "no", "off"})
DATABASE_FORMS = "postgres://user:password@host:5432/name or sqlite:////absolute/path"
# As browsers send them: a name in other letters arrives in ASCII (xn--…).
HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9a-fA-F:.]+\]", re.ASCII)
ORIGIN = re.compile(r"https?://(\*\.)?([\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(:\d+)?", re.ASCII)


class Environment:
    """Typed access to `variables` (default: the process's environment).

    An empty variable counts as unset. Every reader raises ImproperlyConfigured with the variable's name and the remedy.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        return self._variables.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value in TRUE or value in FALSE:
            return value in TRUE
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to 1 or 0.")

    def integer(self, name: str, *, default: int, minimum: int = 0) -> int:
        value = self.text(name)
        if not value:
            return default
        if value.isascii() and value.isdigit() and len(value) <= 9 and int(value) >= minimum:
            return int(value)
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to a whole number from {minimum} to 999999999.")

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A comma-separated list; white space around the items is dropped."""
        return [word for item in self.text(name).split(",") if (word := item.strip())] or list(default)

    def hosts(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Names, such as example.com or .example.com with those below it, addresses, or * for any."""
        return self._words_like(HOST, name, default, "comma-separated host names, such as messaging.example.com")

    def origins(self, name: str) -> list[str]:
        return self._words_like(ORIGIN, name, (), "comma-separated origins, such as https://admin.example.com")

    def _words_like(self, pattern: re.Pattern[str], name: str, default: tuple[str, ...], what: str) -> list[str]:
        found = self.words(name, default)
        for word in found:
            if not pattern.fullmatch(word):
                raise ImproperlyConfigured(f"{name} has {word!r}: set it to {what}.")
        return found

    def address(self, name: str, default: str) -> tuple[str, int]:
        """Host and port, such as 127.0.0.1:9100 or [::1]:9100."""
        value = self.text(name, default)
        try:
            parts = urlsplit(f"//{value}")
            if parts.hostname and parts.port and parts.netloc == value:
                return parts.hostname, parts.port
        except ValueError:  # a port that is no number
            pass
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to a host and a port, such as {default}.")

    def time_zone(self, name: str, *, default: str) -> ZoneInfo:
        value = self.text(name, default)
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ImproperlyConfigured(f"{name} is {value!r}: set it to a time zone, such as Europe/Berlin.") from None

    def mail_server(self, name: str) -> SplitResult | None:
        """A URL such as smtps://user:password@mail.example.com:465, or None; its parts may be percent-encoded."""
        value = self.text(name)
        try:
            url = urlsplit(value)
            if not value or (url.scheme in MAIL_PORTS and url.hostname and url.port != 0 and not url.path.strip("/")):
                return url if value else None
        except ValueError:  # a port that is no number
            pass
        raise ImproperlyConfigured(
            f"{name} can't be read: set it to smtps://user:password@host (TLS), smtp+tls://… (STARTTLS) or smtp://host."
        )  # without the value, which may contain a password

    def database(self, name: str, *, default: str) -> dj_database_url.DBConfig:
        """Of a URL, whose parts may be percent-encoded. No refusal repeats it: it may contain a password."""
        value = self.text(name, default)
        if not value:
            raise ImproperlyConfigured(f"{name} is not set, and DJANGO_SECRET_KEY is: set it to {DATABASE_FORMS}.")
        try:
            found = dj_database_url.parse(value)
        except ValueError:
            found = {}
        if not found or "://" not in value:  # postgres:/host isn't a host
            raise ImproperlyConfigured(f"{name} can't be read: set it to {DATABASE_FORMS}.")
        if not (found["NAME"] or "service" in found.get("OPTIONS", {})):
            raise ImproperlyConfigured(f"{name} doesn't name a database: set it to {DATABASE_FORMS}.")
        return found

    def choice(self, name: str, choices: tuple[str, ...], *, default: str) -> str:
        value = self.text(name, default)
        if value in choices:
            return value
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to one of {', '.join(choices)}.")


def is_trustworthy(url: str) -> bool:
    """Whether nobody can change an answer from there on its way: it is HTTPS, or HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # a port that isn't a number, an unclosed bracket
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def local_secrets(path: Path) -> dict[str, str]:
    """The random secrets of this working copy. The first call makes them, in the git-ignored file `path` (mode 0600).

    Two processes that start at once agree: each writes its own file and links it into place, and the first link wins.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({name: secrets.token_urlsafe(48) for name in ("secret_key", "access_token_key")}, file)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        found: dict[str, str] = json.loads(path.read_text())
        return {"secret_key": found["secret_key"], "access_token_key": found["access_token_key"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(
            f"The local secrets in {path} can't be used ({error}): delete that file to have new ones made, "
            "or set DJANGO_SECRET_KEY."
        ) from error
