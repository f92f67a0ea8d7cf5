"""Asking another party in a way that ends in time and in size, however slowly or long it answers."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from threading import Timer
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

WAIT_SECONDS = 3  # for each of: connect, and each wait for more bytes
TOTAL_SECONDS = 3  # from the connection on
MAX_BYTES = 1024 * 1024


def fetch(
    url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, seconds: float | None = None
) -> bytes:
    """The body of a 2xx answer to a GET, or to a POST of `body`. `seconds` take the place of both limits of time.

    Raises OSError, HTTPException or ValueError for all else. Follows no redirect.
    """
    wait, total = (WAIT_SECONDS, TOTAL_SECONDS) if seconds is None else (seconds, seconds)
    opener = build_opener(_Unredirected, _LimitedHTTP(total), _LimitedHTTPS(total))
    request = Request(url, data=body, headers=dict(headers or {}))  # noqa: S310 - settings allow HTTP alone
    with opener.open(request, timeout=wait) as response:
        answer: bytes = response.read(MAX_BYTES + 1)
    if len(answer) > MAX_BYTES:
        raise ValueError(f"the answer is larger than {MAX_BYTES:,} bytes")
    return answer


class _Unredirected(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class _Limited:
    """Ends each connection some seconds after it was made: the timeout of a socket begins anew with every byte."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def do_open(self, http_class: Any, req: Any, **options: Any) -> Any:
        def limited(*args: Any, **more: Any) -> HTTPConnection:
            connection: HTTPConnection = http_class(*args, **more)
            # Below TLS, which drips as well.
            connection._create_connection = partial(_connect, self._seconds)  # type: ignore[attr-defined]
            return connection

        return super().do_open(limited, req, **options)  # type: ignore[misc]  # of the handler beside it


class _LimitedHTTP(_Limited, HTTPHandler):
    pass


class _LimitedHTTPS(_Limited, HTTPSHandler):
    pass


def _connect(seconds: float, *args: Any) -> socket.socket:
    connected = socket.create_connection(*args)
    timer = Timer(seconds, _end, [connected.dup()])  # TLS takes the socket itself away
    timer.daemon = True
    timer.start()
    return connected


def _end(connected: socket.socket) -> None:
    with connected, suppress(OSError):  # it has ended
        connected.shutdown(socket.SHUT_RDWR)
