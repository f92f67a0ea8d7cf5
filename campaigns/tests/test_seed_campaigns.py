"""`manage.py seed_campaigns`: what a file does to what is stored."""

import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from campaigns.management import progress
from campaigns.management.commands.seed_campaigns import Command
from campaigns.models import Campaign, CampaignStep, HistoryEntry, new_id
from campaigns.seeding.loading import Load
from campaigns.seeding.rows import COLUMNS
from campaigns.tests.factories import history_of, make_campaign, make_step, stored
from campaigns.tests.seed_files import (
    campaigns,
    csv_file,
    csv_row,
    json_file,
    record,
    row,
    seed,
    steps_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug")]


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    return tmp_path / "steps.csv"


@pytest.fixture
def json_path(tmp_path: Path) -> Path:
    return tmp_path / "steps.jsonl"


# --- New campaigns ---------------------------------------------------------------------------------------------------


def test_a_csv_file_becomes_drafts_with_steps(csv_path: Path) -> None:
    said = seed(
        csv_file(
            csv_path,
            row(0, "a", "t1", delay=60, variables='{"n": 12345678901234567890, "x": [1.5, true]}'),
            row("3.0", "a", "t2"),
            row(2147483647, "b", "t3"),
            csv_row("empty", "Nothing yet", "", "", "", "", ""),
        )
    )
    assert (said.code, said.err) == (0, "")
    assert steps_of("a") == [(0, "t1", 60, {"n": 12345678901234567890, "x": [1.5, True]}, 1), (3, "t2", 0, {}, 1)]
    assert campaigns() == [
        ("a", "Welcome", "draft", 2),
        ("b", "Welcome", "draft", 1),
        ("empty", "Nothing yet", "draft", 0),
    ]


def test_json_lines_become_the_same(json_path: Path) -> None:
    given_id = new_id()
    said = seed(
        json_file(
            json_path,
            {"campaign_id": str(given_id), "campaign_name": "By id", "campaign_description": "Two\nlines"},
            {"campaign_id": str(given_id), "position": 5, "template_id": "t", "template_version_id": "v"},
            record(0, "a", variables={"n": 1}, delay_minutes=7),
            record(1.0, "a", variables={"deep": {"er": [None, "é:"]}}),
        )
    )
    assert said.code == 0
    by_id = Campaign.objects.get(pk=given_id)
    assert (by_id.name, by_id.description, by_id.external_id, by_id.status) == ("By id", "Two\nlines", None, "draft")
    assert [step.position for step in by_id.steps.all()] == [5]
    assert steps_of("a") == [(0, "t", 7, {"n": 1}, 1), (1, "t", 0, {"deep": {"er": [None, "é:"]}}, 1)]


def test_an_external_id_and_an_id_of_the_same_new_campaign_meet(json_path: Path) -> None:
    given_id = str(new_id())
    seed(json_file(json_path, record(0), record(1, campaign_id=given_id), record(2)))
    assert [(str(step.campaign_id), step.position) for step in CampaignStep.objects.all()] == [
        (given_id, 0),
        (given_id, 1),
        (given_id, 2),
    ]


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([csv_row("c", "", 0, "t", "v", "", "")], [(2, "campaign_name", "required")]),
        ([row(0), row(1, name="Other")], [(3, "campaign_name", "differs")]),
        ([row(0), row(1), row(0)], [(4, "position", "repeated")]),
        ([row(0), row(0, "d"), row(0)], [(4, "position", "repeated")]),
    ],
    ids=["no name", "two names", "a position twice", "a position twice, far apart"],
)
def test_rows_that_contradict_each_other_are_refused(
    rows: list[str], faults: list[tuple[int, str, str]], csv_path: Path
) -> None:
    said = seed(csv_file(csv_path, *rows))
    assert (said.code, said.faults) == (1, faults)
    assert stored() == []


def test_two_new_campaigns_cannot_share_an_external_id(json_path: Path) -> None:
    said = seed(json_file(json_path, record(0, campaign_id=str(new_id())), record(0, campaign_id=str(new_id()))))
    assert (said.code, said.faults) == (1, [(1, "external_id", "unique"), (2, "external_id", "unique")])
    assert stored() == []


