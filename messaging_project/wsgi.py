"""The WSGI entry point."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
django_application = get_wsgi_application()

from messaging_project.api.errors import API_PATH  # noqa: E402 - needs the settings
from messaging_project.api.json import LENGTH_UNKNOWN, MAX_BATCH_BYTES  # noqa: E402
from messaging_project.watchdog import watchdog  # noqa: E402


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, with a Content-Length for a chunked body (RFC 9112, 7.1): without one, Django sees no body.

    It is one byte more than the largest body that any view takes. Nothing is read here. The view's parser reads first,
    after token and scope, so that nobody without them can keep a thread waiting for the rest.
    Forms need their true length, and browsers always send it.
    """
    watchdog.start()  # in processes that serve, and in no command
    if has_body_of_unknown_length(environ) and API_PATH.match(environ["PATH_INFO"]):
        environ |= {LENGTH_UNKNOWN: True, "CONTENT_LENGTH": str(MAX_BATCH_BYTES + 1)}
    return django_application(environ, start_response)


def has_body_of_unknown_length(environ: dict[str, Any]) -> bool:
    """Without Transfer-Encoding and Content-Length, a request of HTTP/1 has no body (RFC 9112, 6.3)."""
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        return False
    return bool(environ.get("HTTP_TRANSFER_ENCODING")) or not environ["SERVER_PROTOCOL"].startswith("HTTP/1")
