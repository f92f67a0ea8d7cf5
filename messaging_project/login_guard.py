"""Who may try a password: django-axes counts failed logins, and this is what it can't be told by its settings."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

FAILURES_OF_ADDRESS = 50
USERNAME_LENGTH: int = AccessAttempt._meta.get_field("username").max_length


class LoginGuardBackend(AxesStandaloneBackend):
    """Refuses a locked caller before any password is hashed. Code that logs in without a request isn't a caller."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        if request is not None:
            super().authenticate(request, **credentials)


class LoginGuardHandler(AxesDatabaseHandler):
    """Two limits, where axes has one for all, and rows without the form, which axes would keep."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures of the pair, or those of the address on the same scale: axes compares them with one limit."""
        pair, address = (
            int(attempts.aggregate(failures=Sum("failures_since_start", default=0))["failures"])
            for attempts in self.get_user_attempts(request, credentials)
        )
        limit: int = settings.AXES_FAILURE_LIMIT
        return max(pair, address * limit // FAILURES_OF_ADDRESS)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is None:
            return
        sent = request.GET, request.POST
        request.GET = request.POST = QueryDict()
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        finally:
            request.GET, request.POST = sent


def prune() -> int:
    """Delete failures that are too old for a lock; returns how many. Each new failure does so, too."""
    count: int = AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME).delete()[0]
    return count


def username_as_stored(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """What was typed, cut to what the table of failures holds: the form itself takes names of any length."""
    username = (credentials or request.POST).get("username")
    return username and str(username)[:USERNAME_LENGTH]


def client_address(request: HttpRequest) -> str | None:
    """The address that the outermost of settings.TRUSTED_PROXIES saw; what stands left of it, callers made up.

    Of IPv6 the /64 that it is in: a caller with one address there has all of them.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = [hop.strip() for hop in f"{forwarded},{request.META.get('REMOTE_ADDR', '')}".split(",") if hop.strip()]
    try:
        address = ip_address(hops[-1 - settings.TRUSTED_PROXIES :][0])
    except (IndexError, ValueError):
        return None
    return str(_network(address))


def _network(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)


def described(username: str | None, address: str | None, *_: object) -> str:
    """A caller in the log: quoted, since a name may contain a line break."""
    return f"{username!r} from {address}"


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    minutes = settings.AXES_COOLOFF_TIME.seconds // 60
    response = render(request, "locked_out.html", {"minutes": minutes}, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response
