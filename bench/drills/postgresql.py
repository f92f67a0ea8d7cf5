"""A PostgreSQL that a drill may treat as it likes: killed, stopped, filled up."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from scripts.machine import postgresql_binaries
from scripts.postgresql import as_user, temporary_cluster, unprivileged_user

# Durable, as in production: what is acknowledged must be there after any crash.
SETTINGS = "max_connections = 60\nsuperuser_reserved_connections = 3\nrestart_after_crash = on\n"


class PostgreSQL:
    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = Path(unquote(str(urlsplit(url).hostname)))

    def control(self, *options: str) -> None:
        program = [str(postgresql_binaries() / "pg_ctl"), f"--pgdata={self.folder / 'data'}", "--silent", "--wait"]
        log = f"--log={self.folder / 'log'}"
        subprocess.run([*as_user(unprivileged_user()), *program, log, *options], cwd=self.folder, check=True)

    def execute(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as session:
            cursor = session.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def postmaster(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server."""
        postmaster = self.postmaster
        for process in (postmaster, *children(postmaster)):
            os.kill(process, number)


def children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    with temporary_cluster(postgresql_binaries(), options="") as url:
        server = PostgreSQL(url)
        with (server.folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.write(f"listen_addresses = ''\nunix_socket_directories = '{server.folder}'\n{SETTINGS}")
        server.control("restart")
        yield server
