"""The load: one process, many persistent connections, each of which sends its next request when it has an answer.

It writes prepared bytes to sockets and reads no more of an answer than its status and length. A client library would
take more of the machine than the services do.
"""

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import NamedTuple

HOST = "127.0.0.1"
CAMPAIGNS = "/v1/messaging/campaigns"
WORKS = ("add a step", "get a campaign", "list 100 steps", "list 100 campaigns")


class Load(NamedTuple):
    """Answers per second, and the times that they took, in milliseconds, sorted."""

    rate: float
    times: list[float]


class Target(NamedTuple):
    """What is asked for: a campaign of a hundred steps, and one to add to for each connection."""

    token: str
    read: str
    written: list[str]


def step(position: int) -> dict[str, object]:
    return {
        "position": position,
        "template_id": "tmpl_welcome",
        "template_version_id": "tmpl_welcome_v3",
        "delay_minutes": 1440,
        "variables": {"first_name": "Ada", "plan": "team"},
    }


def prepare(port: int, token: str, connections: int) -> Target:
    """Campaigns made by the project: one to read, a hundred that stay as they are, and one to write per connection.

    A list shows the oldest hundred: what is added must not decide how many steps it counts.
    """
    ids: list[str] = []
    connection = HTTPConnection(HOST, port, timeout=60)
    for _ in range(101 + connections):
        steps = [step(position) for position in range(20 if ids else 100)]
        body = json.dumps({"name": "Benchmark", "steps": steps})
        connection.request("POST", CAMPAIGNS, body, headers(token))
        ids.append(json.loads(connection.getresponse().read())["id"])
    connection.close()
    return Target(token, ids[0], ids[101:])


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def requests(work: str, target: Target, positions: Iterator[int], index: int) -> Callable[[], bytes]:
    """What makes the next request of a connection."""
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": HOST, **headers(target.token)}.items())
    if work == "add a step":
        path = f"{CAMPAIGNS}/{target.written[index]}/steps"

        def adding() -> bytes:
            body = json.dumps(step(next(positions)))
            return f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

        return adding
    paths = {"get a campaign": f"/{target.read}", "list 100 steps": f"/{target.read}/steps", "list 100 campaigns": ""}
    reading = f"GET {CAMPAIGNS}{paths[work]} HTTP/1.1\r\n{head}\r\n".encode()
    return lambda: reading


class Connection:
    """One client: it has sent a request, and gathers the answer."""

    def __init__(self, port: int, request: Callable[[], bytes], expected: bytes) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request, self._expected = request, expected

    def send(self) -> None:
        self._received, self._length = bytearray(), -1
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request())

    def receive(self) -> float | None:
        """The answer's time in milliseconds, once it is whole."""
        self._received += self.socket.recv(262_144)
        if self._length < 0 and (end := self._received.find(b"\r\n\r\n")) >= 0:
            self._length = end + 4 + length_of(bytes(self._received[:end]), self._expected)
        if len(self._received) != self._length:
            return None
        return (time.perf_counter() - self._sent_at) * 1_000


def length_of(head: bytes, expected: bytes) -> int:
    if not head.startswith(expected):
        raise RuntimeError(head.decode(errors="replace"))
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


def run(port: int, work: str, target: Target, positions: Iterator[int], seconds: float, connections: int) -> Load:
    """Load a service for so long; the last answers are waited for, and count."""
    expected = b"HTTP/1.1 201" if work == "add a step" else b"HTTP/1.1 200"
    opened = [Connection(port, requests(work, target, positions, index), expected) for index in range(connections)]
    times: list[float] = []
    start = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send()
        waiting = connections
        while waiting:
            for key, _ in selector.select(30):
                if (took := key.data.receive()) is not None:
                    times.append(took)
                    if time.perf_counter() - start < seconds:
                        key.data.send()
                    else:
                        waiting -= 1
    elapsed = time.perf_counter() - start
    for connection in opened:
        connection.socket.close()
    return Load(len(times) / elapsed, sorted(times))
