"""The documented command, started again a second after each end, as deploy/messaging.service has it."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

DOCUMENTED = Path("docs") / "production.md"
(COMMAND,) = [line.split() for line in DOCUMENTED.read_text().splitlines() if line.startswith("granian ")]
RESTART_SECONDS = 1


class Service:
    def __init__(self, port: int, log: Path, environment: dict[str, str], workers: int) -> None:
        self.port, self.log, self.environment = port, log, environment
        self._options = ["--workers", str(workers), "--host", "127.0.0.1", "--port", str(port)]
        self._stopping = Event()
        self.process = self._start()
        self._thread = Thread(target=self._supervise, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", *COMMAND, *self._options]
            return subprocess.Popen(command, env=self.environment, stdout=output, stderr=subprocess.STDOUT)

    def _supervise(self) -> None:
        while True:
            self.process.wait()
            if self._stopping.wait(RESTART_SECONDS):
                return
            self.process = self._start()

    def worker(self, number: int) -> int:
        """The process that is now the worker of that number."""
        return int(re.findall(rf"Spawning worker-{number} with PID: (\d+)", self.log.read_text())[-1])

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        self._stopping.set()
        self.process.terminate()
        self._thread.join(60)

    def token(self) -> str:
        return manage(self.environment, "issue_token").strip()


def manage(environment: dict[str, str], *command: str) -> str:
    answer = subprocess.run(
        [sys.executable, "manage.py", *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return answer.stdout


def production(database_url: str, **more: str) -> dict[str, str]:
    settings = {
        "DATABASE_URL": database_url,
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_HTTPS": "0",
        "JWT_HS256_KEY": secrets.token_urlsafe(48),
        "JWT_ISSUER": "https://drills.example/",
    }
    return os.environ | settings | more


@contextmanager
def service(folder: Path, environment: dict[str, str], workers: int = 2) -> Iterator[Service]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Service(port, folder / "log", environment, workers)
    try:
        running.wait_until_it_listens()
        yield running
    finally:
        running.stop()
