"""This project beside its peers, on one machine: `python -m scripts.postgresql python -m bench.server`.

All services run at once, on one database, and take turns under load, so that a busy moment of the machine affects each
of them. On SQLite (without `scripts.postgresql`) only those of this project can run: `--services project,gunicorn`.
"""

import argparse
import itertools
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from bench.server import load, services
from bench.server.report import Measure, median, plot, table

PEERS = "drf,ninja,fastapi,project,wsgi"


def main() -> None:
    chosen = arguments()
    os.environ |= {
        "JWT_HS256_KEY": secrets.token_urlsafe(48),
        "JWT_ISSUER": "https://issuer.example/",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_POOL_MAX_SIZE": "10",
        "LOG_LEVEL": "WARNING",  # no line a request: no peer writes one
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        manage("migrate", "--verbosity=0")
        token = manage("issue_token").strip()
        with ExitStack() as stack:
            running = {key: stack.enter_context(started(key, chosen)) for key in chosen.services.split(",")}
            for work in chosen.works.split(","):
                show(work, rounds(work, running, token, chosen), running, chosen)
    if chosen.pgbench:
        print(f"pgbench, one row for each transaction: {pgbench(chosen):,.0f}/s")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", default=PEERS, help=f"of {', '.join(services.SERVICES)}")
    parser.add_argument("--works", default=",".join(load.WORKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--peers", type=Path, default=services.ROOT / "bench" / "peers" / ".venv", help="their venv")
    parser.add_argument("--before", type=Path, help="another checkout of this project, for the service `before`")
    parser.add_argument("--pgbench", type=Path, help="the program, to measure what the database alone can do")
    parser.add_argument("--plots", type=Path, help="a folder for an SVG of each work")
    return parser.parse_args()


def manage(*command: str) -> str:
    return subprocess.run([sys.executable, "manage.py", *command], stdout=subprocess.PIPE, text=True, check=True).stdout


def started(key: str, chosen: argparse.Namespace) -> AbstractContextManager[services.Running]:
    is_peer = services.SERVICES[key].is_peer
    python = services.peers_python(chosen.peers) if is_peer else sys.executable
    folder = chosen.before.resolve() if key == "before" else services.ROOT
    variables = services.environment_of_database() if is_peer else {}
    return services.serving(key, workers=chosen.workers, python=python, folder=folder, variables=variables)


Rounds = dict[str, list[Measure]]


def rounds(work: str, running: dict[str, services.Running], token: str, chosen: argparse.Namespace) -> Rounds:
    """The measures of each service by its name, in the order in which they were chosen."""
    any_port = running.get("project", next(iter(running.values()))).port
    target = load.prepare(any_port, token, chosen.connections)
    positions = itertools.count(1_000)
    measures: Rounds = {service.name: [] for service in running.values()}
    for service in running.values():  # warm caches and pools
        load.run(service.port, work, target, positions, chosen.seconds / 3, chosen.connections)
    for turn in range(chosen.rounds):
        for service in sorted(running.values(), key=lambda it: it.port, reverse=turn % 2 == 1):
            measures[service.name].append(measure(service, work, target, positions, chosen))
    return measures


def measure(
    service: services.Running, work: str, target: load.Target, positions: Iterator[int], chosen: argparse.Namespace
) -> Measure:
    database = services.postgresql_pid()
    before = services.cpu_seconds(service.pid), services.cpu_seconds(database), time.process_time()
    done = load.run(service.port, work, target, positions, chosen.seconds, chosen.connections)
    after = services.cpu_seconds(service.pid), services.cpu_seconds(database), time.process_time()
    count = len(done.times)
    service_ms, database_ms, load_ms = ((end - start) / count * 1_000 for start, end in zip(before, after, strict=True))
    return Measure(done.rate, service_ms, database_ms, load_ms, done.times[count // 2], done.times[count * 99 // 100])


def show(work: str, measures: Rounds, running: dict[str, services.Running], chosen: argparse.Namespace) -> None:
    memory = {service.name: services.memory_mb(service.pid) for service in running.values()}
    print(f"\n### {work}: {chosen.workers} worker(s), {chosen.connections} connections, {chosen.rounds} rounds\n")
    print(table(measures, memory), flush=True)
    if chosen.plots:
        drawn = plot(work.capitalize(), {name: median(found) for name, found in measures.items()})
        chosen.plots.mkdir(parents=True, exist_ok=True)
        (chosen.plots / f"{work.replace(' ', '-')}.svg").write_text(drawn)


def pgbench(chosen: argparse.Namespace) -> float:
    """Inserts of one row each in prepared statements, over as many connections: what no service can exceed."""
    script = "INSERT INTO pgbench_probe VALUES (gen_random_uuid(), '{\"a\": 1}');"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        environment = os.environ | services.environment_of_database()
        psql = ["psql", "--quiet", "--command=CREATE TABLE IF NOT EXISTS pgbench_probe (id uuid PRIMARY KEY, a jsonb)"]
        subprocess.run(psql, env=environment, check=True)
        command = [str(chosen.pgbench), "--no-vacuum", "--protocol=prepared", f"--client={chosen.connections}",
                   f"--time={max(int(chosen.seconds), 1)}", f"--file={file.name}"]  # fmt: skip
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(answer.partition("tps = ")[2].split()[0])


if __name__ == "__main__":
    main()