def test_an_external_id_belongs_to_one_campaign(json_path: Path) -> None:
    make_campaign(external_id="c")
    before = stored()
    said = seed(json_file(json_path, record(0, campaign_id=str(new_id())), record(0, "d", campaign_id=str(new_id()))))
    assert (said.code, said.faults) == (1, [(1, "external_id", "unique")])
    assert stored() == before


# --- Stored campaigns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_conflict", ["error", "skip", "update"])
@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_second_run_changes_nothing_whatever_the_status_and_the_flag(
    status: str, on_conflict: str, csv_path: Path
) -> None:
    file = csv_file(csv_path, row(0, variables='{"a": 1, "b": [1.0, {}]}'), row(4, delay=5), row(0, "d"))
    seed(file)
    Campaign.objects.update(status=status)
    before = stored()
    said = seed(file, on_conflict=on_conflict)
    assert said.code == 0
    assert "0 campaigns created, 0 extended; 0 steps added, 0 updated, 3 unchanged, 0 skipped; 0 rows" in said.out
    assert stored() == before


@pytest.mark.parametrize(
    ("stored_text", "given", "same"),
    [
        ({"a": 1, "b": 2}, '{"b": 2, "a": 1}', True),
        ({"a": 1}, '{"a": 1.0}', True),
        ({"a": 100.0}, '{"a": 1e2}', True),
        ({"a": "é"}, '{"a": "\\u00e9"}', True),
        ({"a": [1, 2]}, '{"a": [2, 1]}', False),
        ({"a": True}, '{"a": 1}', False),
        ({"a": False}, '{"a": 0}', False),
        ({"a": None}, "{}", False),
        ({"a": 12345678901234567890}, '{"a": 12345678901234567891}', False),
        ({"a": {"b": [True]}}, '{"a": {"b": [1]}}', False),
    ],
)
def test_variables_are_compared_by_their_json_meaning(
    stored_text: dict[str, Any], given: str, same: bool, csv_path: Path
) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="t", template_version_id="t-v1", variables=stored_text)
    said = seed(csv_file(csv_path, row(0, variables=given)))
    assert said.faults == ([] if same else [(2, "position", "position_taken")])


@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_stored_campaign_is_extended_only_while_editable(status: str, csv_path: Path) -> None:
    campaign = make_campaign(external_id="c", status=status)
    make_step(campaign, 0, template_id="t", template_version_id="t-v1")
    version = campaign.version
    said = seed(csv_file(csv_path, row(0), row(1)))
    campaign.refresh_from_db()
    editable = status in ("draft", "paused")
    assert said.faults == ([] if editable else [(3, "campaign_id", "campaign_not_editable")])
    assert [step.position for step in campaign.steps.all()] == ([0, 1] if editable else [0])
    assert (campaign.status, campaign.version) == (status, version)


@pytest.mark.parametrize(
    ("on_conflict", "code", "kept"),
    [
        ("error", 1, [(0, "old", 1)]),
        ("skip", 0, [(0, "old", 1), (1, "t", 1)]),
        ("update", 0, [(0, "t", 2), (1, "t", 1)]),
    ],
)
def test_a_position_that_holds_something_else(
    on_conflict: str, code: int, kept: list[tuple[int, str, int]], csv_path: Path
) -> None:
    campaign = make_campaign(external_id="c")
    step = make_step(campaign, 0, template_id="old")
    said = seed(csv_file(csv_path, row(0), row(1)), on_conflict=on_conflict)
    assert said.code == code
    assert said.faults == ([(2, "position", "position_taken")] if code else [])
    steps = list(campaign.steps.order_by("position").values_list("position", "template_id", "version"))
    assert steps == kept
    changed = CampaignStep.objects.get(pk=step.pk)
    assert changed.updated_at > step.updated_at if on_conflict == "update" else changed.updated_at == step.updated_at


