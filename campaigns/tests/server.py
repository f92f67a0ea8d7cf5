"""The real server, as a process of its own on a free port, for what Django's test client can't show."""

import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from campaigns.models import Campaign
from campaigns.tests.factories import step_body

START_SECONDS = 60
ANSWER_SECONDS = 60
DOCUMENTED = Path(settings.BASE_DIR) / "docs" / "production.md"
(PRODUCTION,) = [line.split() for line in DOCUMENTED.read_text().splitlines() if line.startswith("granian ")]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Server:
    """A running server; each request opens a connection of its own."""

    port: int
    token: str
    log: Path

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send what is given and nothing that a client library would add, except Host, the token and the length."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {self.token}", "Connection": "close"}
        if body is not None:
            lines["Content-Length"] = str(len(body))
        lines |= headers or {}
        head = "".join(f"{name}: {line}\r\n" for name, line in lines.items())
        return self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))

    def post(self, path: str, body: Any) -> Answer:
        return self.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def send(self, raw: bytes) -> Answer:
        """Send these bytes and read one answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as client:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
                client.sendall(raw)
            response = http.client.HTTPResponse(client)
            response.begin()
            return Answer(response.status, dict(response.getheaders()), response.read())


def add_step(server: Server, campaign: Campaign, position: int) -> Answer:
    return server.post(f"/v1/messaging/campaigns/{campaign.id}/steps", step_body(position))


@contextmanager
def running_server(
    log: Path,
    database_url: str,
    *,
    workers: int = 1,
    command: str = shlex.join(PRODUCTION),
    folder: str = str(settings.BASE_DIR),
    **environment: str,
) -> Iterator[Server]:
    """docs/production.md's server, with the tests' own access token key and the variables of `environment`."""
    variables = {"DATABASE_URL": database_url, **access_token_variables()}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Of an option that is given twice, the last one counts.
    overrides = ["--workers", str(workers), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *shlex.split(command), *overrides],
            env=os.environ | variables | environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_listens(process, port, log)
        yield Server(port, access_token(), log)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server doesn't listen:\n{log.read_text()}")


def access_token_variables() -> dict[str, str]:
    """What makes another process issue and accept the same tokens as this one."""
    tokens = settings.ACCESS_TOKENS
    return {
        "JWT_HS256_KEY": tokens["HS256_KEY"],
        "JWT_ISSUER": tokens["ISSUER"],
        "JWT_AUDIENCE": tokens["AUDIENCE"],
    }


def access_token() -> str:
    output = StringIO()
    call_command("issue_token", subject="socket", stdout=output)
    return output.getvalue().strip()


def environment_of_test_database() -> dict[str, str]:
    """For a process that a signal may interrupt: coverage, interrupted in its own lock, would wait for it for ever."""
    inherited = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    return inherited | {"DATABASE_URL": url_of_test_database()}


def url_of_test_database() -> str:
    """Where this process's test database is, for another one."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, password, host = (quote(str(database[name]), safe="") for name in ("USER", "PASSWORD", "HOST"))
    port = f":{database['PORT']}" if database["PORT"] else ""
    return f"postgres://{user}:{password}@{host}{port}/{database['NAME']}"
