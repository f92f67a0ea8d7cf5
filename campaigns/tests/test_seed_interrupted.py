"""A load that is killed, stopped or cut off leaves nothing behind, and says so; and loads that meet each other."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F

from campaigns.models import Campaign, CampaignStep, HistoryEntry, SeedCheckpoint
from campaigns.seeding import postgresql, sqlite, staging
from campaigns.seeding.loading import Load
from campaigns.seeding.merging import Merge
from campaigns.steps import add_step
from campaigns.tests.factories import ACTOR, make_campaign, make_step, step_body, step_fields, stored
from campaigns.tests.seed_files import HEADER, Said, campaigns, csv_file, row, seed, steps_of
from campaigns.tests.server import environment_of_test_database, running_server, url_of_test_database
from messaging_project import database_errors

pytestmark = pytest.mark.django_db(transaction=True)
EARLY_STEPS = "COPY campaigns_campaignstep%"  # what a load ran last that has written steps and reads on
PIPE = 200_000  # bytes: more than a pipe holds, so when they are written, rows have been read


@contextmanager
def seeding_process(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, in the middle of its input."""
    environment = environment_of_test_database()
    command = [sys.executable, "manage.py", "seed_campaigns", "-", "--format", "csv", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdin
        process.stdin.write(f"{HEADER}\n".encode())
        text = "".join(f"{row(position)}\n" for position in range(20_000)).encode()
        assert len(text) > PIPE
        process.stdin.write(text)
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, b""),
        (signal.SIGINT, 130, b"Interrupted. Nothing was written."),
        (signal.SIGTERM, 130, b"Interrupted. Nothing was written."),
    ],
)
def test_a_stopped_load_leaves_nothing_behind(number: signal.Signals, code: int, said: bytes) -> None:
    with seeding_process() as process:
        if connection.vendor == "postgresql":
            until(lambda: sessions(query=EARLY_STEPS, wait="Client") == 1)
        process.send_signal(number)
        assert process.stderr
        assert said in process.stderr.read()
        assert process.wait() == code
    assert stored() == []
    assert seed(campaigns=1, steps=2).code == 0  # and nothing is locked


def test_the_exit_code_reaches_the_shell() -> None:
    with seeding_process() as process:
        _, err = process.communicate(f"{row(-1)}\n".encode())
        assert process.returncode == 1
        assert b"<stdin>:20002: position: Must be 0 or more.\n" in err
        assert b"1 row was refused. Nothing was written." in err
    assert stored() == []


def test_ctrl_c_during_start_up_is_130_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "interrupted_settings.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = environment_of_test_database() | {
        "DJANGO_SETTINGS_MODULE": "interrupted_settings",
        "PYTHONPATH": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "seed_campaigns", "-", "--format", "csv"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.any_database
@pytest.mark.parametrize("command", ["seed_campaigns - --format=csv --allow-empty", "export_campaigns"])
def test_a_bulk_command_starts_without_the_api(command: str) -> None:
    statements = (
        "import sys",
        "from django.core.management import execute_from_command_line as run",
        "run(['manage.py', *sys.argv[1:]])",
        "print(sorted({'campaigns.views', 'drf_spectacular.openapi', 'rest_framework.views'} & sys.modules.keys()))",
    )
    run = [sys.executable, "-c", "\n".join(statements), *command.split()]
    environment, pipe = environment_of_test_database(), subprocess.PIPE
    done = subprocess.run(run, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_under_the_errors_is_no_fault_of_the_input(tmp_path: Path) -> None:
    said = seed(csv_file(tmp_path / "steps.csv", row(-1)), errors="/dev/full")
    assert (said.code, said.message) == (2, "/dev/full: No space left on device. Nothing was written.")


@pytest.mark.sqlite  # PostgreSQL stages in a data folder of its own
def test_a_full_temporary_folder_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def staged_rows(section: Any) -> Iterator[Any]:
        with connection.cursor() as cursor:  # a full disk ends the transaction in the same way
            cursor.execute("ROLLBACK")
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite, "row_values", staged_rows)
    said = seed(csv_file(tmp_path / "steps.csv", row(0)))
    assert (said.code, stored()) == (2, [])
    assert said.message == "The database ended the load: database or disk is full. Nothing was written."