def test_update_respects_the_status(csv_path: Path) -> None:
    make_step(make_campaign(external_id="c", status="active"), 0, template_id="old")
    before = stored()
    said = seed(csv_file(csv_path, row(0)), on_conflict="update")
    assert (said.code, said.faults) == (1, [(2, "campaign_id", "campaign_not_editable")])
    assert stored() == before


@pytest.mark.parametrize("field", ["campaign_name", "campaign_description", "external_id"])
def test_a_stored_campaign_itself_is_never_changed(field: str, json_path: Path) -> None:
    campaign = make_campaign(external_id="c")
    before = stored()
    said = seed(json_file(json_path, {**record(0), "campaign_id": str(campaign.id), field: "Other"}))
    assert (said.code, said.faults) == (1, [(1, field, "differs")])
    assert stored() == before


# --- Options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("restore", "status"), [(False, "draft"), (True, "paused")])
def test_new_campaigns_take_their_status_with_restore_status(restore: bool, status: str, json_path: Path) -> None:
    seed(json_file(json_path, record(0, campaign_status="paused")), restore_status=restore)
    assert campaigns() == [("c", "Welcome", status, 1)]


@pytest.mark.parametrize(
    "rows",
    [
        [{"external_id": "c", "campaign_name": "Welcome", "campaign_status": "active"}],
        [record(position, campaign_status="active", delay_minutes=2_147_483_647) for position in (0, 1)],
    ],
    ids=["no steps", "too long"],
)
def test_an_active_campaign_must_be_one_that_could_be_activated(rows: list[Any], json_path: Path) -> None:
    said = seed(json_file(json_path, *rows), restore_status=True)
    assert said.code == 1
    assert {fault[1:] for fault in said.faults} == {("campaign_status", "not_ready")}
    assert stored() == []


def test_skip_invalid_loads_the_rest_and_still_says_so(csv_path: Path) -> None:
    make_step(make_campaign(external_id="live", status="active"), 0)
    file = csv_file(csv_path, row(0), row(-1), row(1), row(1), row(5, "live", name="Welcome"), row(2, "new"))
    said = seed(file, skip_invalid=True)
    assert said.code == 1
    assert [(line, field) for line, field, _ in sorted(said.faults)] == [
        (3, "position"),
        (5, "position"),
        (6, "campaign_id"),
    ]
    assert [step[0] for step in steps_of("c")] == [0, 1]
    assert [step[0] for step in steps_of("new")] == [2]
    assert [step[0] for step in steps_of("live")] == [0]
    assert "3 rows refused" in said.out


def test_a_dry_run_counts_and_writes_nothing(csv_path: Path) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="old")
    before = stored()
    said = seed(csv_file(csv_path, row(0), row(1), row(2, "new"), row("x")), dry_run=True, on_conflict="update")
    assert said.code == 1
    assert "\nDry run, nothing written: 4 rows in " in said.out
    assert "1 campaign created, 1 extended; 2 steps added, 1 updated, 0 unchanged, 0 skipped; 0 rows" in said.out
    assert stored() == before


