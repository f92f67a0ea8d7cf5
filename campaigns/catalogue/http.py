"""A catalogue behind HTTP. docs/templates.md has the two calls that it must answer."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from campaigns.catalogue import Answer, Answers, Template, TemplateVersion
from messaging_project.api.limited_fetch import fetch
from messaging_project.environment import is_trustworthy

V = TypeVar("V")


class HTTPCatalogue:
    """Asks the service at TEMPLATE_CATALOGUE_URL, with TEMPLATE_CATALOGUE_TOKEN if there is one."""

    def __init__(self) -> None:
        if not is_trustworthy(settings.TEMPLATE_CATALOGUE_URL):
            raise ImproperlyConfigured(
                "TEMPLATE_CATALOGUE_URL must be an https:// address (http:// only on this machine), such as "
                "https://templates.example.com/catalogue."
            )

    def look_up(self, versions: Sequence[TemplateVersion]) -> Answers:
        answer = self._call("lookup", {"versions": [version._asdict() for version in versions]})
        return dict(map(_looked_up, _member(answer, "versions", list)))

    def search(self, prefix: str, limit: int) -> list[Template]:
        answer = self._call(f"search?{urlencode({'prefix': prefix, 'limit': limit})}")
        return [
            Template(_member(found, "template_id", str), [_of_type(each, str) for each in found["versions"]])
            for found in _member(answer, "templates", list)
        ]

    @staticmethod
    def _call(path: str, body: Any = None) -> Any:
        """A GET, or a POST of the body. Raises OSError, HTTPException or ValueError."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if settings.TEMPLATE_CATALOGUE_TOKEN:
            headers["Authorization"] = f"Bearer {settings.TEMPLATE_CATALOGUE_TOKEN}"
        answer = fetch(
            f"{settings.TEMPLATE_CATALOGUE_URL.rstrip('/')}/{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            seconds=settings.TEMPLATE_CATALOGUE_TIMEOUT_MS / 1_000,
        )
        return json.loads(answer)


def _looked_up(item: Any) -> tuple[TemplateVersion, Answer]:
    version = TemplateVersion(*(_member(item, name, str) for name in TemplateVersion._fields))
    variables, newest = item.get("variables"), item.get("newest")
    if variables is not None:
        variables = {_member(each, "name", str): _member(each, "required", bool) for each in _of_type(variables, list)}
    return version, Answer(_member(item, "exists", bool), variables, newest and _of_type(newest, str))


def _member(item: Any, name: str, kind: type[V]) -> V:
    value = item.get(name) if isinstance(item, dict) else None
    if value is None:
        raise ValueError(f"the answer lacks {name!r} where docs/templates.md has it")
    return _of_type(value, kind)


def _of_type(value: Any, kind: type[V]) -> V:
    if not isinstance(value, kind):
        raise ValueError(f"the answer has a {type(value).__name__} where a {kind.__name__} belongs")  # noqa: TRY004
    return value
