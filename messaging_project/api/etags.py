"""Entity tags and preconditions (RFC 9110, 8.8.3 and 13.1)."""

from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

ANY = "*"


def if_match(request: Request) -> tuple[str, ...] | None:
    """The tags of the If-Match header, without quotes; None where it is absent or "*".

    The comparison is strong (13.1.1), so weak tags never match. A header without a usable tag matches nothing.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == ANY:
        return None
    return tuple(tag.strip('"') for tag in parse_etags(header) if tag.startswith('"'))


def with_etag(request: Request, response: Response, etag: str) -> Response:
    """The response with its entity tag; or 304 without a body, if the caller's If-None-Match has that tag."""
    quoted = f'"{etag}"'
    response["ETag"] = quoted
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if request.method in {"GET", "HEAD"} and (ANY in known or quoted in {tag.removeprefix("W/") for tag in known}):
        response.status_code = 304
        response.data = None
    return response
