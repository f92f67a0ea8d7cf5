"""Bodies that never end keep no thread waiting, unless their caller has a token."""

import socket
from contextlib import ExitStack

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


@pytest.mark.parametrize("how", UNFINISHED)
def test_unfinished_bodies_without_a_token_are_refused_at_once(server: Server, how: str) -> None:
    head = f"POST {STEPS.replace('{id}', NO_ID)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(SOCKETS)]
        for client in slow:
            client.sendall((head + UNFINISHED[how]).encode())
        assert server.get("/v1/x").status == 404
        assert [client.recv(65_536)[:12] for client in slow] == [b"HTTP/1.1 401"] * SOCKETS
