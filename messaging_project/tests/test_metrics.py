"""What Prometheus and the log are told of requests, by real processes."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from campaigns.models import CampaignStep
from campaigns.tests.factories import make_campaign, step_body
from campaigns.tests.server import running_server, url_of_test_database
from messaging_project import log_lines, telemetry
from messaging_project.api.request_id import current_request_id
from messaging_project.environment import Environment
from messaging_project.log_lines import JSONLines
from messaging_project.metrics import LiveProcesses
from messaging_project.observe import observe

Samples = dict[tuple[str, ...], float]
STEP = {"Content-Type": "application/json", "Idempotency-Key": "once"}


@contextmanager
def exporter(folder: Path) -> Iterator[str]:
    """The address of a running `serve_metrics`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "METRICS_ADDRESS": f"127.0.0.1:{port}"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve_metrics"],
        env=os.environ | variables,
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"Metrics are on http://127.0.0.1:{port}/metrics\n"
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def scraped(url: str) -> Samples:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of this test
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if "le" not in sample.labels
    }


@pytest.mark.django_db(transaction=True)
def test_the_exporter_adds_up_what_all_workers_did(tmp_path: Path) -> None:
    campaign, folder = make_campaign(), tmp_path / "metrics"
    path = f"/v1/messaging/campaigns/{campaign.id}/steps"
    told = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "API_THROTTLES": "getCampaign=1/day"}
    with (
        running_server(tmp_path / "log", url_of_test_database(), workers=3, **told) as server,
        exporter(folder) as url,
    ):
        added = [server.post(path, step_body(position)).status for position in range(20)]
        again = [server.request("POST", path, json.dumps(step_body(99)).encode(), STEP).status for _ in range(2)]
        taken = server.post(path, step_body(0)).status
        throttled = [server.get(f"/v1/messaging/campaigns/{campaign.id}").status for _ in range(2)]
        public = server.get("/metrics").status
        found = scraped(url)

    assert (added, again, taken, throttled, public) == ([201] * 20, [201] * 2, 412, [200, 429], 404)
    assert CampaignStep.objects.count() == 21
    expected: Samples = {
        ("messaging_requests_total", "addStep", "201"): 22,
        ("messaging_requests_total", "addStep", "412"): 1,
        ("messaging_requests_total", "unmatched", "404"): 1,
        ("messaging_request_seconds_count", "addStep"): 23,
        ("messaging_refusals_total", "addStep", "position_taken"): 1,
        ("messaging_refusals_total", "getCampaign", "throttled"): 1,
        ("messaging_throttled_total", "getCampaign"): 1,
        ("messaging_idempotent_replays_total", "addStep"): 1,
    }
    assert {name: found.get(name) for name in expected} == expected
    if connection.vendor == "postgresql":
        assert found["messaging_pool", "size"] >= 2
        assert found["messaging_pool", "waiting"] == 0


def test_of_a_dead_process_its_counts_remain_until_the_next_start(tmp_path: Path) -> None:
    exporter = LiveProcesses(tmp_path)
    code = (
        "from messaging_project import metrics; metrics.OUTAGES.labels('database').inc(); "
        "metrics.POOL.labels('size').set(4)"
    )
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=os.environ | variables, cwd=settings.BASE_DIR, check=True)

    def names(exporter: LiveProcesses) -> list[str]:
        return [sample.name for metric in exporter.collect() for sample in metric.samples]

    assert names(exporter) == ["messaging_outages_total"]
    assert names(LiveProcesses(tmp_path)) == []


def test_without_a_folder_there_is_nothing_to_serve() -> None:
    with pytest.raises(CommandError, match=r"^Set PROMETHEUS_MULTIPROC_DIR to a folder"):
        call_command("serve_metrics")


@pytest.mark.django_db(transaction=True)
def test_seeded_rows_are_counted_unless_it_was_a_dry_run() -> None:
    before = REGISTRY.get_sample_value("messaging_seeded_rows_total", {"what": "read"}) or 0

    call_command("seed_campaigns", campaigns=2, steps=3, verbosity=0, dry_run=True)
    call_command("seed_campaigns", campaigns=2, steps=3, verbosity=0)

    assert REGISTRY.get_sample_value("messaging_seeded_rows_total", {"what": "read"}) == before + 6