def test_a_dry_run_shows_what_would_become_of_each_campaign(csv_path: Path, tmp_path: Path) -> None:
    stored_campaign = make_campaign(external_id="c")
    make_step(stored_campaign, 0, template_id="t", template_version_id="t-v1", delay_minutes=5)
    make_step(stored_campaign, 1, template_id="t", template_version_id="t-v1")
    file = csv_file(csv_path, row(0), row(1), row(2), row(0, "new"), row(-1), row(-1, "bad"))
    diff = tmp_path / "diff.jsonl"
    said = seed(file, dry_run=True, on_conflict="update", diff=str(diff))
    assert said.out.splitlines()[:3] == [
        "c: 1 added, 1 updated, 1 unchanged, 1 refused",
        "new (new): 1 added",
        "bad: 1 refused",
    ]
    assert [json.loads(line) for line in diff.read_text().splitlines()] == [
        {
            "line": 2, "external_id": "c", "campaign_id": str(stored_campaign.id), "position": 0, "outcome": "updated",
            "before": {"delay_minutes": 5}, "after": {"delay_minutes": 0},
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("on_conflict", "outcome"), [("error", "refused"), ("skip", "kept")])
def test_the_difference_says_what_would_become_of_the_step(
    on_conflict: str, outcome: str, csv_path: Path, tmp_path: Path
) -> None:
    make_step(make_campaign(external_id="c"), 0, template_id="t", template_version_id="t-v1", variables={"a": 1})
    diff = tmp_path / "diff.jsonl"
    seed(csv_file(csv_path, row(0, variables='{"a": 2}')), dry_run=True, on_conflict=on_conflict, diff=str(diff))
    told = json.loads(diff.read_text())
    assert (told["outcome"], told["before"], told["after"]) == (
        outcome,
        {"variables": {"a": 1}},
        {"variables": {"a": 2}},
    )


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        ([row(0), row(1)], {}, {"outcome": "done", "exit_code": 0, "written": True, "steps_added": 2, "refused": 0}),
        ([row(0)], {"dry_run": True}, {"outcome": "done", "exit_code": 0, "written": False, "steps_added": 1}),
        ([row(0), row(-1)], {}, {"outcome": "refused", "exit_code": 1, "written": False, "faults": 1, "refused": 1}),
        ([], {}, {"outcome": "failed", "exit_code": 2, "written": False, "rows": 0}),
    ],
    ids=["loaded", "dry run", "refused", "empty"],
)
def test_a_report_is_for_scripts(
    rows: list[str], options: dict[str, Any], told: dict[str, Any], csv_path: Path, tmp_path: Path
) -> None:
    said = seed(csv_file(csv_path, *rows), report=str(tmp_path / "report.json"), **options)
    report = json.loads((tmp_path / "report.json").read_text())
    assert {name: report[name] for name in told} == told
    assert report["message"] == said.message


def test_a_report_tells_of_its_own_start_only(csv_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(file: Path, **options: Any) -> tuple[Any, ...]:
        seed(file, report=str(tmp_path / "report.json"), **options)
        return report()

    def report() -> tuple[Any, ...]:
        found = json.loads((tmp_path / "report.json").read_text())
        return tuple(found[name] for name in ("outcome", "exit_code", "written", "steps_added", "message"))

    finish = Load._finish

    def written_before(error: BaseException) -> Callable[..., None]:
        def finished(*given: Any) -> None:
            finish(*given)
            raise error

        return finished

    file = csv_file(csv_path, row(0))
    assert told(file) == ("done", 0, True, 1, "")
    assert told(file) == ("done", 0, False, 0, "")
    nowhere = tmp_path / "nowhere.csv"
    assert told(nowhere, errors=None) == ("failed", 2, False, 0, f"{nowhere}: No such file or directory.")
    csv_file(csv_path, row(1))
    monkeypatch.setattr(Load, "_finish", written_before(KeyboardInterrupt()))
    assert told(file) == ("interrupted", 130, False, 0, "Interrupted. Nothing was written.")
    monkeypatch.setattr(Load, "_finish", written_before(ArithmeticError("unforeseen")))
    with pytest.raises(ArithmeticError):
        told(file)
    assert report() == ("failed", 1, False, 0, "ArithmeticError('unforeseen')")


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [({"max_faults": 2}, 1, 2), ({"max_faults": 0}, 1, 3), ({"max_faults": 3}, 1, 3), ({"dry_run": True}, 1, 3)],
)
def test_reading_ends_after_as_many_faults_as_are_wanted(
    options: dict[str, Any], code: int, found: int, csv_path: Path
) -> None:
    said = seed(csv_file(csv_path, row(0), row(-1), row("x"), row(-2)), **options)
    assert (said.code, len(said.faults), stored()) == (code, found, [])


def test_faults_that_only_the_database_shows_count_towards_the_limit(csv_path: Path) -> None:
    said = seed(csv_file(csv_path, *(row(0) for _ in range(5))), max_faults=2)
    assert (said.code, said.faults) == (1, [(3, "position", "repeated"), (4, "position", "repeated")])
    assert said.message == "Stopped reading after 2 faults (--max-faults). Nothing was written."


