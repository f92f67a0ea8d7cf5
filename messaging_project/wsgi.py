"""The WSGI entry point."""

import gc
import os
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from threading import local
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
django_application = get_wsgi_application()

from django.core.cache import caches  # noqa: E402 - needs the settings
from django.db import connections  # noqa: E402
from django.urls import base as urls  # noqa: E402

from messaging_project.api.checks import require_usable_settings  # noqa: E402
from messaging_project.api.errors import API_PATH, SENT_METHOD  # noqa: E402
from messaging_project.api.json import LENGTH_UNKNOWN, MAX_BATCH_BYTES  # noqa: E402
from messaging_project.watchdog import watchdog  # noqa: E402

require_usable_settings()

# So many new objects before Python looks for unreachable ones. With its own 700 it looks at those of each request while
# they are in use, and again and again at the rows of a long campaign.
gc.set_threshold(10_000)


def keep_by_thread() -> None:
    """Keep what belongs to a thread in Python's own way: Django's, by asgiref, looks for an event loop each time."""
    handlers: tuple[Any, ...] = (connections, caches)
    for handler in handlers:
        kept = local()
        for alias in handler:
            if hasattr(handler._connections, alias):
                setattr(kept, alias, handler[alias])
        handler._connections = kept
    urls._prefixes, urls._urlconfs = local(), local()  # type: ignore[attr-defined]  # private names


keep_by_thread()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django, with a Content-Length for a chunked body (RFC 9112, 7.1): without one, Django sees no body.

    It is one byte more than the largest body that any view takes. Nothing is read here. The view's parser reads first,
    after token and scope, so that nobody without them can keep a thread waiting for the rest.
    Forms need their true length, and browsers always send it.
    """
    leave_out_parameters(environ)
    if (method := environ["REQUEST_METHOD"]) != method.upper():
        environ |= {SENT_METHOD: method, "REQUEST_METHOD": NOT_UPPER_CASE}
    watchdog.start()  # in processes that serve, and in no command
    if has_body_of_unknown_length(environ) and API_PATH.match(environ["PATH_INFO"]):
        environ |= {LENGTH_UNKNOWN: True, "CONTENT_LENGTH": str(MAX_BATCH_BYTES + 1)}
    return at_once(django_application(environ, start_response))


# In place of a method such as "delete", for which Django would take "DELETE". A proxy's rule on that wouldn't: methods
# are case-sensitive (RFC 9110, 9.1). No view knows this one.
NOT_UPPER_CASE = "NOT-UPPER-CASE"

# Parameters of media types that Django fails at, outside its handlers and so without an answer of ours.
LEFT_OUT = {
    # All but the boundary of a form. Django decodes the query string, too, by a body's charset; here all is UTF-8.
    "CONTENT_TYPE": re.compile(r";(?!\s*boundary=)[^;]*", re.IGNORECASE),
    "HTTP_ACCEPT": re.compile(r";[^;,]*\*[^;,]*"),  # in the form of RFC 2231: x*=charset''value, x*0=part
}


def leave_out_parameters(environ: dict[str, Any]) -> None:
    for name, parameters in LEFT_OUT.items():
        if ";" in environ.get(name, ""):
            environ[name] = parameters.sub("", environ[name])


def at_once(answer: Any) -> Iterable[bytes]:
    """A whole answer in a list, which granian sends at once; anything else it reads and sends piece by piece."""
    if getattr(answer, "streaming", True):
        return answer  # type: ignore[no-any-return]
    with closing(answer):
        content = answer.content
    vars(answer).clear()  # its view, which knows itself, would keep what it was made of for the garbage collector
    return [content]


def has_body_of_unknown_length(environ: dict[str, Any]) -> bool:
    """Without Transfer-Encoding and Content-Length, a request of HTTP/1 has no body (RFC 9112, 6.3)."""
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        return False
    return bool(environ.get("HTTP_TRANSFER_ENCODING")) or not environ["SERVER_PROTOCOL"].startswith("HTTP/1")