@pytest.mark.postgresql
def test_a_lost_connection_leaves_nothing_behind() -> None:
    with seeding_process() as process:
        until(lambda: sessions(query=EARLY_STEPS) == 1)
        with connection.cursor() as cursor:
            terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
            cursor.execute(terminate, [EARLY_STEPS])
        _, err = process.communicate("".join(f"{row(position)}\n" for position in range(20_000, 40_000)).encode())
        assert process.returncode == 2
        assert b"Nothing was written." in err
    assert stored() == []


# --- Meeting others, on PostgreSQL -----------------------------------------------------------------------------------


def sessions(*, wait: str = "%", query: str = "%") -> int:
    """How many sessions of the test database, other than this one, wait for this and run this (patterns of LIKE)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the queries of its first look
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND COALESCE(wait_event_type, '') LIKE %s AND query LIKE %s",
            [wait, query],
        )
        return int(cursor.fetchone()[0])


def until(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
    pytest.fail("what was waited for didn't happen")


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a function in a thread with a database connection of its own."""

    def run(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        yield lambda *arguments, **options: pool.submit(run, *arguments, **options)


def waiting_for_a_lock() -> bool:
    return sessions(wait="Lock") > 0


@pytest.mark.postgresql
def test_a_campaign_that_is_activated_meanwhile_is_not_extended(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    campaign = make_campaign(external_id="c")
    make_step(campaign, 9)
    file = csv_file(tmp_path / "steps.csv", row(0))
    with transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(status="active")
        seeding = elsewhere(seed, file)
        until(waiting_for_a_lock)  # it has judged the campaign as a draft
    said = seeding.result()
    assert (said.code, said.faults) == (1, [(2, "campaign_id", "campaign_not_editable")])
    assert CampaignStep.objects.count() == 1


@pytest.mark.postgresql
def test_a_step_that_appears_meanwhile_keeps_its_position(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    campaign = make_campaign(external_id="c")
    file = csv_file(tmp_path / "steps.csv", row(0))
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        make_step(campaign, 0, template_id="other")
        seeding = elsewhere(seed, file)
        until(waiting_for_a_lock)
    assert seeding.result().faults == [(2, "position", "position_taken")]
    assert [step.template_id for step in CampaignStep.objects.all()] == ["other"]


@pytest.mark.postgresql
def test_two_loads_of_the_same_new_campaigns_do_not_double_them(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(database_errors, "sleep", pauses.append)
    monkeypatch.setattr(Load, "_may_write_early", lambda _: False)  # which would already have waited
    with transaction.atomic():
        make_campaign(external_id="c")  # as another load would, with nothing committed yet
        make_step(Campaign.objects.get(), 0, template_id="t", template_version_id="t-v1")
        seeding = elsewhere(seed, csv_file(tmp_path / "steps.csv", row(0), row(1)))
        until(waiting_for_a_lock)
    assert seeding.result().code == 0
    assert len(pauses) == 1  # it had lost once
    assert campaigns() == [("c", "Welcome", "draft", 2)]


@pytest.mark.postgresql
def test_a_commit_that_outlives_its_process_is_waited_for(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    live = make_campaign(external_id="live", name="Welcome", status="active")
    file = csv_file(tmp_path / "steps.csv", row(0, "a"), row(0, "live"), row(0, "d"))
    assert seed(file, commit_every=1).code == 1  # it has come as far as the active campaign
    with transaction.atomic():  # as the server process of a killed load does
        Campaign.objects.filter(pk=live.pk).update(status="draft")
        make_step(live, 0, template_id="t", template_version_id="t-v1")
        SeedCheckpoint.objects.update(line=F("line") + 1)
        seeding = elsewhere(seed, file, commit_every=1)
        until(waiting_for_a_lock)
    assert (seeding.result().code, seeding.result().message) == (0, "")
    assert [campaign[0] for campaign in campaigns()] == ["a", "d", "live"]
    assert not SeedCheckpoint.objects.exists()


@pytest.mark.postgresql
@pytest.mark.parametrize("table", ["seed_group", "seed_campaign", "seed_taken", "seed_change"])
def test_a_campaign_that_appears_while_rows_are_judged_is_extended(
    table: str, elsewhere: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Load, "_may_write_early", lambda _: False)  # nobody could create the campaign then
    make = Merge._make

    def and_meanwhile(self: Merge, made: str, *select: Any) -> None:
        make(self, made, *select)
        if made == table and not Campaign.objects.filter(external_id="c").exists():
            elsewhere(make_campaign, external_id="c").result()

    monkeypatch.setattr(Merge, "_make", and_meanwhile)
    said = seed(csv_file(tmp_path / "steps.csv", row(0)))
    assert (said.code, said.faults) == (0, [])
    assert campaigns() == [("c", "Welcome", "draft", 1)]


@pytest.mark.postgresql
def test_a_campaign_that_is_created_while_the_file_is_read_is_extended() -> None:
    with seeding_process() as process:
        until(lambda: sessions(query=EARLY_STEPS, wait="Client") == 1)
        make_campaign(external_id="d", name="Welcome")  # waits for nobody
        _, err = process.communicate(f"{row(0, 'd')}\n".encode())
        assert process.returncode == 0, err
    assert campaigns() == [("c", "Welcome", "draft", 20_000), ("d", "Welcome", "draft", 1)]
    told = {entry.campaign_id: entry.after["campaign"] for entry in HistoryEntry.objects.all()}  # type: ignore[index]
    assert [told[campaign.id] for campaign in Campaign.objects.order_by("name", "external_id")] == [
        "created",
        "extended",
    ]


@pytest.mark.postgresql
def test_two_loads_that_meet_in_opposite_orders_both_succeed(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BATCH_ROWS", 1)
    monkeypatch.setattr(postgresql, "AFTER", (*postgresql.AFTER, "SET LOCAL lock_timeout = 10"))
    with seeding_process() as process:
        until(lambda: sessions(query=EARLY_STEPS, wait="Client") == 1)  # it has made campaign c, and reads on
        seeding = elsewhere(seed, csv_file(tmp_path / "steps.csv", row(0, "d"), row(0, "c")))
        until(lambda: sessions(query="LOCK TABLE%", wait="Lock") == 1)
        _, err = process.communicate(f"{row(0, 'd')}\n".encode())
        assert process.returncode == 0, err
    assert (seeding.result().code, seeding.result().message) == (0, "")
    assert campaigns() == [("c", "Welcome", "draft", 20_000), ("d", "Welcome", "draft", 1)]


@pytest.mark.postgresql
def test_an_api_call_that_creates_a_campaign_of_the_file_is_told_to_try_again(tmp_path: Path) -> None:
    body = {"name": "Mine", "external_id": "c"}
    with running_server(tmp_path / "log", url_of_test_database()) as server:
        with seeding_process() as process:
            until(lambda: sessions(query=EARLY_STEPS, wait="Client") == 1)
            refused = server.post("/v1/messaging/campaigns", body)
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            process.communicate(b"")
            assert process.returncode == 0
        taken = server.post("/v1/messaging/campaigns", body)
    assert (taken.status, taken.json()["details"]["errors"][0]["field"]) == (400, "external_id")
    assert campaigns() == [("c", "Welcome", "draft", 20_000)]


@pytest.mark.postgresql
def test_a_campaign_that_somebody_is_creating_is_written_later(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    with transaction.atomic():
        make_campaign(external_id="c")
        seeding = elsewhere(seed, csv_file(tmp_path / "steps.csv", row(0, "a"), row(0, "c"), row(0, "e")))
        writing = "\nINSERT INTO campaigns_campaign (%"  # and no longer the early one
        until(lambda: sessions(wait="Lock", query=f"{writing}SELECT c.id, c.external_id, c.name, c.description,%") == 1)
        transaction.set_rollback(True)
    assert seeding.result().code == 0
    assert campaigns() == [(name, "Welcome", "draft", 1) for name in "ace"]


@pytest.mark.postgresql
def test_loads_with_overlapping_campaigns_in_any_order_all_succeed(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    names = [f"campaign-{number:02}" for number in range(20)]
    for name in names[::2]:
        make_campaign(external_id=name)
    barrier = threading.Barrier(4)

    def load(file: Path) -> Said:
        barrier.wait()
        return seed(file)

    files = []
    for number in range(4):
        order = names[number * 5 :] + names[: number * 5]
        rows = [row(position, name) for name in (order if number % 2 else reversed(order)) for position in range(30)]
        files.append(csv_file(tmp_path / f"steps-{number}.csv", *rows))
    loads = [elsewhere(load, file) for file in files]
    assert [(loaded.result().code, loaded.result().message) for loaded in loads] == [(0, "")] * 4
    assert campaigns() == [(name, "Welcome", "draft", 30) for name in names]


@pytest.mark.postgresql
def test_other_campaigns_do_not_notice_a_load_that_waits(elsewhere: Callable[..., Future[Any]], tmp_path: Path) -> None:
    held, other = make_campaign(external_id="c"), make_campaign(external_id="other")
    file = csv_file(tmp_path / "steps.csv", row(0))
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=held.pk)
        seeding = elsewhere(seed, file)
        until(waiting_for_a_lock)
        elsewhere(add_step, other.id, step_fields(0), actor=ACTOR).result()
    assert seeding.result().code == 0
    assert sorted(campaigns()) == [("c", "Welcome", "draft", 1), ("other", "Welcome", "draft", 1)]


@pytest.mark.postgresql
def test_a_step_added_by_the_api_waits_for_the_load_and_then_succeeds(
    elsewhere: Callable[..., Future[Any]], tmp_path: Path
) -> None:
    first, second = sorted((make_campaign(external_id=name) for name in "ab"), key=lambda campaign: campaign.id)
    file = csv_file(tmp_path / "steps.csv", *(row(0, str(campaign.external_id)) for campaign in (first, second)))
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=second.pk)
        seeding = elsewhere(seed, file)
        until(waiting_for_a_lock)  # it has locked the first
        adding = elsewhere(add_step, first.id, step_fields(1), actor=ACTOR)
        until(lambda: sessions(wait="Lock") == 2)
    assert seeding.result().code == 0
    adding.result()
    assert [campaign[3] for campaign in campaigns()] in ([2, 1], [1, 2])


@pytest.mark.postgresql
def test_an_api_call_on_a_campaign_that_is_being_loaded_is_told_to_try_again(
    elsewhere: Callable[..., Future[Said]], tmp_path: Path
) -> None:
    first, second = make_campaign(external_id="a"), make_campaign(external_id="b")
    file = csv_file(tmp_path / "steps.csv", row(0, "a"), row(0, "b"))
    steps = f"/v1/messaging/campaigns/{first.id}/steps"
    with running_server(tmp_path / "log", url_of_test_database()) as server:
        with transaction.atomic():
            Campaign.objects.select_for_update().get(pk=second.pk)
            seeding = elsewhere(seed, file)
            until(waiting_for_a_lock)  # it has locked the first campaign, and waits for the second
            refused = server.post(steps, step_body(1))
            assert (refused.status, refused.headers["retry-after"], refused.json()["error"]) == (
                503,
                "5",
                "unavailable",
            )
        assert seeding.result().code == 0
        assert server.post(steps, step_body(1)).status == 201
    assert [position for position, *_ in steps_of("a")] == [0, 1]
