"""Clients that add steps and repeat what wasn't acknowledged, and the comparison with what is stored afterwards."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from bench.drills.postgresql import PostgreSQL

CAMPAIGNS = "/v1/messaging/campaigns"
EVENTS = "/v1/messaging/events"
ANSWER_SECONDS = 30
PAUSE_SECONDS = 0.05  # before a step is sent again


@dataclass
class Load:
    """What clients on persistent connections were told."""

    port: int
    token: str
    acknowledged: dict[str, str] = field(default_factory=dict)  # step id to the template id that was sent
    answers: list[tuple[float, str, float]] = field(default_factory=list)  # when, kind, seconds
    pages: list[tuple[float, str, float]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # ids, as the feed told them
    query: str = ""  # of the feed's next page
    running: Event = field(default_factory=Event)

    def clients(self, number: int) -> list[Thread]:
        threads = [
            Thread(target=self._add_steps, args=[index, self._campaign()], daemon=True) for index in range(number)
        ]
        others = self._look_at_pages, self._follow_feed
        return [*threads, *(Thread(target=other, daemon=True) for other in others)]

    def _campaign(self) -> str:
        kind, answer, _ = self.ask(Connection(self.port), "POST", CAMPAIGNS, {"name": "Drill"})
        if kind != "201":
            raise RuntimeError(f"{kind} {answer}")
        return str(answer["id"])

    def _add_steps(self, client: int, campaign: str) -> None:
        connection, position = Connection(self.port), 0
        # Every other client makes room, where a write that was repeated by mistake would be stored twice.
        path = f"{CAMPAIGNS}/{campaign}/steps" + ("?on_conflict=shift" if client % 2 else "")
        while self.running.is_set():
            template = f"{client}-{position}"
            step = {"position": position, "template_id": template, "template_version_id": "v"}
            self._until_acknowledged(connection, path, step)
            position += 1

    def _until_acknowledged(self, connection: "Connection", path: str, step: dict[str, Any]) -> None:
        key, deadline = str(uuid4()), time.monotonic() + ANSWER_SECONDS * 2
        while time.monotonic() < deadline:
            kind, answer, seconds = self.ask(connection, "POST", path, step, key)
            self.answers.append((time.monotonic(), kind, seconds))
            if kind == "201":
                self.acknowledged[answer["id"]] = step["template_id"]
                return
            if kind not in ("503", "409", "502", "504", "no answer"):
                return
            time.sleep(PAUSE_SECONDS)

    def _look_at_pages(self) -> None:
        connection = Connection(self.port)
        while self.running.is_set():
            for path in ("/", "/healthz"):
                kind, _, seconds = self.ask(connection, "GET", path)
                self.pages.append((time.monotonic(), kind, seconds))
            time.sleep(PAUSE_SECONDS)

    def _follow_feed(self) -> None:
        while self.running.is_set():
            self.read_feed()
            time.sleep(PAUSE_SECONDS)

    def read_feed(self) -> None:
        """Read on, up to what is there now."""
        connection, has_more = Connection(self.port), True
        while has_more:
            kind, page, _ = self.ask(connection, "GET", EVENTS + self.query)
            if kind != "200":
                return
            self.events += [event["id"] for event in page["results"]]
            self.query, has_more = f"?cursor={page['next_cursor']}", page["has_more"]

    def ask(
        self, connection: "Connection", method: str, path: str, body: Any = None, key: str = ""
    ) -> tuple[str, Any, float]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        began = time.monotonic()
        status, content = connection.ask(method, path, None if body is None else json.dumps(body), headers)
        answer = json.loads(content) if content.startswith(b"{") else {}
        return str(status or "no answer"), answer, time.monotonic() - began


class Connection:
    """Persistent, and made again after an error. Its own time limit is beyond what any answer may take."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            self._http.request(method, path, body, headers)
            answer = self._http.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            self._http.close()
            return 0, b""


@contextmanager
def under(load: Load, clients: int) -> Iterator[None]:
    threads = load.clients(clients)
    load.running.set()
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load.running.clear()
        for thread in threads:
            thread.join(ANSWER_SECONDS * 3)
        load.read_feed()


@dataclass(frozen=True)
class Result:
    acknowledged: int
    lost: int
    doubled: int
    untold: int  # history entries that the feed told never, or more than once
    failures: Counter[str]
    recovery: float  # seconds from the cause's end to the end of the last failure
    slowest: float  # answer of any kind while the cause lasted and was known
    slowest_page: float

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in sorted(self.failures.items())) or "none"
        counts = f"{self.acknowledged:,} | {self.lost} | {self.doubled} | {self.untold} | {kinds}"
        return f"{counts} | {self.recovery:.1f} | {self.slowest:.2f} | {self.slowest_page:.2f}"

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.untold or self.failures["500"])


KNOWN_SECONDS = 2.5  # after which an outage is known
ENTRIES = "SELECT id::text, count(*) FROM campaigns_historyentry GROUP BY 1"
HISTORY = "SELECT step_id::text, count(*) FROM campaigns_historyentry WHERE step_id IS NOT NULL GROUP BY 1"


def result(load: Load, database: PostgreSQL, began: float, ended: float) -> Result:
    """Compares with what is stored. The cause lasted from `began` to `ended`."""
    stored = dict(database.execute("SELECT id::text, template_id FROM campaigns_campaignstep"))
    recorded = dict(database.execute(HISTORY))
    kept = [stored.get(step) == template and recorded.get(step) == 1 for step, template in load.acknowledged.items()]
    owners = database.execute("SELECT count(*) FROM campaigns_campaignstep GROUP BY template_id HAVING count(*) > 1")
    failures = [(when, kind) for when, kind, _ in load.answers if kind != "201"]
    after = [when - ended for when, _ in failures if when > ended]
    during = [
        [s for when, _, s in told if began + KNOWN_SECONDS < when - s < ended] for told in (load.answers, load.pages)
    ]
    slowest, slowest_page = (max(seconds, default=0.0) for seconds in during)
    kinds = Counter(kind for _, kind in failures)
    kinds.update(f"page {kind}" for _, kind, _ in load.pages if kind not in ("200", "no answer"))
    entries, told = Counter(dict(database.execute(ENTRIES))), Counter(load.events)
    untold = (entries - told).total() + (told - entries).total()
    counts = len(kept), kept.count(False), len(owners), untold
    return Result(*counts, kinds, max(after, default=0.0), slowest, slowest_page)
