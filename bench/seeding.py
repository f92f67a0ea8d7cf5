"""Bulk load and export, compared with the databases' own means: `python -m bench.seeding --rows 1000000`.

All runs alternate on one machine, on a temporary PostgreSQL with stock settings (fsync included) and a SQLite file.
Medians are compared. The commands are timed as whole processes, start of Python included.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from campaigns.rules import STEP_FIELDS
from scripts.machine import postgresql_binaries
from scripts.postgresql import temporary_cluster

STEPS_PER_CAMPAIGN = 100
MEBIBYTE = 1024 * 1024
CAMPAIGN_COLUMNS = "id, external_id, name, description, status, version"
STEP_COLUMNS = f"id, campaign_id, {', '.join(STEP_FIELDS)}, version"
# What the API's statement does to the campaign's row and the table of steps.
ADD_STEP = """
WITH c AS (SELECT id FROM campaigns_campaign WHERE id = %s FOR SHARE)
INSERT INTO campaigns_campaignstep
    (id, campaign_id, position, template_id, template_version_id, delay_minutes, variables, version)
SELECT gen_random_uuid(), c.id, %s, 't', 't-v1', 0, '{}', 1 FROM c
"""
EXPORTED = """
SELECT c.id, c.external_id, c.name, c.description, c.status, s.position, s.template_id, s.template_version_id,
s.delay_minutes, s.variables FROM campaigns_campaign c LEFT JOIN campaigns_campaignstep s ON s.campaign_id = c.id
ORDER BY c.id, s.position
""".replace("\n", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["load", "export", "sqlite", "extend"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seeding-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / f"steps.{arguments.format}"
        campaigns = arguments.rows // STEPS_PER_CAMPAIGN
        made = [f"--campaigns={campaigns}", f"--steps={STEPS_PER_CAMPAIGN}", f"--output={file}"]
        manage("sqlite:///:memory:", "seed_campaigns", *made)
        print(f"{arguments.rows:,} rows, {file.stat().st_size / MEBIBYTE:,.0f} MiB of {arguments.format}", flush=True)
        with temporary_cluster(postgresql_binaries(), options="") as url:
            manage(url, "migrate", "--verbosity=0")
            for part in arguments.parts:
                PARTS[part](url, folder, file, arguments.rounds)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def load(url: str, folder: Path, file: Path, rounds: int) -> None:
    """New campaigns from a file, and from an export: beside `\\copy` of what becomes of them."""
    exported = prepare(url, folder, file)
    bare, seeded, restored, memory, wal = [], [], [], [], []
    for _ in range(rounds):
        copy_campaigns(url, folder)
        bare.append(timed(lambda: copy_steps(url, folder)))
        empty(url)
        before = wal_position(url)
        seconds, peak = manage(url, "seed_campaigns", str(file))
        seeded.append(seconds)
        memory.append(peak)
        wal.append(wal_position(url) - before)
        empty(url)
        restored.append(manage(url, "seed_campaigns", exported, "--restore-status")[0])
    report("load: \\copy of ready-made rows", bare, "seed_campaigns", seeded)
    print(f"    peak memory {max(memory):.0f} MiB; WAL {median(wal) / MEBIBYTE:,.0f} MiB", flush=True)
    report("load: \\copy of ready-made rows", bare, "an export, restored", restored)


def extend(url: str, folder: Path, file: Path, rounds: int) -> None:
    """Steps for campaigns that exist, beside what SQL alone takes for it; a second run; and every step changed."""
    prepare(url, folder, file)
    ceiling, bare, added, second, updated = [], [], [], [], []
    staging = (
        "begin",
        "create temp table r (like campaigns_campaignstep including defaults)",
        f"\\copy r ({STEP_COLUMNS}) from '{folder}/steps.copy'",
        f"insert into campaigns_campaignstep ({STEP_COLUMNS}) select {STEP_COLUMNS} from r",  # noqa: S608 - names from above
        "commit",
    )
    for _ in range(rounds):
        copy_campaigns(url, folder)
        bare.append(timed(lambda: copy_steps(url, folder)))
        copy_campaigns(url, folder)
        ceiling.append(timed(lambda: psql(url, *staging)))
        copy_campaigns(url, folder)
        added.append(manage(url, "seed_campaigns", str(file))[0])
        second.append(manage(url, "seed_campaigns", str(file))[0])
        psql(url, "update campaigns_campaignstep set delay_minutes = delay_minutes + 1")
        updated.append(manage(url, "seed_campaigns", str(file), "--on-conflict=update")[0])
    report("steps of existing campaigns: temporary \\copy, insert … select", ceiling, "seed_campaigns", added)
    report("\\copy of ready-made rows", bare, "a second run", second)
    report("\\copy of ready-made rows", bare, "every step changed", updated)


def prepare(url: str, folder: Path, file: Path) -> str:
    """Write ready-made rows of what the file becomes, in PostgreSQL's format, and an export; return its name."""
    empty(url)
    manage(url, "seed_campaigns", str(file))
    for table, columns, name in (
        ("campaigns_campaign", CAMPAIGN_COLUMNS, "campaigns"),
        ("campaigns_campaignstep", STEP_COLUMNS, "steps"),
    ):
        select = f"select {columns} from {table} order by id"  # noqa: S608 - names from above
        psql(url, f"\\copy ({select}) to '{folder}/{name}.copy'")
    exported = str(folder / f"exported{file.suffix}")
    manage(url, "export_campaigns", "-o", exported)
    starts = [manage(url, "seed_campaigns", "--campaigns=1", "--steps=0")[0] for _ in range(3)]
    print(f"a load of one row takes {median(starts):.1f} s", flush=True)
    return exported


