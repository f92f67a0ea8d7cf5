"""The system check of the catalogue's settings. It asks the catalogue nothing."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from campaigns.catalogue.asking import made

TAG = "catalogue"
HINT = "Name a callable that returns a TemplateCatalogue, such as campaigns.catalogue.http.HTTPCatalogue."


def check_catalogue(**kwargs: Any) -> list[CheckMessage]:
    path = settings.TEMPLATE_CATALOGUE
    if not path:
        return [_strict_alone()] if settings.TEMPLATE_CATALOGUE_STRICT else []
    try:
        catalogue = made(path)
    except Exception as error:
        return [Error(f"TEMPLATE_CATALOGUE is {path!r}, which can't be used: {error}", hint=HINT, id="campaigns.E001")]
    if lacking := [name for name in ("look_up", "search") if not callable(getattr(catalogue, name, None))]:
        message = f"TEMPLATE_CATALOGUE is {path!r}, whose catalogue lacks {' and '.join(lacking)}."
        return [Error(message, hint=HINT, id="campaigns.E001")]
    return []


def _strict_alone() -> CheckMessage:
    message = "TEMPLATE_CATALOGUE_STRICT is set, and TEMPLATE_CATALOGUE isn't: no template version is checked."
    return Error(message, hint="Set both, or none.", id="campaigns.E002")
