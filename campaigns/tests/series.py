"""Random series of calls of the API, and what each is answered. The same seed makes the same series.

Run as a program, it prints the answers that the database in DATABASE_URL gives: a line of JSON for each seed.
"""

import json
import os
import random
import re
import sys
from collections.abc import Callable
from typing import Any

import django

Json = dict[str, Any]
URL = "/v1/messaging/campaigns"
NO_ID = "0190c2ab-1111-7abc-8def-0123456789ab"
LAST = 2_147_483_647
VARIABLES: tuple[Any, ...] = (
    {},
    {"n": 1},
    {"n": 1.0},
    {"zz": 1e300, "a": [5e-324, -0.0, 2**63, 0.1 + 0.2], "ü": "\u2028\U0001f600"},
    {"n": [1e300] * 217},
    {"a": {"b": {"c": None}}, "": True},
    [],
    {"bad": "\x00"},
)
# Ids and tags get names in the order in which they come; times and cursors, which hold ids, are only known to be there.
NAMED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?:\b|(?<=\bpage[01]{2}))[0-9a-f]{32}\b"
)
HIDDEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|(?<=cursor=)[^&\"]+")


class Series:
    """Makes calls, and keeps what can be told of their answers. It knows the ids of what the answers told it."""

    def __init__(self, client: Any, seed: int) -> None:
        self.told: list[str] = []
        self._client = client
        self._random = random.Random(seed)
        self._steps: dict[str, list[str]] = {}  # by campaign
        self._tags = ['"0"']
        self._next: str | None = None
        self._names: dict[str, str] = {}

    def run(self, calls: int) -> list[str]:
        kinds: list[Callable[[], None]] = [
            self.create, self.campaign, self.filtered, self.one_step, self.transition, self.add, self.add, self.add,
            self.many, self.read, self.page,
        ]  # fmt: skip
        while len(self.told) < calls:
            self.chance(kinds)()
        return self.told

    # --- Calls -------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        body: Json = {"name": self.chance(["Spring", "spring 2", "", "x" * 201]), "steps": self.steps(3)}
        body |= self.chance([{}, {}, {"external_id": self.chance(["a", "b", "A", None])}, {"description": "a\nb"}])
        self.call("post", URL, body)

    def campaign(self) -> None:
        method = self.chance(["get", "patch", "delete"])
        changes = self.chance([{}, {"name": "Summer"}, {"external_id": "b"}, {"description": 5}, {"status": "active"}])
        if method == "delete" and self._random.random() < 0.7:
            method = "get"
        self.call(method, f"{URL}/{self.a_campaign()}", changes if method == "patch" else None)

    def filtered(self) -> None:
        query = self.chance(
            ["", "?status=draft", "?status=nothing", "?external_id=a", "?template_id=t1", "?search=SPRING&order=newest",
             "?limit=2", "?limit=0", "?created_before=2020-01-01T00:00:00Z", "?template_version_id=v2&template_id=t1"]
        )  # fmt: skip
        self.call("get", URL + query)

    def page(self) -> None:
        self.call("get", self._next or f"{URL}?limit=1")

    def transition(self) -> None:
        verb = self.chance(["activate", "activate", "pause", "pause", "complete", "archive", "duplicate"])
        self.call("post", f"{URL}/{self.a_campaign()}/{verb}")

    def read(self) -> None:
        what = self.chance(
            ["steps", "steps?limit=2", "history", "history?limit=3", "readiness",
             "timeline?start=2026-12-01T09:00:00Z&tz=Europe/Berlin", "nothing"]
        )  # fmt: skip
        self.call("get", f"{URL}/{self.a_campaign()}/{what}")

    def add(self) -> None:
        query = self.chance(["", "", "?on_conflict=shift", "?on_conflict=never"])
        self.call("post", f"{URL}/{self.a_campaign()}/steps{query}", self.step())

    def many(self) -> None:
        campaign = self.a_campaign()
        known = self._steps.get(campaign, [])
        method, path, body = self.chance(
            [
                ("post", "/bulk", {"steps": self.steps(4)}),
                ("put", "", {"steps": [{**step, "id": self.one(known)} for step in self.steps(3)]}),
                ("put", "", {"steps": self.steps(3)}),
                ("put", "/order", {"step_ids": self._random.sample(known, len(known))}),
                ("put", "/order", {"step_ids": known[:2]}),
            ]
        )
        self.call(method, f"{URL}/{campaign}/steps{path}", body)

    def one_step(self) -> None:
        method = self.chance(["get", "patch", "patch", "patch", "delete"])
        changes = {name: value for name, value in self.step().items() if self._random.random() < 0.5}
        campaign = self.a_campaign()
        path = f"{URL}/{campaign}/steps/{self.one(self._steps.get(campaign, []))}"
        self.call(method, path, changes if method == "patch" else None)

    # --- What they are made of ---------------------------------------------------------------------------------------

    def chance(self, choices: list[Any]) -> Any:
        return self._random.choice(choices)

    def a_campaign(self) -> str:
        """Mostly one of the last few, so that calls meet."""
        return self.one(list(self._steps)[-4:])

    def one(self, ids: list[str]) -> str:
        return str(self.chance(ids)) if ids and self._random.random() < 0.95 else NO_ID

    def steps(self, most: int) -> list[Json]:
        return [self.step() for _ in range(self._random.randrange(most))]

    def step(self) -> Json:
        step = {
            "position": self.chance([0, 0, 1, 1, 2, 3, 4, 5, LAST, LAST - 1, LAST + 1, -1, 1.0, "1", True]),
            "template_id": self.chance(["t1", "t2", "é", "t1", "t2", "", "x" * 256]),
            "template_version_id": self.chance(["v1", "v2", "v1", "v2", None]),
            "delay_minutes": self.chance([0, 5, 60, 600_000, 5_000_000, 1e9, 0.5]),
            "variables": self.chance(list(VARIABLES)),
        }
        if self._random.random() < 0.8:  # all good, so that much is accepted
            step |= {"position": self._random.randrange(6), "template_id": "t1", "template_version_id": "v1"}
            step |= {"delay_minutes": 5, "variables": self.chance(list(VARIABLES[:4]))}
        return step

    # --- Asking and telling ------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None) -> None:
        headers = self.chance(
            [{}] * 24
            + [{"If-Match": self.chance(self._tags[-6:])}, {"If-Match": "*"}, {"Prefer": "handling=strict"}]
            + [{"Idempotency-Key": self.chance(["k1", "k2", "k3"])}]
        )
        answer = getattr(self._client, method)(path, body, headers=headers)
        self.learn(method, path, answer)
        shown = {name: answer[name] for name in ("ETag", "Location", "Idempotent-Replayed") if name in answer}
        sent = json.dumps(body, sort_keys=True)[:300]
        told = f"{method} {path} {sent} {headers} -> {answer.status_code} {shown} {answer.content.decode()}"
        self.told.append(HIDDEN.sub("…", NAMED.sub(self._name, told)))

    def learn(self, method: str, path: str, answer: Any) -> None:
        body = json.loads(answer.content) if answer.content else {}
        self._next = body.get("next")
        if answer.status_code >= 300:
            return
        if "ETag" in answer:
            self._tags.append(answer["ETag"])
        if method == "delete":
            self._steps.pop(path.rpartition("/")[2], None)
        for found in body.get("results") or [body]:
            if "position" in found and "campaign_id" in found:
                known = self._steps.setdefault(found["campaign_id"], [])
                known += [] if found["id"] in known else [found["id"]]
            elif "step_count" in found:
                self._steps.setdefault(found["id"], [])

    def _name(self, match: re.Match[str]) -> str:
        return self._names.setdefault(match[0], f"<{len(self._names)}>")


def told_of(seed: int, calls: int) -> list[str]:
    """What the calls of a series are answered, from a database without campaigns."""
    from django.db.models import QuerySet

    from campaigns.models import Campaign, HistoryEntry, Revision, RevisionStep
    from campaigns.tests.races import caller
    from messaging_project.api.models import IdempotentAnswer

    for model in (RevisionStep, Revision, Campaign, HistoryEntry, IdempotentAnswer):
        QuerySet(model).delete()  # by the project's own managers revisions can't be
    return Series(caller(), seed).run(calls)


def main(calls: str, *seeds: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "messaging_project.settings"
    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
    for seed in seeds:
        sys.stdout.write(f"{json.dumps(told_of(int(seed), int(calls)))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
