"""The error envelope `{error, message, details?}`: a handler for DRF's exceptions, and handlers for Django's."""

import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import Error as DatabaseError  # the base of Django's DatabaseError and InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from messaging_project.api.json import EncodedBody, PayloadTooLarge, render
from messaging_project.api.request_id import HEADER, current_request_id
from messaging_project.database_errors import discard_connections, is_outcome_unknown, is_unavailable
from messaging_project.field_paths import MAX_ECHOED_ID, MAX_LISTED_FAULTS, echoed, place
from messaging_project.metrics import OUTAGES

logger = logging.getLogger(__name__)

API_PATH = re.compile(r"/+v1(/|$)")  # without the slashes that a client put in front of it one too many
SENT_METHOD = "messaging_project.sent_method"  # in a WSGI environ whose REQUEST_METHOD is another than was sent
RETRY_AFTER_SECONDS = "5"


class APIError(exceptions.APIException):
    """A whole error answer: status, members of the envelope, headers; and the `reason` for metrics and logs."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, error)
        self.status_code = status
        self.error = error
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.reason: str = reason or (details or {}).get("reason") or error


class PlacedCode(str):
    """The code of a fault inside a field's value; `path` leads there.

    It is a code because, when DRF nests errors, that is the only part of an ErrorDetail that it leaves alone.
    """

    __slots__ = ("path",)
    path: tuple[str | int, ...]

    def __new__(cls, code: str, path: tuple[str | int, ...]) -> "PlacedCode":
        placed = super().__new__(cls, code)
        placed.path = path
        return placed


class Unlisted(str):
    """The code that stands for `number` faults which are counted and not listed; it is handed on as PlacedCode is."""

    __slots__ = ("number",)
    number: int

    def __new__(cls, number: int) -> "Unlisted":
        unlisted = super().__new__(cls, "unlisted")
        unlisted.number = number
        return unlisted


def unlisted(number: int) -> list[exceptions.ErrorDetail]:
    """What stands beside listed faults for `number` more."""
    return [exceptions.ErrorDetail("", Unlisted(number))] if number else []


def envelope(error: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"error": error, "message": message}
    return body if details is None else {**body, "details": details}


def not_found(resource: str, id: str) -> APIError:
    """404 for a `resource`: "campaign", "step", "revision" or "url"."""
    what = {"url": "nothing at this address", "revision": "no such revision: activations make them, numbered from 1"}
    message = f"There is {what.get(resource, f'no {resource} with this id')}."
    return APIError(404, "not_found", message, {"resource": resource, "id": echoed(id, MAX_ECHOED_ID)})


def method_not_allowed(method: str) -> APIError:
    """405; the framework says with it which methods there are."""
    reason = "" if method == method.upper() else ": methods are case-sensitive (RFC 9110, 9.1)"
    message = f'Method "{echoed(method)}" not allowed{reason}. The Allow header lists the methods that are.'
    return APIError(405, "method_not_allowed", message)


def validation_error(*faults: tuple[str, str, str], more: int = 0) -> APIError:
    """400 for faults given as (field, code, message), and `more` that are only counted."""
    total = len(faults) + more
    errors = [{"field": field, "code": code, "message": message} for field, code, message in faults[:MAX_LISTED_FAULTS]]
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors[0]["field"] else errors[0]["message"]
    others = f" ({total - 1} more)" if total > 1 else ""
    details: dict[str, Any] = {"errors": errors}
    if total > MAX_LISTED_FAULTS:
        details["total"] = total
    return APIError(400, "validation_error", first + others, details)


def server_error() -> APIError:
    message = "Something went wrong on our side. It is not your fault; if it persists, tell us the request id."
    return APIError(500, "server_error", message, {"request_id": current_request_id()})


def unavailable(*, may_have_written: bool = False) -> APIError:
    """503. `may_have_written`: the connection was lost during a write, so nobody knows what became of it."""
    message = f"The database can't answer right now. Try again in {RETRY_AFTER_SECONDS} seconds."
    if may_have_written:
        message += " A write may have happened: repeat it with the same Idempotency-Key."
    return APIError(503, "unavailable", message, headers={"Retry-After": RETRY_AFTER_SECONDS})


# --- Where DRF catches -----------------------------------------------------------------------------------------------


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: every exception of an API view becomes an envelope. 5xx are logged."""
    request = context["request"]
    method = request.META.get(SENT_METHOD, request.method)
    error = as_api_error(exc, writes=request.method not in SAFE_METHODS, method=method)
    if error.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
        # An outage causes one per request: log a line each, not a traceback.
        cause = None if error.status_code == status.HTTP_503_SERVICE_UNAVAILABLE else exc
        logger.error("%s %s: %s: %s", request.method, request.path, error.error, exc, exc_info=cause)
        if is_unavailable(exc):
            OUTAGES.labels("database").inc()
            discard_connections(exc)
    headers = {**_framework_headers(exc), **error.headers}
    response = Response(envelope(error.error, error.message, error.details), status=error.status_code, headers=headers)
    response.refused_for = error.reason  # type: ignore[attr-defined]  # for metrics and the log
    # Otherwise django.request logs a 5xx again, without its cause.
    response._has_been_logged = error.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR  # type: ignore[attr-defined]
    return response


