"""Runs a command on PostgreSQL behind PgBouncer in transaction mode: `python -m scripts.pgbouncer pytest --reuse-db`.

As scripts.postgresql, which gives it a server. `--reuse-db` because PgBouncer holds on to databases that pytest would
drop. Limits of locks and statements are the roles' own, as docs/production.md has it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from scripts.machine import pgbouncer
from scripts.postgresql import database_url, ending_on_signals, run, unprivileged_user

CONFIGURATION = """[databases]
* = host={host} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = 50
server_login_retry = 1
"""
SETTINGS = {
    "DATABASE_LOCK_TIMEOUT_MS": "0",
    "DATABASE_STATEMENT_TIMEOUT_MS": "0",
    "DATABASE_PREPARE": "0",  # PgBouncer keeps prepared statements since version 1.22; Debian 12 has 1.18
}


def main() -> None:
    with ending_on_signals(), database_url() as server, Pooler(server) as pooler:
        code = run(sys.argv[1:], os.environ | SETTINGS | {"DATABASE_URL": pooler.url})
    sys.exit(code)


class Pooler:
    """PgBouncer in front of a server that a socket reaches, as scripts.postgresql starts one."""

    def __init__(self, server_url: str) -> None:
        server = urlsplit(server_url)
        with psycopg.connect(server_url, autocommit=True) as session:
            session.execute("ALTER ROLE CURRENT_USER SET lock_timeout = '1200ms'")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgres://{server.username}@127.0.0.1:{self.port}/postgres"
        self._values = {"host": unquote(str(server.hostname)), "user": server.username, "port": self.port}

    def __enter__(self) -> "Pooler":
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
        (self._folder / "pgbouncer.ini").write_text(CONFIGURATION.format(**self._values))
        if owner := unprivileged_user():
            for path in (self._folder, self._folder / "pgbouncer.ini"):
                shutil.chown(path, owner)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)

    def restart(self, after_seconds: float) -> None:
        """Kill it, and start it again after so long."""
        self._process.kill()
        self._process.wait()
        time.sleep(after_seconds)
        self._start()

    def _start(self) -> None:
        command = [pgbouncer(), "--quiet", str(self._folder / "pgbouncer.ini")]
        self._process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, user=unprivileged_user())
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        sys.exit("PgBouncer doesn't start.")


if __name__ == "__main__":
    main()
