"""The WSGI entry point."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
django_application = get_wsgi_application()

from messaging_project.api.json import MAX_BATCH_BYTES  # noqa: E402 - needs the settings


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, with the Content-Length of a chunked body (RFC 9112, 7.1): without it, Django sees no body.

    At most one byte more is read than the largest body that any view takes; the view then refuses it as too large.
    """
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        body = environ["wsgi.input"].read(MAX_BATCH_BYTES + 1)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    return django_application(environ, start_response)
