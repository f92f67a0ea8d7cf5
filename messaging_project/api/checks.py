"""System checks of what the environment sets, where that needs more than the settings."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver, get_resolver

from messaging_project.api.token_settings import NO_KEY, required_scopes

ENVIRONMENT = "environment"  # the tag of checks without which nothing may be served


def require_usable_settings() -> None:
    """Raises ImproperlyConfigured for what commands would refuse: a server runs no system checks by itself."""
    faults = [fault for fault in run_checks(tags=[ENVIRONMENT]) if fault.is_serious()]
    if faults:
        raise ImproperlyConfigured(" ".join(f"{fault.msg} {fault.hint}" for fault in faults))


def check_required_scopes(**kwargs: Any) -> list[CheckMessage]:
    """Every operation that REQUIRED_SCOPES names exists. A misspelt one would leave the real one without its scopes."""
    return _unknown(required_scopes(settings.REQUIRED_SCOPES), "API_REQUIRED_SCOPES", "messaging_api.E001")


def check_throttles(**kwargs: Any) -> list[CheckMessage]:
    """Every operation that API_THROTTLES names exists. A misspelt one would leave the real one without its limit."""
    return _unknown(settings.API_THROTTLES, "API_THROTTLES", "messaging_api.E002")


def check_key(**kwargs: Any) -> list[CheckMessage]:
    """For `check --deploy`: whether any access token can be accepted."""
    tokens = settings.ACCESS_TOKENS
    return [] if tokens["JWKS_URL"] or tokens["HS256_KEY"] else [Error(NO_KEY, id="messaging_api.E003")]


def _unknown(named: Iterable[str], variable: str, id: str) -> list[CheckMessage]:
    operations = set(named) - {"*"}
    if not operations:
        return []
    known = known_operation_ids()
    return [
        Error(
            f"{variable} names the operation {name}, which does not exist.",
            hint=f"Choose from {', '.join(sorted(known))}, or * for all that are not named.",
            id=id,
        )
        for name in sorted(operations - known)
    ]


def known_operation_ids() -> set[str]:
    """The `operation_id`s of the API's views. The permission uses these, not the OpenAPI document."""
    known: set[str] = set()
    for view in _views(get_resolver()):
        known.update(getattr(view, "operation_ids", {}).values())  # of a viewset, by action
        if isinstance(operation_id := getattr(view, "operation_id", None), str):
            known.add(operation_id)
    return known


def _views(resolver: URLResolver) -> Iterator[type]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern)
        elif view := getattr(pattern.callback, "cls", None):  # DRF's as_view() leaves it there
            yield view
