"""What a client asks for with the Prefer header (RFC 7240)."""

import re

from rest_framework.request import Request

PREFERENCE = re.compile(r'(?:"(?:\\.|[^"\\])*(?:"|\\?$)|[^",])+')  # a comma in quotes ends none
HANDLING = re.compile(r"\s*handling\s*(?![^=;])", re.IGNORECASE)
STRICT = re.compile(r'\s*handling\s*=\s*("?)strict\1\s*(;.*)?', re.IGNORECASE)
APPLIED = "handling=strict"


def wants_strict(request: Request) -> bool:
    """Whether the client wants errors for unknown properties: `Prefer: handling=strict` (4.4). The first counts (2)."""
    given = request.META.get("HTTP_PREFER")
    if given is None:
        return False
    handling = next(filter(HANDLING.match, PREFERENCE.findall(given)), "")
    return STRICT.fullmatch(handling) is not None
