"""Safe retries of POST: the Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header-07).

A key belongs to its caller. The first 2xx answer is stored in the transaction of its effect, and given again for
KEPT_FOR. Refusals are not stored; they are judged anew. A request without the header costs nothing more.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from messaging_project.api.errors import APIError, validation_error
from messaging_project.api.json import MEDIA_TYPE, render
from messaging_project.api.models import IdempotentAnswer
from messaging_project.api.preferences import wants_strict
from messaging_project.database_errors import is_lock_timeout, retried

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
WAIT_MS = 5_000  # how long a request waits for another with the same key
# The draft asks for a quoted string (RFC 9651, 3.3.3), but most clients send bare keys.
KEY_PATTERN = r'^("[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255})$'
KEY = re.compile(KEY_PATTERN)
KEY_FAULT = (
    HEADER,
    "invalid",
    "Must be 1 to 255 visible ASCII characters, preferably a UUID, with or without double quotes around it.",
)
STORED_HEADERS = ("Location", "ETag")  # every answer gets the others anyway


class View(Protocol):
    """A view whose POST handlers can be idempotent."""

    def canonical_request(self) -> tuple[str, Any]:
        """The request's path and its body as JSON values: equal for what is the same request spelled otherwise."""


V = TypeVar("V", bound=View)
P = ParamSpec("P")
Handler = Callable[Concatenate[V, Request, P], Response]


def idempotent(handler: Handler[V, P]) -> Callable[Concatenate[V, Request, P], HttpResponse]:
    """Make a view's POST handler honour the header.

    Two uses of a key at once have one effect: the second waits up to WAIT_MS for the first and gives its answer, or
    gets a 409. The key with another request is a 422. The handler runs inside a transaction. So it may write only to
    the database, and must not catch database errors.
    """

    @wraps(handler)
    def run(view: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        given = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if given is None:
            return handler(view, request, *args, **kwargs)
        digest, request_digest = _digest(*_caller(request), _key(given)), _request_digest(request, view)
        return _once(digest, request_digest, request, lambda: handler(view, request, *args, **kwargs))

    return run


@retried
def _once(digest: bytes, request_digest: bytes, request: Request, effect: Callable[[], Response]) -> HttpResponse:
    with transaction.atomic():
        if not _claim(digest, request_digest):
            return _replay(digest, request_digest, request)
        response = effect()
        headers = {name: response[name] for name in STORED_HEADERS if name in response}
        IdempotentAnswer.objects.filter(digest=digest).update(
            status=response.status_code, headers=headers, body=render(response.data)
        )
    return response


def _claim(digest: bytes, request_digest: bytes) -> bool:
    """Insert the key's row. If another request has inserted it, wait until that one commits or rolls back."""
    try:
        with transaction.atomic(), _waiting_at_most(WAIT_MS):
            IdempotentAnswer.objects.filter(digest=digest, created_at__lt=timezone.now() - KEPT_FOR).delete()
            IdempotentAnswer.objects.create(digest=digest, request_digest=request_digest)
    except IntegrityError:
        return False
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        raise in_progress() from error
    return True


@contextmanager
def _waiting_at_most(milliseconds: int) -> Iterator[None]:
    """Limit waits for locks inside the block, but not later ones of the transaction (PostgreSQL only)."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(milliseconds)])
        yield  # after an error, the caller's savepoint restores the limit
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def _replay(digest: bytes, request_digest: bytes, request: Request) -> HttpResponse:
    answer = IdempotentAnswer.objects.filter(digest=digest).first()
    if answer is None:  # it expired and was deleted after it kept this request from claiming the key
        raise in_progress()
    kept = bytes(answer.request_digest)
    if kept != request_digest and kept != _former_request_digest(request):
        raise mismatch()
    headers = {**answer.headers, "Idempotent-Replayed": "true"}
    return HttpResponse(bytes(answer.body), status=answer.status, content_type=MEDIA_TYPE, headers=headers)


def in_progress() -> APIError:
    message = "Another request with this Idempotency-Key is still being answered: try again."
    return APIError(409, "idempotency_in_progress", message, headers={"Retry-After": "1"})


def mismatch() -> APIError:
    message = "This Idempotency-Key was used for another request: use a new key for a new request."
    return APIError(422, "idempotency_mismatch", message)


def _key(given: str) -> str:
    key = given.strip()
    if not KEY.fullmatch(key):
        raise validation_error(KEY_FAULT)
    return key.strip('"')


def _caller(request: Request) -> tuple[str, str]:
    user: Any = request.user
    return getattr(user, "issuer", ""), str(getattr(user, "subject", None) or user.pk)


def _request_digest(request: Request, view: View) -> bytes:
    path, body = view.canonical_request()
    strict = "strict" if wants_strict(request) else ""
    return _digest(str(request.method), path, _query(request), strict, json.dumps(body, sort_keys=True, default=str))


def _former_request_digest(request: Request) -> bytes | None:
    """As the version before made it, of path and body as they were spelled: its keys are kept for KEPT_FOR."""
    try:
        body = json.dumps(request.data, sort_keys=True, default=str)
    except APIException:  # a body that nobody reads now; then it was refused
        return None
    prefer = request.META.get("HTTP_PREFER", "")
    return _digest(str(request.method), request.path.rstrip("/"), _query(request), prefer, body)


def _query(request: Request) -> str:
    return json.dumps(sorted((name, request.query_params.getlist(name)) for name in request.query_params))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def prune(now: Any = None) -> int:
    """Delete expired answers; returns how many."""
    count, _ = IdempotentAnswer.objects.filter(created_at__lt=(now or timezone.now()) - KEPT_FOR).delete()
    return count
