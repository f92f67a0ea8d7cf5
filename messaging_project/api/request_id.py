"""One id per request: in the answer's X-Request-ID header, in each log line, and in the bodies of 500s."""

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase
from uuid_utils import uuid7

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """The id of the request being answered, or "-" outside one."""
    return _current.get()


class RequestIdMiddleware:
    """Uses a caller's well-formed X-Request-ID (1-128 of A-Z a-z 0-9 . _ : -), or makes a UUIDv7."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if ACCEPTED.fullmatch(given) else str(uuid7())
        # Not reset afterwards: Django logs refusals after its middleware, and the next request sets its own id.
        _current.set(request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Gives each log record its `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id()
        return True
