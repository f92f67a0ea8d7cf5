"""Loads that are killed at random moments: `python -m bench.kills`.

Each kind of load runs in a process of its own on a copy of a prepared database, and is ended by SIGKILL; on PostgreSQL
also by killing its server process, which makes the whole server crash and recover. Afterwards all of the load must be
stored or nothing (with --commit-every: whole campaigns), and the same command must complete it.
"""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from scripts.machine import postgresql_binaries
from scripts.postgresql import temporary_cluster

STEPS_PER_CAMPAIGN = 20
STORED = """
SELECT c.external_id, c.status, s.position, s.template_id, s.template_version_id, s.delay_minutes,
    CAST(s.variables AS text)
FROM campaigns_campaign c LEFT JOIN campaigns_campaignstep s ON s.campaign_id = c.id ORDER BY 1, 3
"""
CHANGE = "UPDATE campaigns_campaignstep SET delay_minutes = delay_minutes + 1"
KINDS = ("new", "restored", "existing", "update", "in batches")
Rows = list[tuple[Any, ...]]


class Database:
    """A database that can be copied: a file of SQLite, or a database of a server."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def file(self) -> str | None:
        """The path of an SQLite database."""
        return f"/{self.url.removeprefix('sqlite:////')}" if self.url.startswith("sqlite") else None

    def copy(self, name: str) -> "Database":
        start, _, last = self.url.rpartition("/")
        copy = Database(f"{start}/{name}")
        if self.file and copy.file:
            for suffix in ("-wal", "-shm"):
                Path(f"{copy.file}{suffix}").unlink(missing_ok=True)
            shutil.copy(self.file, copy.file)
        else:
            with psycopg.connect(f"{start}/postgres", autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {last}")
        return copy

    def stored(self) -> Rows:
        if self.file:
            with closing(sqlite3.connect(self.file)) as connection:
                return connection.execute(STORED).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(STORED.encode()).fetchall()

    def change_every_step(self) -> None:
        if self.file:
            with closing(sqlite3.connect(self.file)) as file, file:
                file.execute(CHANGE)
        else:
            with psycopg.connect(self.url) as connection:
                connection.execute(CHANGE.encode())

    def kill_server_process(self) -> None:
        """End the server process of the load with SIGKILL, and wait until the server has recovered."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        if found:
            os.kill(found[0], 9)
            wait_for(self.stored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30, help="of each kind of load, on each database")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--crashes", type=int, default=5, help="of PostgreSQL")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        check(Database(f"sqlite:///{folder}/empty"), folder, arguments)
        with temporary_cluster(postgresql_binaries(), options="") as url:
            check(Database(url).copy("empty"), folder, arguments)


def check(empty: Database, folder: Path, arguments: argparse.Namespace) -> None:
    run(empty, "migrate")
    loads = prepared(empty, folder, arguments.rows)
    for kind in arguments.kinds:
        base, command = loads[kind]
        is_postgresql = empty.url.startswith("postgres")
        if is_postgresql and kind == "new":
            interrupt(kind, base, command, arguments.crashes, crash=True)
        interrupt(kind, base, command, arguments.kills)


def prepared(empty: Database, folder: Path, rows: int) -> dict[str, tuple[Database, list[str]]]:
    """For each kind of load, the database that it meets and its command."""
    file, exported = str(folder / "steps.csv"), str(folder / "exported.jsonl")
    campaigns = [f"--campaigns={rows // STEPS_PER_CAMPAIGN}", f"--steps={STEPS_PER_CAMPAIGN}"]
    run(empty, "seed_campaigns", *campaigns, f"--output={file}")
    full, existing = empty.copy("filled"), empty.copy("existing")
    run(full, "seed_campaigns", file)
    run(full, "export_campaigns", "-o", exported)
    run(existing, "seed_campaigns", campaigns[0], "--steps=0")
    changed = full.copy("changed")
    changed.change_every_step()
    return {
        "new": (empty, ["seed_campaigns", file]),
        "restored": (empty, ["seed_campaigns", exported, "--restore-status"]),
        "existing": (existing, ["seed_campaigns", file]),
        "update": (changed, ["seed_campaigns", file, "--on-conflict=update"]),
        "in batches": (empty, ["seed_campaigns", file, f"--commit-every={rows // 10}"]),
    }


def interrupt(kind: str, base: Database, command: list[str], times: int, *, crash: bool = False) -> None:
    before = base.stored()
    whole = base.copy("loaded")
    seconds = run(whole, *command)
    after, found = whole.stored(), {"nothing": 0, "all": 0, "part": 0}
    for _ in range(times):
        database = base.copy("loaded")
        with started(database, *command) as process:
            time.sleep(random.uniform(0.3, 1) * seconds)
            if crash:
                database.kill_server_process()
            process.kill()
        now = wait_for(database.stored)
        state = "nothing" if now == before else "all" if now == after else "part"
        found[state] += 1
        if state == "part" and (kind != "in batches" or not are_whole(now, after)):
            sys.exit(f"{kind}: half of a load was stored")
        run(database, *command)
        if database.stored() != after:
            sys.exit(f"{kind}: the next run didn't complete it")
    how = "server processes killed" if crash else "loads killed"
    print(f"{base.url.partition(':')[0]}, {kind}: {times} {how}; stored was {found}; all completed", flush=True)


def are_whole(now: Rows, after: Rows) -> bool:
    """Whether each stored campaign is as the load leaves it."""
    names = {row[0] for row in now}
    return now == [row for row in after if row[0] in names]


@contextmanager
def started(database: Database, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "DATABASE_URL": database.url, "LOG_LEVEL": "ERROR"}
    arguments = [sys.executable, "manage.py", *command, "--verbosity=0"]
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE) as process:
        yield process


def run(database: Database, *command: str) -> float:
    before = time.monotonic()
    with started(database, *command) as process:
        _, said = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed: {said.decode()}")
    return time.monotonic() - before


def wait_for(function: Callable[[], Rows]) -> Rows:
    """What the function returns once the server has recovered."""
    for _ in range(300):
        try:
            return function()
        except psycopg.OperationalError:
            time.sleep(0.1)
    sys.exit("the server didn't recover")


if __name__ == "__main__":
    main()
