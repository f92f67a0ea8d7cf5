"""The command with which docs/production.md serves: a worker that is killed doesn't end the service."""

import os
import re
import secrets
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.tests.factories import make_campaign, positions, step_body
from campaigns.tests.server import PRODUCTION, START_SECONDS, Server, running_server, url_of_test_database
from scripts import run


@pytest.fixture
def service(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    environment = {"DJANGO_SECRET_KEY": secrets.token_urlsafe(48), "DJANGO_ALLOWED_HOSTS": "127.0.0.1"}
    with running_server(tmp_path / "log", url_of_test_database(), workers=2, **environment) as server:
        yield server


def wait_for_log(server: Server, pattern: str, times: int = 1) -> list[str]:
    """What matches in the server's log, once that is found so many times."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if len(found := re.findall(pattern, server.log.read_text(), re.MULTILINE)) >= times:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{pattern} is not {times} times in the log:\n{server.log.read_text()}")


def kill_worker(server: Server, number: int) -> None:
    """Returns once the server has noticed."""
    (process,) = wait_for_log(server, rf"Spawning worker-{number} with PID: (\d+)$")
    os.kill(int(process), signal.SIGKILL)
    wait_for_log(server, rf"Unexpected exit from worker-{number}$")


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_replaced_while_the_other_one_answers(service: Server) -> None:
    campaign = make_campaign()
    path = f"/v1/messaging/campaigns/{campaign.id}/steps"
    wait_for_log(service, r"Started worker-\d$", times=2)

    kill_worker(service, 1)
    meanwhile = service.post(path, step_body(0))
    wait_for_log(service, r"Started worker-1$", times=2)
    kill_worker(service, 2)  # so that nobody but the replacement is left
    afterwards = service.post(path, step_body(1))
    wait_for_log(service, r"Started worker-2$", times=2)

    assert (meanwhile.status, afterwards.status) == (201, 201)
    assert positions(campaign) == [0, 1]
    assert wait_for_log(service, rf" POST {path} operation=addStep status=(\d+) ", times=2) == ["201", "201"]
    assert "Shutting down" not in service.log.read_text()


def test_the_command_can_be_copied_and_changed_word_by_word() -> None:
    line = " ".join(PRODUCTION)

    assert shlex.split(line) == PRODUCTION
    assert "=" not in line
    assert {"--workers", "--host", "--port", "--workers-kill-timeout"} <= set(PRODUCTION)


def test_make_run_serves_with_the_same_options() -> None:
    assert " ".join(PRODUCTION).startswith(f"{run.SERVER} ")