def copy_campaigns(url: str, folder: Path) -> None:
    empty(url)
    psql(url, f"\\copy campaigns_campaign ({CAMPAIGN_COLUMNS}) from '{folder}/campaigns.copy'", "analyze")


def copy_steps(url: str, folder: Path) -> None:
    psql(url, f"\\copy campaigns_campaignstep ({STEP_COLUMNS}) from '{folder}/steps.copy'")


def busy(url: str, folder: Path, file: Path, rounds: int) -> None:
    """One load while steps are added to another campaign, which takes its share of the machine."""
    empty(url)
    before = wal_position(url)
    with Probe(url) as probe:
        seconds, peak = manage(url, "seed_campaigns", str(file), quiet=False)
    wal = (wal_position(url) - before) / MEBIBYTE
    print(f"a load beside other calls: {seconds:.1f} s; peak memory {peak:.0f} MiB; WAL {wal:,.0f} MiB")
    print(f"    {probe.calls} calls on another campaign waited {probe.longest:.3f} s at most", flush=True)


def export(url: str, folder: Path, file: Path, rounds: int) -> None:
    empty(url)
    manage(url, "seed_campaigns", str(file))
    psql(url, "vacuum analyze")
    bare, exported, memory = [], [], []
    for _ in range(rounds):
        bare.append(timed(lambda: psql(url, f"\\copy ({EXPORTED}) to '{folder}/bare.csv' with (format csv, header)")))
        seconds, peak = manage(url, "export_campaigns", "-o", f"{folder}/exported{file.suffix}")
        exported.append(seconds)
        memory.append(peak)
    report("export: \\copy (select …) to", bare, "export_campaigns", exported)
    print(f"    peak memory {max(memory):.0f} MiB", flush=True)


def empty(url: str) -> None:
    psql(url, "truncate campaigns_campaign, campaigns_revision, campaigns_revisionstep, campaigns_historyentry cascade")
    psql(url, "checkpoint")


def wal_position(url: str) -> int:
    with psycopg.connect(url) as connection:
        ((position,),) = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()
        return int(position)