@pytest.mark.django_db(transaction=True)
def test_as_json_each_request_has_one_line_without_its_body(tmp_path: Path) -> None:
    campaign = make_campaign()
    path = f"/v1/messaging/campaigns/{campaign.id}/steps"
    body = step_body(0) | {"variables": {"note": "a private matter"}}
    with running_server(tmp_path / "log", url_of_test_database(), LOG_FORMAT="json") as server:
        added = server.post(f"{path}?on_conflict=shift", body)
        refused = server.request("POST", path, b"{", {"Authorization": "Bearer made.up.token"})
        page = server.get("/docs")
        lines = requests_in(server.log, 3)
        text = server.log.read_text()

    told = {"time", "level", "logger", "message", "request_id", "operation", "status", "ms", "subject"}
    assert [set(line) for line in lines] == [told, told | {"reason"}, told]
    assert lines[1]["reason"] == "token_malformed"
    assert [
        (line["message"], line["request_id"], line["operation"], line["status"], line["subject"]) for line in lines
    ] == [
        (f"POST {path}", added.headers["x-request-id"], "addStep", 201, "socket"),
        (f"POST {path}", refused.headers["x-request-id"], "addStep", 401, None),
        ("GET /docs", page.headers["x-request-id"], "docs", 200, None),
    ]
    assert all(0 < line["ms"] < 60_000 for line in lines)
    assert not any(secret in text for secret in ("private", "made.up", server.token))


@pytest.mark.parametrize(
    "message", ["said", "half of \ud800 a pair", "x" * 100_000], ids=["short", "surrogate", "long"]
)
def test_a_record_becomes_one_line_with_its_exception(message: str, capfd: pytest.CaptureFixture[str]) -> None:
    told = {"levelname": "ERROR", "name": "of.mine", "msg": message, "created": 1_800_000_000.25}
    try:
        raise ValueError("wrong")
    except ValueError:
        JSONLines().handle(logging.makeLogRecord(told | {"exc_info": sys.exc_info()}))
    (line,) = capfd.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("exception").splitlines()[-1] == "ValueError: wrong"
    assert found == {
        "time": "2027-01-15T08:00:00.250+00:00",
        "level": "ERROR",
        "logger": "of.mine",
        "message": message,
        "request_id": current_request_id(),
    }


def test_lines_of_several_threads_stay_whole(capfd: pytest.CaptureFixture[str]) -> None:
    def write_lines(number: int) -> None:
        for _ in range(200):
            log_lines.write_json(0, "INFO", "of.mine", "x" * number, {})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write_lines, range(8)))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert Counter(line["message"] for line in lines) == {"x" * number: 200 for number in range(8)}


def test_where_nobody_is_told_requests_are_not_observed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "messaging.request")
    observe(lambda request: HttpResponse())
    caplog.set_level(logging.WARNING, "messaging.request")
    with pytest.raises(MiddlewareNotUsed):
        observe(lambda request: HttpResponse())


def requests_in(log: Path, count: int) -> list[dict[str, Any]]:
    """The lines of requests, once there are so many."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = []
        for line in log.read_text().splitlines():
            with suppress(ValueError):
                lines.append(json.loads(line))
        if len(found := [line for line in lines if line["logger"] == "messaging.request"]) == count:
            return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())


# --- Sentry and OpenTelemetry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "package"), [("SENTRY_DSN", "sentry_sdk"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry")]
)
def test_a_missing_package_stops_the_start_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variable: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ImproperlyConfigured, match=rf"^{variable} is set, and the package {package}\S* is missing: "):
        telemetry.start(Environment({variable: "https://key@telemetry.example/1"}))


def test_sentry_gets_no_bodies_and_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setitem(
        sys.modules, "sentry_sdk", SimpleNamespace(init=lambda dsn, **options: given.append((dsn, options)))
    )

    telemetry.start(Environment({"SENTRY_DSN": "https://key@sentry.example/1"}))

    options = {"send_default_pii": False, "max_request_body_size": "never", "include_local_variables": False}
    assert given == [("https://key@sentry.example/1", options)]


def test_without_their_variables_neither_is_imported() -> None:
    code = "import django, sys; django.setup(); print({'sentry_sdk', 'opentelemetry'} & sys.modules.keys())"
    variables = {"DJANGO_SETTINGS_MODULE": "messaging_project.settings"}

    command = [sys.executable, "-c", code]
    output = subprocess.check_output(command, env=os.environ | variables, cwd=settings.BASE_DIR, text=True)

    assert output == "set()\n"
