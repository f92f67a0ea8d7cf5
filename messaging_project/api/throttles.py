"""How often a caller may call an operation: fixed windows, counted in the database, so right across processes.

Answers carry the RateLimit fields of draft-ietf-httpapi-ratelimit-headers-09.
"""

import logging
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error, connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from messaging_project.api.errors import APIError
from messaging_project.api.models import ThrottleCounter
from messaging_project.api.throttle_settings import Rate
from messaging_project.database_errors import discard_connections
from messaging_project.metrics import UNCOUNTED

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by way of the settings

logger = logging.getLogger(__name__)

NOW = {
    # Not now(), the start of the statement: a call may have waited for the row since.
    "postgresql": "floor(extract(epoch FROM clock_timestamp()))::bigint",
    "sqlite": "CAST(strftime('%%s', 'now') AS integer)",
}
# One statement, since a look and a write after it let processes pass each other. A call that read the clock before it
# waited for the row may come with the window before: it counts in the newer one.
COUNT = """
    INSERT INTO messaging_api_throttlecounter AS counter (key, resets_at, calls)
    VALUES (%s, ({now} / %s + 1) * %s, 1)
    ON CONFLICT (key) DO UPDATE SET
        calls = CASE WHEN counter.resets_at < excluded.resets_at THEN 1 ELSE counter.calls + 1 END,
        resets_at = CASE WHEN counter.resets_at < excluded.resets_at THEN excluded.resets_at ELSE counter.resets_at END
    RETURNING calls, resets_at - {now}
"""


class OperationThrottle(BaseThrottle):
    """Counts a caller's calls of the view's operation; those that settings.API_THROTTLES doesn't name share "*".

    Raises APIError 429 beyond the limit. A request without a caller passes, and so does one that can't be counted.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rates: dict[str, Rate] = settings.API_THROTTLES
        name = getattr(view, "operation_id", None)
        policy = name if name in rates else "*"
        user: Any = request.user  # the stubs know no request without one
        if policy in rates and user is not None:
            self._judge(policy, rates[policy], user, view)
        return True

    def _judge(self, policy: str, rate: Rate, user: Any, view: "APIView") -> None:
        try:
            calls, seconds_left = count_call(f"{policy} {rate.per} {user.pk}", rate)
        except Error as error:
            logger.warning("A call of %s passes unthrottled, since it can't be counted: %s", policy, error)
            UNCOUNTED.labels(policy).inc()
            discard_connections(error)
            return
        view.headers["RateLimit-Policy"] = f'"{policy}";q={rate.calls};w={rate.seconds}'
        view.headers["RateLimit"] = f'"{policy}";r={max(rate.calls - calls, 0)};t={seconds_left}'
        if calls > rate.calls:
            raise throttled(policy, rate, seconds_left)


def count_call(key: str, rate: Rate) -> tuple[int, int]:
    """How many calls `key` has made in this window, with this one, and the seconds until the next window."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(now=NOW[connection.vendor]), [key, rate.seconds, rate.seconds])
        calls, seconds_left = cursor.fetchone()
    return calls, max(seconds_left, 1)


def prune() -> int:
    """Delete the counts of windows that are over; returns how many. One that begins anew makes its row again."""
    return ThrottleCounter.objects.filter(resets_at__lt=time.time()).delete()[0]


def throttled(policy: str, rate: Rate, seconds_left: int) -> APIError:
    what = "all other operations together" if policy == "*" else policy
    message = f"The limit is {rate.calls} calls of {what} per {rate.per}: try again in {seconds_left} s."
    details = {"operation": policy, "limit": rate.calls, "window_seconds": rate.seconds}
    return APIError(429, "throttled", message, details, {"Retry-After": str(seconds_left)})
