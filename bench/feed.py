"""The feed while writers are killed: `python -m scripts.postgresql python -m bench.feed --seconds 60`.

Processes add steps (some after they have written something else, some to roll back) and change statuses of a few
campaigns; each lives for a moment, and SIGKILL ends it. Two readers, processes of their own, follow the feed. In the
end each must have every stored entry once, in an order that is legal for each campaign.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

import django

CAMPAIGNS, READERS = 4, 2
SHORTEST, LONGEST = 0.2, 3.0  # seconds that a writer lives


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--part", choices=("read",), help="what one of its processes does")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "messaging_project.settings")
    django.setup()
    if chosen.part:
        read()
    else:
        run(chosen.seconds, chosen.writers)


def run(seconds: float, writers: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from campaigns.models import Campaign, CampaignStep, HistoryEntry

    call_command("migrate", verbosity=0)
    for number in range(CAMPAIGNS):
        campaign = Campaign.objects.create(name=f"Campaign {number}")
        CampaignStep.objects.create(campaign=campaign, position=0, template_id="t", template_version_id="v")
    # Not pipes: they would fill, and stop the readers.
    outputs = [tempfile.TemporaryFile("w+") for _ in range(READERS)]  # noqa: SIM115 - they are read in the end
    readers = [start("read", output) for output in outputs]
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's
    killed = kill_writers(seconds, writers)
    for reader, output in zip(readers, outputs, strict=True):
        reader.communicate("end\n")
        output.seek(0)
    stored = Counter(str(found) for found in HistoryEntry.objects.values_list("id", flat=True))
    print(f"{killed} writers killed, {stored.total():,} entries stored")
    for entries in (list(map(json.loads, lines)) for lines in outputs):
        found = Counter(entry["id"] for entry in entries)
        print(
            f"a reader: {(stored - found).total()} missing, {(found - stored).total()} twice or unknown, "
            f"{illegal(entries)} illegal"
        )


def start(part: str, output: Any = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench.feed", "--part", part]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, text=True)


def kill_writers(seconds: float, number: int) -> int:
    """Keep so many writers, each for a moment, and return how many were killed."""
    end, killed = time.monotonic() + seconds, 0
    ends: dict[Any, float] = {}
    while time.monotonic() < end:
        while len(ends) < number:
            ends[forked()] = time.monotonic() + random.uniform(SHORTEST, LONGEST)
        for writer in [it for it, due in ends.items() if due < time.monotonic()]:
            writer.kill()
            writer.join()
            del ends[writer]
            killed += 1
        time.sleep(0.02)
    for writer in ends:
        writer.kill()
        writer.join()
    return killed + len(ends)


def forked() -> multiprocessing.Process:
    """A writer that begins at once. The process that forks has no connections that it could share."""
    writer = multiprocessing.get_context("fork").Process(target=write)
    writer.start()
    return writer  # type: ignore[return-value]  # what a context makes is one, too


# --- The processes ---------------------------------------------------------------------------------------------------


def write() -> None:
    from django.db import transaction

    from campaigns import lifecycle
    from campaigns.exceptions import CampaignsError
    from campaigns.history import Actor
    from campaigns.models import ActorType, Campaign, CampaignStep, SeedCheckpoint
    from campaigns.rules import StepFields
    from campaigns.steps import add_step

    actor, campaigns = Actor(ActorType.COMMAND, "bench", "bench"), list(Campaign.objects.values_list("id", flat=True))
    while True:
        campaign, way = random.choice(campaigns), random.randrange(6)
        fields = StepFields(random.randrange(1, CampaignStep.PARKING), "t", "v", 0, {})
        try:
            if way == 0:
                lifecycle.change_status(campaign, random.choice(("active", "paused")), actor=actor)
            elif way == 1:
                add_step(campaign, fields, actor=actor)
            else:
                with transaction.atomic():  # as a request with an Idempotency-Key: it writes before it waits
                    SeedCheckpoint.objects.create(key=random.randbytes(32).hex(), run_id=campaign)
                    add_step(campaign, fields, actor=actor)
                    transaction.set_rollback(way == 2)
        except CampaignsError:
            pass


def read() -> None:
    import select

    from campaigns.feed import changes_since, latest_cursor

    cursor = None
    while True:
        is_over = bool(select.select([sys.stdin], [], [], 0.01)[0])
        if is_over:
            latest_cursor()  # numbers the rest
        while True:
            page = changes_since(cursor)
            for entry in page.entries:
                told = (str(entry.id), str(entry.campaign_id), entry.action, entry.before, entry.after)
                print(json.dumps(dict(zip(("id", "campaign", "action", "before", "after"), told, strict=True))))
            cursor = page.cursor
            if not page.has_more:
                break
        if is_over:
            return


def illegal(entries: list[dict[str, Any]]) -> int:
    """How many entries aren't legal in the state that the entries before them left."""
    statuses: dict[str, str] = {}
    found = 0
    for entry in entries:
        status = statuses.setdefault(entry["campaign"], "draft")
        if entry["action"] == "step.added":
            found += status not in ("draft", "paused")
        else:
            found += entry["before"]["status"] != status
            statuses[entry["campaign"]] = entry["after"]["status"]
    return found


if __name__ == "__main__":
    main()
