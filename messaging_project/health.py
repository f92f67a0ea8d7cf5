"""Whether the process lives: /healthz, for servers that don't serve the file themselves as granian does."""

from collections.abc import Callable
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase

HEALTHY = (Path(__file__).parent / "healthz" / "index.html").read_bytes()


def health(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that stands before all others: a health check knows neither the host's name nor HTTPS."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.rstrip("/") == "/healthz":
            return HttpResponse(HEALTHY, headers={"Cache-Control": "no-cache"})
        return get_response(request)

    return middleware
