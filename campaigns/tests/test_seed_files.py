"""`manage.py seed_campaigns`: what it can read, in how many transactions, and what it makes without a file."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns.models import Campaign, HistoryEntry, SeedCheckpoint
from campaigns.seeding import postgresql
from campaigns.seeding.loading import CHECKPOINTS_KEPT_FOR, Load, Outcome, prune
from campaigns.seeding.sources import Source
from campaigns.seeding.synthetic import SyntheticSource
from campaigns.tests.factories import make_campaign, stored
from campaigns.tests.seed_files import (
    HEADER,
    campaigns,
    csv_file,
    csv_row,
    json_file,
    record,
    row,
    seed,
    steps_of,
)

pytestmark = pytest.mark.django_db


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"\r\n", 1).replace(b"c,Wel", b"\r\n\nc,Wel", 1),
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"\n", b"\n,,,,,,\n") + b",,,\n",
        gzip.compress,
        lambda text: gzip.compress(b"\xef\xbb\xbf" + text[:50]) + gzip.compress(text[50:]),
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "mixed line ends and blank lines",
        "no last line end",
        "rows of empty cells",
        "gzip",
        "gzip in members, BOM",
    ],
)
def test_ways_to_spell_the_same_file(change: Any, csv_path: Path) -> None:
    csv_file(csv_path, row(0, variables='{"text": "a\\nb"}'), row(1, delay=3))
    csv_path.write_bytes(change(csv_path.read_bytes()))
    said = seed(csv_path)
    assert (said.code, said.err) == (0, "")
    assert steps_of("c") == [(0, "t", 0, {"text": "a\nb"}, 1), (1, "t", 3, {}, 1)]


def test_cells_may_span_lines_and_faults_name_the_line_where_a_row_starts(csv_path: Path) -> None:
    spanning = csv_row("c", "Welcome", 0, "t", "t-v1", "", '{\n"a":\r\n1}')
    said = seed(csv_file(csv_path, spanning, row(-1), spanning.replace("0,t", "1,t"), row("x")), skip_invalid=True)
    assert [(line, field) for line, field, _ in said.faults] == [(5, "position"), (9, "position")]
    assert steps_of("c") == [(0, "t", 0, {"a": 1}, 1), (1, "t", 0, {"a": 1}, 1)]


def test_bytes_that_are_no_utf8_are_a_fault_of_their_cell(csv_path: Path) -> None:
    csv_file(csv_path, row(0), row(1, template="T"), row(2, variables='{"a": "V"}'))
    csv_path.write_bytes(csv_path.read_bytes().replace(b"T,", b"\xff,").replace(b'""V""', b'""\xc3\x28""'))
    said = seed(csv_path)
    assert said.faults == [(3, "template_id", "not_utf8"), (4, "variables", "not_utf8")]
    assert (said.code, stored()) == (1, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no rows"),
        (HEADER.encode(), "it has no rows"),
        (HEADER.replace(",", ";").encode(), "Save it as CSV UTF-8 with commas"),
        (b"external_id,colour\n", "unknown columns 'colour'"),
        (b"external_id,position\n", "the header lacks template_id, template_version_id"),
        (b"external_id,external_id\n", "the header names external_id more than once"),
        (b"campaign_name\n", "the header needs campaign_id or external_id"),
        (b'external_id,"x\n', "header: It is not valid CSV: unexpected end of data"),
        (b"external_id," * 400_000, "header: It is longer than 2,097,152 characters"),
        (HEADER.encode("utf-16"), "it is UTF-16. Save it as CSV UTF-8 with commas"),
        (HEADER.encode("utf-16-le"), "it is UTF-16. Save it as CSV UTF-8 with commas"),
        (HEADER.encode("utf-16-be"), "it is UTF-16. Save it as CSV UTF-8 with commas"),
        (gzip.compress(f"{HEADER}\n{row(0)}\n".encode())[:-12], "the gzip data is damaged or cut short"),
        (b"\x1f\x8b" + b"x" * 100, "the gzip data is damaged or cut short"),
    ],
    ids=[
        "empty",
        "only a header",
        "semicolons",
        "unknown",
        "lacking",
        "twice",
        "no id",
        "broken",
        "too long",
        "UTF-16",
        "UTF-16LE",
        "UTF-16BE",
        "truncated gzip",
        "no gzip",
    ],
)
def test_an_input_that_cannot_be_used_ends_with_2(content: bytes, message: str, csv_path: Path) -> None:
    csv_path.write_bytes(content)
    said = seed(csv_path, skip_invalid=True)
    assert (said.code, stored()) == (2, [])
    assert message in said.message
    assert said.message.startswith(str(csv_path))
    assert said.message.endswith(". Nothing was written.")


def test_an_input_without_rows_may_be_meant(csv_path: Path) -> None:
    csv_path.write_text(f"{HEADER}\n")
    said = seed(csv_path, allow_empty=True)
    assert (said.code, stored()) == (0, [])
    assert said.out.startswith("0 rows in ")


def test_a_quote_that_is_not_closed_costs_its_own_line_only(csv_path: Path) -> None:
    rows = [row(position, delay=position) for position in range(200)]
    rows[100] = rows[100].replace("c,Welcome", 'c,"Welcome')
    said = seed(csv_file(csv_path, *rows), skip_invalid=True)
    assert (said.code, said.faults) == (1, [(102, "row", "malformed")])
    assert "200 rows in" in said.out
    assert [step[0] for step in steps_of("c")] == [position for position in range(200) if position != 100]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("/nowhere/steps.csv",), {"errors": None}),
        (("steps.txt",), {"errors": None}),
        ((), {"campaigns": 0, "steps": 1}),
        ((), {"campaigns": 1}),
        (("-",), {"format": "csv", "commit_every": 10}),
        ((), {"campaigns": 1, "steps": 1, "commit_every": -1}),
        ((), {"campaigns": 1, "steps": 1, "max_faults": -1}),
        (("steps.csv",), {"campaigns": 1, "steps": 1, "errors": None}),
        ((), {"campaigns": 1, "steps": 1, "diff": "diff.jsonl"}),
        ((), {"campaigns": 1, "steps": 1, "report": "/nowhere/report.json"}),
        ((), {"campaigns": 1, "steps": 1, "output": "/nowhere/out.csv"}),
        ((), {"campaigns": 1, "steps": 1, "output": "out.txt"}),
    ],
)
def test_arguments_that_make_no_sense_end_with_2(arguments: tuple[str, ...], options: dict[str, Any]) -> None:
    said = seed(*arguments, **options)
    assert (said.code, stored()) == (2, [])
    assert said.message.endswith(".")


def test_standard_input_needs_a_format(csv_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with csv_file(csv_path, row(0)).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert seed("-").code == 2
        assert seed("-", format="csv").code == 0
    assert campaigns() == [("c", "Welcome", "draft", 1)]


def test_unknown_keys_and_what_is_no_object_are_refused(json_path: Path) -> None:
    said = seed(json_file(json_path, record(0, color="red"), [1], None, record(0)))
    assert said.faults == [(1, "row", "unknown"), (2, "row", "invalid_type"), (3, "row", "invalid_type")]


# --- In several transactions -----------------------------------------------------------------------------------------


def test_commit_every_loads_the_same_as_one_transaction(csv_path: Path) -> None:
    file = csv_file(csv_path, *(row(position, campaign) for campaign in "abcde" for position in range(3)))
    assert seed(file, commit_every=4).code == 0
    assert [campaign[3] for campaign in campaigns()] == [3, 3, 3, 3, 3]
    assert {entry.after["steps_added"] for entry in HistoryEntry.objects.all()} == {3}  # type: ignore[index]
    assert len({entry.after["run_id"] for entry in HistoryEntry.objects.all()}) == 1  # type: ignore[index]


def test_commit_every_checks_all_rows_before_it_writes_any(csv_path: Path) -> None:
    file = csv_file(csv_path, row(0, "a"), row(0, "b"), row(-1, "c"))
    said = seed(file, commit_every=1)
    assert (said.code, said.faults) == (1, [(4, "position", "min_value")])
    assert stored() == []


@pytest.fixture
def stopped(csv_path: Path) -> Path:
    """A file whose load was stopped behind line 4; what its first row has made is deleted."""
    live = make_campaign(external_id="live", name="Welcome", status="active")
    file = csv_file(csv_path, row(0, "a"), row(-1, "a"), row(0, "b"), row(0, "live"), row(0, "d"))
    said = seed(file, commit_every=1, skip_invalid=True, max_faults=2)
    assert said.faults == [(3, "position", "min_value"), (5, "campaign_id", "campaign_not_editable")]
    assert "The rows up to line 4 are committed" in said.message
    Campaign.objects.filter(external_id="a").delete()
    Campaign.objects.filter(pk=live.pk).update(status="paused")
    return file


def test_commit_every_goes_on_behind_what_is_committed_and_says_so(stopped: Path) -> None:
    begun = SeedCheckpoint.objects.get().started_at
    report = Path(f"{stopped}.report")
    said = seed(stopped, commit_every=1, skip_invalid=True, report=str(report))
    assert (said.code, [campaign[0] for campaign in campaigns()]) == (0, ["b", "d", "live"])
    assert len({entry.after["run_id"] for entry in HistoryEntry.objects.all()}) == 1  # type: ignore[index]
    at = f"{begun:%Y-%m-%d at %H:%M} UTC"
    assert said.err == (
        f"{stopped}: continues behind line 4. The rows up to there were committed by the load begun on {at}, "
        "and are not looked at again; --restart begins anew.\n"
    )
    assert re.match(rf"2 rows in .*; 3 rows of the load begun on {at} not looked at again; stored", said.out)
    told = json.loads(report.read_text())
    assert (told["rows"], told["earlier_rows"], told["continued_behind"]) == (2, 3, 4)
    assert told["begun_at"].startswith(f"{begun:%Y-%m-%dT%H:%M:%S}")
    assert not SeedCheckpoint.objects.exists()


@pytest.mark.parametrize("is_pruned", [False, True], ids=["restarted", "pruned"])
def test_a_stopped_load_begins_anew_if_told_to_or_once_its_checkpoint_is_pruned(stopped: Path, is_pruned: bool) -> None:
    if is_pruned:
        SeedCheckpoint.objects.update(updated_at=timezone.now() - CHECKPOINTS_KEPT_FOR)
        assert prune() == 1
    said = seed(stopped, commit_every=1, skip_invalid=True, restart=not is_pruned)
    assert (said.code, said.err) == (1, f"{stopped}:3: position: Must be 0 or more.\n")
    assert said.out.startswith("5 rows in ")
    assert [campaign[0] for campaign in campaigns()] == ["a", "b", "d", "live"]


# --- Synthetic data --------------------------------------------------------------------------------------------------


def test_synthetic_data_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    said = seed(campaigns=3, steps=4, seed=7)
    assert said.code == 0
    assert [campaign[2:] for campaign in campaigns()] == [("draft", 4)] * 3
    before = stored()
    file = tmp_path / "made.jsonl.gz"
    assert seed(campaigns=3, steps=4, seed=7, output=str(file)).code == 0
    assert seed(file).code == 0
    assert stored() == before
    assert seed(campaigns=3, steps=4, seed=8).code == 0
    assert Campaign.objects.count() == 6


def test_synthetic_campaigns_may_have_no_steps(tmp_path: Path) -> None:
    file = tmp_path / "made.csv"
    seed(campaigns=2, steps=0, output=str(file))
    assert seed(file).code == 0
    assert [campaign[3] for campaign in campaigns()] == [0, 0]


# --- Staging ---------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_a_slice_of_the_staged_rows_is_found_without_reading_the_others() -> None:
    rows = SyntheticSource(campaigns=300, steps=100).rows(lambda _: None)
    staged = postgresql.staged(rows, lambda _: None, lambda: False, restore_status=False, locks_stored=False)
    with transaction.atomic(), staged, connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT template_id FROM seed_row WHERE line < 20")
        ((plan,),) = cursor.fetchone()
    assert (plan["Plan"]["Node Type"], plan["Plan"]["Actual Rows"]) == ("Index Scan", 19)
    assert "Rows Removed by Filter" not in plan["Plan"]


@pytest.mark.django_db(transaction=True)
def test_a_file_that_changes_between_its_two_readings_is_told(csv_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Load.run_in_batches

    def changing(load: Load, reopen: Callable[[], Source]) -> Outcome:
        def changed() -> Source:
            csv_file(csv_path, row(0), row(1, template="other"))
            return reopen()

        return run(load, changed)

    monkeypatch.setattr(Load, "run_in_batches", changing)
    said = seed(csv_file(csv_path, row(0), row(1)), commit_every=1)
    assert said.code == 2
    assert said.message.startswith(f"{csv_path}: it changed between its two readings. ")
