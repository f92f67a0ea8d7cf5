"""Bodies that never end: without a token they keep no thread waiting, and with one they don't keep /healthz."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from campaigns.tests.api import NO_ID
from campaigns.tests.bad_input import STEPS
from campaigns.tests.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
SOCKETS = 16  # four times the documented threads
UNFINISHED = {
    "chunked": "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "with a length": "Content-Length: 1000\r\n\r\n{",
}


@contextmanager
def unfinished(server: Server, rest: str) -> Iterator[list[socket.socket]]:
    head = f"POST {STEPS.replace('{id}', NO_ID)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(SOCKETS)]
        for client in slow:
            client.sendall((head + rest).encode())
        yield slow


@pytest.mark.parametrize("how", UNFINISHED)
def test_unfinished_bodies_without_a_token_are_refused_at_once(server: Server, how: str) -> None:
    with unfinished(server, UNFINISHED[how]) as slow:
        assert server.get("/v1/x").status == 404
        assert [client.recv(65_536)[:12] for client in slow] == [b"HTTP/1.1 401"] * SOCKETS


def test_health_is_answered_while_every_thread_waits(server: Server) -> None:
    authorization = f"Authorization: Bearer {server.token}\r\n"
    with unfinished(server, authorization + UNFINISHED["with a length"]):
        answer = server.get("/healthz")
    assert (answer.status, answer.content) == (200, b"ok\n")
