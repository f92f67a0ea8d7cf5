"""`make drills`: real servers and a real PostgreSQL under load, and something goes wrong. Some minutes.

`python -m bench.drills` runs all, `python -m bench.drills hung away` those whose names have one of the words.
Exits with 1 if an acknowledged step was lost or doubled, if a reader that followed the feed missed an entry or got one
twice, or if anything was answered with 500.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench.drills.faults import FAULTS, Scene
from bench.drills.load import Load, Result, result, under
from bench.drills.postgresql import PostgreSQL, postgresql
from bench.drills.service import manage, production, service
from scripts.pgbouncer import SETTINGS, Pooler
from scripts.postgresql import ending_on_signals, unprivileged_user

CLIENTS = 60
BEFORE_SECONDS, AFTER_SECONDS = 2.0, 8.0
POOLER = "PgBouncer killed, back after 2 s"
COLUMNS = "acknowledged | lost | doubled | not once told | not 201 | s to recover | slowest answer, s | slowest page, s"
HEAD = f"| drill | {COLUMNS} |"


def main() -> None:
    words = sys.argv[1:]
    names = [name for name in (*FAULTS, POOLER) if not words or any(word in name for word in words)]
    print(HEAD, "|---|---|---|---|---|---|---|---|---|", sep="\n", flush=True)
    with ending_on_signals():
        results = [drilled(name) for name in names]
    sys.exit(not all(each.is_good for each in results))


def drilled(name: str) -> Result:
    with tempfile.TemporaryDirectory() as folder, postgresql() as database:
        manage(production(database.url), "migrate", "--verbosity=0")
        database.execute("CREATE ROLE greedy LOGIN")
        with small_disk(database) if name.startswith("disk full") else nullcontext():
            found = run(name, database, Path(folder))
    print(f"| {name} | {found} |", flush=True)
    return found


def run(name: str, database: PostgreSQL, folder: Path) -> Result:
    with Pooler(database.url) if name == POOLER else nullcontext() as pooler:
        environment = production(database.url)
        if pooler:
            environment |= SETTINGS | {"DATABASE_URL": pooler.url}
        with service(folder, environment) as serving:
            load = Load(serving.port, serving.token())
            scene = Scene(database, serving, load)
            with under(load, CLIENTS):
                time.sleep(BEFORE_SECONDS)
                began = time.monotonic()
                pooler.restart(2) if pooler else FAULTS[name](scene)
                ended = time.monotonic()
                time.sleep(AFTER_SECONDS)
            return result(load, database, began, ended)


@contextmanager
def small_disk(database: PostgreSQL) -> Iterator[None]:
    """The history is on a disk of 64 MiB. Needs the right to mount one."""
    folder = database.folder / "small"
    folder.mkdir()
    owner = unprivileged_user() or "root"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64m,uid={owner},mode=0700", "none", str(folder)], check=True)
    try:
        database.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        database.execute("ALTER TABLE campaigns_historyentry SET TABLESPACE small")
        yield
    finally:
        database.control("--mode=immediate", "stop")
        subprocess.run(["umount", str(folder)], check=True)


if __name__ == "__main__":
    main()
