"""The time zone of the staff pages."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone

View = Callable[[HttpRequest], HttpResponseBase]


def staff_time_zone(get_response: View) -> View:
    """Middleware: staff pages show times in STAFF_TIME_ZONE; the API keeps to TIME_ZONE."""
    if settings.STAFF_TIME_ZONE.key == settings.TIME_ZONE:
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(reverse("admin:index")):
            return get_response(request)
        with timezone.override(settings.STAFF_TIME_ZONE):
            return get_response(request)

    return middleware
