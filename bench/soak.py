"""Ten minutes at 70 % of capacity, reads and writes mixed: errors, p99 and memory of every half minute.

`python -m bench.soak [minutes] [plot.svg]`, on a PostgreSQL of its own. First, ten seconds as fast as it goes show the
capacity; then each client keeps a time table, and what comes late is counted from when it was due.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from bench.drills.load import CAMPAIGNS, Connection, Load
from bench.drills.postgresql import postgresql
from bench.drills.service import Service, manage, production, service

CLIENTS, WORKERS, SHARE = 16, 2, 0.7
STEPS = 100  # in each campaign, then a new one: a read costs the same from the first to the last minute
CAPACITY_SECONDS, WINDOW_SECONDS = 10.0, 30.0
Window = tuple[float, int, float, float, float]  # answers a second, errors, p50 and p99 in ms, MiB


class Client(Thread):
    """Asks at its times (`interval` 0: at once), until `end`; half are writes."""

    def __init__(self, load: Load, number: int, interval: float, end: float) -> None:
        super().__init__(daemon=True)
        self._load, self._number, self._interval, self._end = load, number, interval, end
        self.answers: list[tuple[float, float, bool]] = []  # when it was due, seconds, whether as it should be

    def run(self) -> None:
        connection, chance = Connection(self._load.port), random.Random(self._number)
        due, position = time.monotonic() + chance.random() * self._interval, STEPS
        while due < self._end:
            time.sleep(max(due - time.monotonic(), 0))
            if position == STEPS:
                campaign, position = self._load.ask(connection, "POST", CAMPAIGNS, {"name": "Soak"})[1]["id"], 0
            if chance.random() < 0.5:
                step = {"position": position, "template_id": "t", "template_version_id": "v"}
                kind, *_ = self._load.ask(connection, "POST", f"{CAMPAIGNS}/{campaign}/steps", step)
                position += 1
            else:
                path = chance.choice(["", "/steps?limit=20", "/history?limit=20"])
                kind, *_ = self._load.ask(connection, "GET", f"{CAMPAIGNS}/{campaign}{path}")
            now = time.monotonic()
            self.answers.append((due, now - due, kind in ("200", "201")))
            due = due + self._interval if self._interval else now


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder, postgresql() as database:
        environment = production(database.url)
        manage(environment, "migrate", "--verbosity=0")
        with service(Path(folder), environment, WORKERS) as serving:
            load = Load(serving.port, serving.token())
            rate = len(answers_of(load, 0, CAPACITY_SECONDS)) / CAPACITY_SECONDS
            print(f"capacity {rate:.0f} answers/s, soaking at {rate * SHARE:.0f}", flush=True)
            windows = soak(load, serving, CLIENTS / (rate * SHARE), minutes * 60)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(plot(windows))
    sys.exit(any(errors for _, errors, *_ in windows))


def answers_of(load: Load, interval: float, seconds: float) -> list[tuple[float, float, bool]]:
    clients = started(load, interval, seconds)
    for client in clients:
        client.join()
    return [answer for client in clients for answer in client.answers]


def started(load: Load, interval: float, seconds: float) -> list[Client]:
    end = time.monotonic() + seconds
    clients = [Client(load, number, interval, end) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients


def soak(load: Load, serving: Service, interval: float, seconds: float) -> list[Window]:
    began = time.monotonic()
    windows: list[Window] = []
    clients = started(load, interval, seconds)
    while any(client.is_alive() for client in clients):
        time.sleep(WINDOW_SECONDS)
        since = began + len(windows) * WINDOW_SECONDS
        answers = [a for client in clients for a in client.answers.copy() if since <= a[0] < since + WINDOW_SECONDS]
        if len(answers) < CLIENTS * WINDOW_SECONDS / interval / 2:  # the last window is not whole
            break
        windows.append(window(answers, resident(serving)))
        print(
            "{:5.0f} answers/s, {} errors, p50 {:5.1f} ms, p99 {:6.1f} ms, {:.0f} MiB".format(*windows[-1]), flush=True
        )
    return windows


def window(answers: Sequence[tuple[float, float, bool]], memory: float) -> Window:
    times = statistics.quantiles([seconds * 1_000 for _, seconds, _ in answers], n=100)
    return len(answers) / WINDOW_SECONDS, sum(not good for *_, good in answers), times[49], times[98], memory


def resident(serving: Service) -> float:
    """MiB of all workers together."""
    statuses = [Path(f"/proc/{serving.worker(number + 1)}/status").read_text() for number in range(WORKERS)]
    return sum(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses) / 1024


def plot(windows: list[Window]) -> str:
    """p99 and memory as SVG, each on a scale from 0."""
    lines = []
    for place, (label, colour) in (
        (
            3,
            ("p99, ms", "#1a6"),
        ),
        (4, ("memory of the workers, MiB", "#16a")),
    ):
        values = [float(each[place]) for each in windows]
        scale = 200 / (max(values) * 1.2)
        points = " ".join(
            f"{60 + 500 * i / max(len(values) - 1, 1):.0f},{230 - v * scale:.0f}" for i, v in enumerate(values)
        )
        lines += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{60 + 170 * (place - 3)}" y="20" fill="{colour}">{label}: at most {max(values):.0f}</text>',
        ]
    minutes = len(windows) * WINDOW_SECONDS / 60
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 260" font-family="sans-serif" font-size="13">\n'
        '<rect width="600" height="260" fill="#fff"/><path d="M60 30V230H560" fill="none" stroke="#888"/>\n'
        + "\n".join(lines)
        + f'\n<text x="60" y="250">0</text><text x="500" y="250">{minutes:.0f} minutes</text></svg>\n'
    )


if __name__ == "__main__":
    main()