def test_help_shows_the_columns_and_an_example_that_loads(csv_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        Command().run_from_argv(["manage.py", "seed_campaigns", "--help"])
    shown = capsys.readouterr().out
    columns, example = shown.partition("columns of a file")[2].split("example:")
    assert [line.split()[0] for line in columns.splitlines()[1:] if line] == list(COLUMNS)
    csv_path.write_text(dedent(example).lstrip())
    assert seed(csv_path).code == 0
    assert campaigns() == [("spring", "Spring sale", "draft", 2)]


def test_the_first_hundred_faults_are_shown_and_all_are_filed(csv_path: Path) -> None:
    said = seed(csv_file(csv_path, *(row(-1) for _ in range(150))))
    shown = said.err.splitlines()
    assert shown[0] == f"{csv_path}:2: position: Must be 0 or more."
    assert (len(shown), shown[-1]) == (101, f"{csv_path}: 50 more faults; --errors FILE writes all.")
    filed = [json.loads(line) for line in Path(f"{csv_path}.errors").read_text().splitlines()]
    assert len(filed) == 150
    assert filed[149] == {
        "file": str(csv_path), "line": 151, "field": "position", "code": "min_value", "message": "Must be 0 or more.",
    }  # fmt: skip


def test_verbosity_0_is_silent(csv_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = seed(csv_file(csv_path, row(0)), verbosity=0)
    assert (said.code, said.out, said.err, caplog.messages) == (0, "", "", [])


def test_the_summary_is_one_line(csv_path: Path) -> None:
    said = seed(csv_file(csv_path, row(0)))
    assert re.fullmatch(
        r"1 row in \d+\.\d s \([\d,]+ rows/s\): 1 campaign created, 0 extended; 1 step added, 0 updated, "
        r"0 unchanged, 0 skipped; 0 rows without a step; 0 rows refused; stored campaigns locked for \d+\.\d s\.\n",
        said.out,
    )


def test_without_a_terminal_progress_is_logged(
    csv_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_SECONDS", 0)
    make_step(make_campaign(external_id="c", name="Welcome"), 1)
    with caplog.at_level(logging.INFO, "campaigns.seeding"):
        seed(csv_file(csv_path, row(0)))
    assert caplog.messages == [f"{csv_path}: 1 rows checked (100% of the input)", f"{csv_path}: 1 of 1 rows written"]


def test_a_terminal_gets_bars() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    display = progress.Display("steps.csv", terminal, None, silent=False)
    display.checking(1_000, 50, 100)
    display.writing(500, 1_000)
    display.close()
    shown = terminal.getvalue()
    assert "Checking:" in shown
    assert "1,000 rows" in shown
    assert "Writing:  50%" in shown


# --- History ---------------------------------------------------------------------------------------------------------


def test_each_touched_campaign_gets_one_entry(csv_path: Path) -> None:
    extended = make_campaign(external_id="c")
    make_step(extended, 0, template_id="old")
    untouched = make_campaign(external_id="same")
    make_step(untouched, 0, template_id="t", template_version_id="t-v1")
    file = csv_file(csv_path, row(0), row(1), row(2), row(0, "new"), row(0, "same"))
    seed(file, on_conflict="update")
    created = Campaign.objects.get(external_id="new")
    (entry,) = history_of(extended)
    after = entry.pop("after")
    assert entry == {
        "actor_type": "command", "actor_issuer": "", "actor_id": "seed_campaigns", "actor_name": after["operator"],
        "action": "campaign.seeded", "step_id": None, "before": None,
    }  # fmt: skip
    shared = {"run_id": after["run_id"], "sha256": after["sha256"], "source": str(file), "operator": after["operator"]}
    assert re.fullmatch("[0-9a-f]{64}", after["sha256"])
    assert after == {**shared, "campaign": "extended", "steps_added": 2, "steps_updated": 1}
    assert history_of(created)[0]["after"] == {**shared, "campaign": "created", "steps_added": 1, "steps_updated": 0}
    assert HistoryEntry.objects.count() == 2
