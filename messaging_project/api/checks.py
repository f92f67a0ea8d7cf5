"""System checks of what the settings alone can't tell."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from drf_spectacular.generators import SchemaGenerator

from messaging_project.api.token_settings import required_scopes


def check_required_scopes(**kwargs: Any) -> list[CheckMessage]:
    """Each operation that REQUIRED_SCOPES names exists: a misspelt one would leave the real one without its scopes."""
    named = set(required_scopes(settings.REQUIRED_SCOPES)) - {"*"}
    if not named:
        return []
    known = known_operation_ids()
    return [
        Error(
            f"API_REQUIRED_SCOPES names the operation {name}, which does not exist.",
            hint=f"Choose from {', '.join(sorted(known))}, or * for all that are not named.",
            id="messaging_api.E001",
        )
        for name in sorted(named - known)
    ]


def known_operation_ids() -> set[str]:
    """The operation ids of the project's OpenAPI document."""
    document = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
