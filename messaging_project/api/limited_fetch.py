"""GET of another party's document that ends in time and in size, however slowly or long it answers."""

import socket
from contextlib import suppress
from http.client import HTTPConnection
from threading import Timer
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, build_opener

WAIT_SECONDS = 3  # for each of: connect, and each wait for more bytes
TOTAL_SECONDS = 3  # from the connection on
MAX_BYTES = 1024 * 1024


def fetch(url: str) -> bytes:
    """The body of a 2xx answer; raises OSError, HTTPException or ValueError for all else. Follows no redirect."""
    with build_opener(_Unredirected, _LimitedHTTP, _LimitedHTTPS).open(url, timeout=WAIT_SECONDS) as response:
        body: bytes = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError(f"the answer is larger than {MAX_BYTES:,} bytes")
    return body


class _Unredirected(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class _Limited:
    """Ends each connection TOTAL_SECONDS after it was made: the timeout of a socket begins anew with every byte."""

    def do_open(self, http_class: Any, req: Any, **options: Any) -> Any:
        def limited(*args: Any, **more: Any) -> HTTPConnection:
            connection: HTTPConnection = http_class(*args, **more)
            connection._create_connection = _connect  # type: ignore[attr-defined]  # below TLS, which drips as well
            return connection

        return super().do_open(limited, req, **options)  # type: ignore[misc]  # of the handler beside it


class _LimitedHTTP(_Limited, HTTPHandler):
    pass


class _LimitedHTTPS(_Limited, HTTPSHandler):
    pass


def _connect(*args: Any) -> socket.socket:
    connected = socket.create_connection(*args)
    timer = Timer(TOTAL_SECONDS, _end, [connected.dup()])  # TLS takes the socket itself away
    timer.daemon = True
    timer.start()
    return connected


def _end(connected: socket.socket) -> None:
    with connected, suppress(OSError):  # it has ended
        connected.shutdown(socket.SHUT_RDWR)
