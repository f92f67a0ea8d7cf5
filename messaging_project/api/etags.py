"""Entity tags and preconditions (RFC 9110, 8.8.3 and 13.1)."""

import re

from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

ANY = "*"
TAG = re.compile(r'(?:W/)?"[^"]*"')
# Empty elements don't count (RFC 9110, 5.6.1.2).
TAGS = re.compile(rf"[ \t,]*{TAG.pattern}(?:[ \t]*,[ \t,]*{TAG.pattern})*[ \t,]*")


def if_match(request: Request) -> tuple[str, ...] | None:
    """The tags of the If-Match header, without quotes; None where it is absent or "*".

    The comparison is strong (13.1.1), so weak tags never match. A header that is no list of tags matches nothing.
    """
    header = request.META.get("HTTP_IF_MATCH")
    if header is None or header.strip() == ANY:
        return None
    if not is_list(header):
        return ()
    return tuple(tag.strip('"') for tag in TAG.findall(header) if not is_weak(tag))


def is_list(header: str) -> bool:
    """Whether a header is a list of entity tags."""
    return TAGS.fullmatch(header.strip()) is not None


def is_weak(tag: str) -> bool:
    return tag.startswith("W/")


def quoted(etag: str) -> str:
    """An entity tag as headers have it."""
    return f'"{etag}"'


def with_etag(request: Request, response: Response, etag: str) -> Response:
    """The response with its entity tag, or 304 without a body where the caller's If-None-Match has it already."""
    response["ETag"] = tag = quoted(etag)
    if request.method not in {"GET", "HEAD"} or (given := request.META.get("HTTP_IF_NONE_MATCH")) is None:
        return response
    known = parse_etags(given)
    if ANY in known or tag in {it.removeprefix("W/") for it in known}:
        response.status_code = 304
        response.data = None
    return response
