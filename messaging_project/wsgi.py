"""The WSGI entry point."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
django_application = get_wsgi_application()

from messaging_project.api.errors import API_PREFIX  # noqa: E402 - needs the settings
from messaging_project.api.json import LENGTH_UNKNOWN, MAX_BATCH_BYTES  # noqa: E402


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, with a Content-Length for a chunked body (RFC 9112, 7.1): without one, Django sees no body.

    It is one byte more than the largest body that any view takes. Nothing is read here. The view's parser reads first,
    after token and scope, so that nobody without them can keep a thread waiting for the rest.
    Forms need their true length, and browsers always send it.
    """
    is_unknown = environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH")
    if is_unknown and environ["PATH_INFO"].startswith(API_PREFIX):
        environ |= {LENGTH_UNKNOWN: True, "CONTENT_LENGTH": str(MAX_BATCH_BYTES + 1)}
    return django_application(environ, start_response)
