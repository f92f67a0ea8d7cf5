"""What a client asks for with the Prefer header (RFC 7240)."""

import re

from rest_framework.request import Request

STRICT = re.compile(r'\s*handling\s*=\s*"?strict"?\s*(;.*)?', re.IGNORECASE)
APPLIED = "handling=strict"


def wants_strict(request: Request) -> bool:
    """Whether the client wants errors for unknown properties: `Prefer: handling=strict` (4.4)."""
    given = request.META.get("HTTP_PREFER")
    return given is not None and any(STRICT.fullmatch(preference) for preference in given.split(","))
