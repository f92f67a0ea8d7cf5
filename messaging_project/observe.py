"""Middleware that reports each answered request: to Prometheus, and as one line of the log."""

import logging
import time
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject
from prometheus_client import Counter, Histogram

from messaging_project import metrics
from messaging_project.api.errors import SENT_METHOD
from messaging_project.log_lines import write_json, write_text

logger = logging.getLogger("messaging.request")
WRITERS = {"json": write_json, "text": write_text}
View = Callable[..., HttpResponseBase]


def observe(get_response: Callable[[HttpRequest], HttpResponseBase]) -> View:
    tellers: list[Callable[..., None]] = [
        *([count] if settings.METRICS_DIRECTORY else []),
        *([partial(log, WRITERS[settings.LOG_FORMAT])] if logger.isEnabledFor(logging.INFO) else []),
    ]
    if not tellers:
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponseBase:
        start = time.perf_counter()
        response = get_response(request)
        seconds = time.perf_counter() - start
        for tell in tellers:
            tell(request, response, operation_of(request), seconds)
        return response

    return middleware


def count(request: HttpRequest, response: HttpResponseBase, operation: str, seconds: float) -> None:
    requests, latency = counters(operation, response.status_code)
    requests.inc()
    latency.observe(seconds)
    if reason := getattr(response, "refused_for", None):
        metrics.REFUSALS.labels(operation, reason).inc()
    if response.status_code == 429:
        metrics.THROTTLED.labels(operation).inc()
    if response.has_header("Idempotent-Replayed"):
        metrics.REPLAYS.labels(operation).inc()
    count_pool(int(time.monotonic()))


@lru_cache(maxsize=1024)
def counters(operation: str, status: int) -> tuple[Counter, Histogram]:
    """Finding them by their labels costs more than counting."""
    return metrics.REQUESTS.labels(operation, status), metrics.LATENCY.labels(operation)


@lru_cache(maxsize=1)
def count_pool(second: int) -> None:
    """Once a second, since Prometheus asks less often, and a pool's figures cost as much as all others."""
    if pool := getattr(connection, "pool", None):
        stats = pool.get_stats()
        metrics.POOL.labels("size").set(stats["pool_size"])
        metrics.POOL.labels("waiting").set(stats["requests_waiting"])


def log(
    write: Callable[..., None], request: HttpRequest, response: HttpResponseBase, operation: str, seconds: float
) -> None:
    """Nothing of the body, the query or the headers."""
    told = {
        "operation": operation,
        "status": response.status_code,
        "ms": round(seconds * 1_000, 2),
        "subject": subject_of(request),
    }
    if reason := getattr(response, "refused_for", None):
        told["reason"] = reason
    method = request.META.get(SENT_METHOD, request.method)
    write(time.time(), "INFO", logger.name, f"{method} {request.path}", told)


def operation_of(request: HttpRequest) -> str:
    """The OpenAPI operation id; of a page the name of its URL."""
    match = request.resolver_match
    if match is None:
        return "unmatched"
    by_method, of_view = operations(match.func)
    return by_method.get(request.method) or of_view or match.view_name or "unnamed"


@cache  # there are as many views as URL patterns
def operations(view: View) -> tuple[dict[str | None, str], str | None]:
    """The operation ids of a view by method, and the one of a view that has a single one."""
    of_class: Any = getattr(view, "cls", None)
    ids = getattr(of_class, "operation_ids", {})
    actions = getattr(view, "actions", {}).items()
    operation = getattr(of_class, "operation_id", None)
    return (
        {method.upper(): ids[action] for method, action in actions if action in ids},
        operation if isinstance(operation, str) else None,
    )


def subject_of(request: HttpRequest) -> str | None:
    """The token's subject or the account. An account that the page didn't need isn't looked up for the log."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    subject: str | None = getattr(user, "subject", None) or getattr(user, "username", None) or None
    return subject
