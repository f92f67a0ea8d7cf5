"""Which WSGI server? granian and gunicorn's threads take turns, with the same application, database and load.

`python -m bench.server` measures SQLite; through `python -m scripts.postgresql` it measures PostgreSQL.
The load comes over loopback from processes of this program, on persistent connections. About two minutes.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

SECONDS, ROUNDS, CLIENTS = 3.0, 5, 8
APPLICATION = "messaging_project.wsgi:application"
SERVERS = {
    "granian": "-m granian --interface=wsgi --blocking-threads=4 --no-ws --log-level=error --host=127.0.0.1 --port={}",
    "gunicorn": "-m gunicorn --worker-class=gthread --threads=4 --keep-alive=30 --log-level=error --bind=127.0.0.1:{}",
}
WORKS = ("POST a step", "GET a list")


class Measure(NamedTuple):
    """For all clients together: answers per second, and the CPU time of the server's processes per answer."""

    rate: float
    cpu_ms: float


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        manage("migrate", "--verbosity=0")
        headers = {"Authorization": f"Bearer {manage('issue_token').strip()}", "Content-Type": "application/json"}
        measures: dict[tuple[str, str], list[Measure]] = {(work, server): [] for work in WORKS for server in SERVERS}
        for turn in range(ROUNDS):  # they take turns, so that a busy moment of the machine affects both
            for server in sorted(SERVERS, reverse=turn % 2 == 1):
                with serving(SERVERS[server]) as (port, pid):
                    for work in WORKS:
                        measures[work, server].append(measure(port, pid, work, headers))
    report(measures)


def report(measures: dict[tuple[str, str], list[Measure]]) -> None:
    print(f"{os.environ['DATABASE_URL'].partition(':')[0]}, {CLIENTS} clients, medians of {ROUNDS} rounds")
    for work in WORKS:
        peer, ours = (median(measures[work, server]) for server in ("gunicorn", "granian"))
        for name, of in (("gunicorn", peer), ("granian", ours)):
            print(f"{work:12} {name:9} {of.rate:6.0f} answers/s  {of.cpu_ms:5.2f} ms of CPU per answer")
        print(f"{work:12} granian serves {ours.rate / peer.rate:.2f} x, for {ours.cpu_ms / peer.cpu_ms:.2f} x the CPU")


def median(measures: list[Measure]) -> Measure:
    return Measure(*(statistics.median(values) for values in zip(*measures, strict=True)))


def manage(*command: str) -> str:
    return subprocess.run([sys.executable, "manage.py", *command], stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def serving(command: str) -> Iterator[tuple[int, int]]:
    """The port and the process of a server that answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, *command.format(port).split(), APPLICATION])
    try:
        deadline = time.monotonic() + 30
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server didn't start: {command}")
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/docs")
        return connection.getresponse().status == 200
    except OSError:
        return False


def measure(port: int, pid: int, work: str, headers: dict[str, str]) -> Measure:
    before = cpu_seconds(pid)
    with get_context("fork").Pool(CLIENTS) as pool:
        counts = pool.starmap(client, [(port, work, headers)] * CLIENTS, chunksize=1)
    answers = sum(count for count, _ in counts)
    # The CPU time includes the clients' preparation: some 2 % of the answers, the same for both servers.
    cpu = cpu_seconds(pid) - before
    return Measure(sum(count / seconds for count, seconds in counts), cpu / answers * 1_000)


def cpu_seconds(pid: int) -> float:
    """The CPU time of a server's main process and workers so far. Linux only: proc_pid_stat(5)."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # a process that has just ended
            continue
        if pid in (int(path.parent.name), int(fields[1])):
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def client(port: int, work: str, headers: dict[str, str]) -> tuple[int, float]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def call(method: str, path: str, body: dict[str, object] | None, expected: int) -> bytes:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != expected:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return answer

    campaigns = "/v1/messaging/campaigns"
    campaign = json.loads(call("POST", campaigns, {"name": "Benchmark"}, 201))["id"]
    steps = f"{campaigns}/{campaign}/steps"
    for position in range(20):  # what the list has; and a warm server
        call("POST", steps, step(position), 201)
    count, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < SECONDS:
        if work == "POST a step":
            call("POST", steps, step(20 + count), 201)
        else:
            call("GET", steps, None, 200)
        count += 1
    return count, seconds


def step(position: int) -> dict[str, object]:
    variables = {"first_name": "Ada", "plan": "team"}
    return {
        "position": position,
        "template_id": "tmpl_welcome",
        "template_version_id": "tmpl_welcome_v3",
        "delay_minutes": 1440,
        "variables": variables,
    }


if __name__ == "__main__":
    main()
