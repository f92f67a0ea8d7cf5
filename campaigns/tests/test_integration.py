"""docs/integration.md is true: its sender, run against the real server, sends each step of a revision once."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from campaigns import feed, lifecycle, many_steps, steps
from campaigns.models import Campaign
from campaigns.statuses import Status
from campaigns.tests.factories import ACTOR, make_campaign, step_fields
from campaigns.tests.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = (Path(settings.BASE_DIR) / "docs" / "integration.md").read_text()
(SENDER,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MINUTE = 60
# A message is a line; the key's parts are the recipient, the campaign and the step.
RUN = """
import sys
for recipient in sys.argv[3:]:
    db.execute("INSERT OR IGNORE INTO recipients VALUES (?, ?, 0)", (recipient, sys.argv[2]))
db.commit()
while follow():
    pass
send_due(int(sys.argv[1]), lambda key, recipient, step: print(key, step["template_id"]))
"""
Sender = Callable[..., list[str]]


@pytest.fixture
def sender(server: Server, tmp_path: Path) -> Sender:
    """Runs the page's program once, at a time in minutes; gives what it sent, as "recipient template"."""
    environment = os.environ | {
        "API": f"http://127.0.0.1:{server.port}/v1/messaging",
        "ACCESS_TOKEN": server.token,
        "SENDER_DB": str(tmp_path / "sender.sqlite3"),
        "no_proxy": "*",
    }

    def run(minutes: int, campaign: Campaign, *recipients: str) -> list[str]:
        command = [sys.executable, "-c", SENDER + RUN, str(minutes * MINUTE), str(campaign.id), *recipients]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        sent = [line.split() for line in done.stdout.splitlines()]
        assert all(UUID(step).version == 7 and of == str(campaign.id) for _, of, step, _ in sent)
        return [f"{recipient} {template}" for recipient, _, _, template in sent]

    return run


def activate(campaign: Campaign) -> None:
    lifecycle.change_status(campaign.id, Status.ACTIVE, actor=ACTOR)


def pause(campaign: Campaign) -> None:
    lifecycle.change_status(campaign.id, Status.PAUSED, actor=ACTOR)


def add(campaign: Campaign, position: int, **fields: Any) -> None:
    steps.add_step(campaign.id, step_fields(position, **fields), actor=ACTOR)


def test_each_step_of_a_revision_is_sent_once_when_it_is_due(sender: Sender) -> None:
    campaign = make_campaign()
    add(campaign, 10)
    add(campaign, 20, delay_minutes=60)
    assert sender(0, campaign, "ada") == []  # a draft
    call_command("seed_campaigns", campaigns=1, steps=1, verbosity=0)
    lifecycle.delete_campaign(Campaign.objects.exclude(pk=campaign.pk).get().pk, actor=ACTOR)  # told of, and gone
    activate(campaign)
    assert sender(0, campaign) == ["ada t10"]
    assert sender(59, campaign, "bob") == ["bob t10"]
    assert sender(60, campaign) == ["ada t20"]
    assert sender(118, campaign) == []
    assert sender(119, campaign) == ["bob t20"]
    assert sender(600, campaign) == []


def test_whoever_waited_through_a_pause_gets_one_step_and_the_next_one_after_its_delay(sender: Sender) -> None:
    campaign = make_campaign()
    for position in (10, 20, 30):
        add(campaign, position, delay_minutes=60)
    activate(campaign)
    pause(campaign)
    assert sender(300, campaign, "ada") == []
    activate(campaign)
    assert sender(301, campaign) == ["ada t10"]
    assert sender(360, campaign) == []
    assert sender(361, campaign) == ["ada t20"]


def test_after_a_reorder_nobody_gets_a_step_twice_or_misses_one_behind_the_last_he_got(sender: Sender) -> None:
    campaign = make_campaign(steps=3)
    first, second, third = campaign.steps.order_by("position")
    steps.change_step(campaign.id, third.id, {"delay_minutes": 60}, actor=ACTOR)
    activate(campaign)
    assert sender(0, campaign, "ada") == ["ada t0", "ada t1"]
    pause(campaign)
    many_steps.reorder_steps(campaign.id, [str(step.id) for step in (second, third, first)], actor=ACTOR)
    activate(campaign)
    assert sender(60, campaign, "bob") == ["ada t2", "bob t1"]
    assert sender(120, campaign) == ["bob t2", "bob t0"]


def test_edits_are_sent_from_the_next_activation_on_and_never_to_whom_they_come_late(sender: Sender) -> None:
    campaign = make_campaign()
    add(campaign, 10)
    add(campaign, 30, delay_minutes=60)
    activate(campaign)
    assert sender(0, campaign, "ada") == ["ada t10"]
    pause(campaign)
    add(campaign, 5)
    add(campaign, 20)
    assert sender(600, campaign) == []
    activate(campaign)
    assert sender(600, campaign, "bob") == ["ada t20", "bob t5", "bob t10", "bob t20"]
    assert sender(660, campaign) == ["ada t30", "bob t30"]


def test_a_sender_whose_cursor_was_pruned_begins_anew(sender: Sender) -> None:
    campaign = make_campaign(steps=1)
    assert sender(0, campaign, "ada") == []
    activate(campaign)
    feed.prune(timezone.now() + timedelta(days=1))
    assert sender(0, campaign) == ["ada t0"]