def _framework_headers(exc: Exception) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"} if isinstance(exc, EncodedBody) else {}  # RFC 9110, 15.5.16
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    return headers


def as_api_error(exc: Exception, *, writes: bool = False, method: str = "") -> APIError:
    """The error answer to any exception of a request, which may be one that writes, by the method that was sent."""
    match exc:
        case APIError():
            return exc
        case exceptions.ValidationError():
            return _of_detail(exc.detail)
        case Http404() | exceptions.NotFound():
            return not_found("url", "")
        case RequestDataTooBig():
            return APIError(413, "payload_too_large", "The body is too large.")
        case SuspiciousOperation():
            return APIError(400, "bad_request", "The request can't be understood; check its headers and address.")
        case DjangoPermissionDenied():
            return APIError(403, "permission_denied", "You are not allowed to do this.")
        case exceptions.MethodNotAllowed():
            return method_not_allowed(method)
        case exceptions.APIException():
            return _of_framework(exc)
        case DatabaseError() if is_unavailable(exc):
            return unavailable(may_have_written=writes and is_outcome_unknown(exc))
        case _:
            return server_error()


FRAMEWORK_ERRORS: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "parse_error",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.PermissionDenied: "permission_denied",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "throttled",
    PayloadTooLarge: "payload_too_large",
    EncodedBody: "unsupported_media_type",
}
REMEDIES: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "Send an access token: Authorization: Bearer <token>.",
    exceptions.UnsupportedMediaType: "Send the body as JSON, with the header Content-Type: application/json.",
}


def _of_framework(exc: exceptions.APIException) -> APIError:
    error = FRAMEWORK_ERRORS.get(type(exc))
    if error is None:
        return server_error()
    message = REMEDIES.get(type(exc), str(exc.detail))
    return APIError(exc.status_code, error, message)


def _of_detail(detail: Any) -> APIError:
    found = list(flatten(detail))
    listed = [
        (place(path, getattr(fault.code, "path", ())), str(fault.code), str(fault))
        for path, fault in found
        if not isinstance(fault.code, Unlisted)
    ]
    return validation_error(*listed, more=sum(getattr(fault.code, "number", 0) for _, fault in found))


def flatten(detail: Any, path: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """DRF's nested details, each with the path to its field, such as `steps[3].variables`."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flatten(value, path if key in (None, "non_field_errors") else place(path, (key,)))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            yield from flatten(value, path if isinstance(value, str) else place(path, (index,)))
    else:
        yield path, detail


# --- Where Django catches --------------------------------------------------------------------------------------------


def json_response(error: APIError) -> HttpResponse:
    body = render(envelope(error.error, error.message, error.details))
    return HttpResponse(
        body,
        status=error.status_code,
        content_type="application/json",
        headers={HEADER: current_request_id(), **error.headers},
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400"""
    is_api = API_PATH.match(request.path)
    response = json_response(as_api_error(exception)) if is_api else defaults.bad_request(request, exception)
    if isinstance(exception, SuspiciousOperation):
        # Anyone can cause one, by a host that isn't ours or an address too long to redirect to. Django would log an
        # error with a traceback.
        logger.warning("Bad Request: %s: %s", type(exception).__name__, exception)
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler403"""
    if API_PATH.match(request.path):
        return json_response(as_api_error(exception))
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404"""
    if API_PATH.match(request.path):
        return unknown_url(request)
    return defaults.page_not_found(request, exception)


@csrf_exempt  # otherwise a POST is refused for its missing CSRF token, in HTML
def unknown_url(request: HttpRequest) -> HttpResponse:
    """The view of every unknown URL under /v1: with DEBUG on, Django would not ask handler404."""
    return json_response(not_found("url", request.path))


def internal_server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500"""
    exc = sys.exc_info()[1]
    if isinstance(exc, Exception) and is_unavailable(exc):
        OUTAGES.labels("database").inc()
        discard_connections(exc)
        return _page_unavailable(request)
    if API_PATH.match(request.path):
        return json_response(server_error())
    return defaults.server_error(request)


def _page_unavailable(request: HttpRequest) -> HttpResponseBase:
    if API_PATH.match(request.path):
        return json_response(unavailable())
    page = defaults.server_error(request, "503.html")
    page.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    page["Retry-After"] = RETRY_AFTER_SECONDS
    return page
