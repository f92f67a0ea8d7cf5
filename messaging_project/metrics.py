"""What Prometheus is told. With PROMETHEUS_MULTIPROC_DIR, all processes count in files that `serve_metrics` reads."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("messaging_requests", "Requests answered.", ["operation", "status"])
LATENCY = Histogram("messaging_request_seconds", "Time to the answer.", ["operation"], buckets=BUCKETS)
REFUSALS = Counter("messaging_refusals", "Requests refused by the API, by reason.", ["operation", "reason"])
THROTTLED = Counter("messaging_throttled", "Requests beyond a limit of API_THROTTLES.", ["operation"])
UNCOUNTED = Counter("messaging_throttle_failures", "Requests that no limit could be held against.", ["operation"])
REPLAYS = Counter("messaging_idempotent_replays", "Answers given again for an Idempotency-Key.", ["operation"])
OUTAGES = Counter("messaging_outages", "Requests that met an outage.", ["of"])
SEEDED = Counter("messaging_seeded_rows", "Rows that seed_campaigns has read, and those refused.", ["what"])
POOL = Gauge(
    "messaging_pool", "Database connections, and requests that wait for one.", ["what"], multiprocess_mode="livesum"
)


class LiveProcesses(Collector):
    """Everything counted in a folder; gauges of living processes only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in _files_of_the_dead(folder):  # a new start counts from nought
            path.unlink(missing_ok=True)

    def collect(self) -> Iterable[Metric]:
        for path in _files_of_the_dead(self.folder):
            mark_process_dead(_process(path), str(self.folder))
        merged: Iterable[Metric] = MultiProcessCollector(None, str(self.folder)).collect()
        return merged


def _files_of_the_dead(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*_*.db") if not _lives(_process(path))]


def _process(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _lives(process: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