class Probe:
    """Adds steps to a campaign that isn't in the file, one at a time as the API does; keeps the longest wait."""

    def __init__(self, url: str) -> None:
        self.longest, self.calls = 0.0, 0
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            mine = UUID(int=1)
            connection.execute(
                "INSERT INTO campaigns_campaign (id, name, description, status, version) "
                "VALUES (%s, 'Other', '', 'draft', 1)",
                [mine],
            )
            while not self._stop.wait(0.01):
                self.longest = max(self.longest, timed(lambda: connection.execute(ADD_STEP, [mine, self.calls])))
                self.calls += 1


def psql(url: str, *commands: str) -> None:
    arguments = [argument for command in commands for argument in ("-c", command)]
    program = postgresql_binaries() / "psql"
    subprocess.run([program, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", url, *arguments], check=True)


# --- SQLite ----------------------------------------------------------------------------------------------------------


def sqlite(url: str, folder: Path, file: Path, rounds: int) -> None:
    ready, fresh = folder / "ready.sqlite3", folder / "fresh.sqlite3"
    manage(f"sqlite:///{ready}", "migrate", "--verbosity=0")
    manage(f"sqlite:///{ready}", "seed_campaigns", str(file))
    bare, seeded, memory = [], [], []
    for _ in range(rounds):
        for database in (fresh, Path(f"{fresh}-wal"), Path(f"{fresh}-shm")):
            database.unlink(missing_ok=True)
        manage(f"sqlite:///{fresh}", "migrate", "--verbosity=0")
        # In its own process: a process's peak memory also counts for those that it starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            bare.append(process.submit(executemany, ready, fresh).result())
        fresh.unlink()
        manage(f"sqlite:///{fresh}", "migrate", "--verbosity=0")
        seconds, peak = manage(f"sqlite:///{fresh}", "seed_campaigns", str(file))
        seeded.append(seconds)
        memory.append(peak)
    report("SQLite: bare executemany of ready-made rows", bare, "seed_campaigns", seeded)
    print(f"    peak memory {max(memory):.0f} MiB", flush=True)


def executemany(ready: Path, fresh: Path) -> float:
    with closing(sqlite3.connect(ready)) as source, closing(sqlite3.connect(fresh, isolation_level=None)) as target:
        target.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON")
        rows: dict[str, list[Any]] = {}
        for table, columns in (
            ("campaigns_campaign", CAMPAIGN_COLUMNS),
            ("campaigns_campaignstep", STEP_COLUMNS),
        ):
            marks = ", ".join("?" * len(columns.split(",")))
            found = source.execute(f"SELECT {columns} FROM {table} ORDER BY id")  # noqa: S608 - names from above
            rows[f"INSERT INTO {table} ({columns}) VALUES ({marks})"] = found.fetchall()  # noqa: S608 - likewise

        def insert() -> None:
            target.execute("BEGIN IMMEDIATE")
            for statement, values in rows.items():
                target.executemany(statement, values)
            target.execute("COMMIT")

        return timed(insert)


# --- Running and measuring -------------------------------------------------------------------------------------------


def manage(url: str, *arguments: str, quiet: bool = True) -> tuple[float, float]:
    """Run a command of manage.py. Seconds, and its peak memory in MiB."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        env={**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "WARNING"},
        stdout=subprocess.DEVNULL if quiet else None,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        sys.exit(f"{' '.join(arguments)} failed")
    return seconds, usage.ru_maxrss / 1024


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def report(reference: str, theirs: list[float], name: str, ours: list[float]) -> None:
    print(f"{reference}: {median(theirs):.1f} s {rounded(theirs)}; {name}: {median(ours):.1f} s {rounded(ours)}")
    print(f"    ratio of the rates {median(theirs) / median(ours):.2f}", flush=True)


def rounded(seconds: list[float]) -> str:
    return json.dumps([round(value, 1) for value in seconds])


PARTS: dict[str, Callable[[str, Path, Path, int], None]] = {
    "load": load,
    "busy": busy,
    "sqlite": sqlite,
    "export": export,
    "extend": extend,
}

if __name__ == "__main__":
    main()
