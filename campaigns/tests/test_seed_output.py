"""What `manage.py seed_campaigns` tells: on the screen, in its log and in its report."""

import io
import json
import logging
import re
import signal
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from campaigns.management import progress
from campaigns.management.commands.seed_campaigns import Command
from campaigns.management.outputs import Report
from campaigns.seeding.loading import Load
from campaigns.seeding.rows import COLUMNS
from campaigns.tests.factories import make_campaign, make_step
from campaigns.tests.seed_files import campaigns, csv_file, row, seed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug")]


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        ([row(0), row(1)], {}, {"outcome": "done", "exit_code": 0, "written": True, "steps_added": 2, "refused": 0}),
        ([row(0)], {"dry_run": True}, {"outcome": "done", "exit_code": 0, "written": False, "steps_added": 1}),
        ([row(0), row(-1)], {}, {"outcome": "refused", "exit_code": 1, "written": False, "faults": 1, "refused": 1}),
        (
            [row(0), row(-1)],
            {"dry_run": True},
            {
                "outcome": "refused", "written": False, "steps_added": 1,
                "message": "1 row was refused. Only with --skip-invalid would the other rows be loaded.",
            },
        ),
        ([], {}, {"outcome": "failed", "exit_code": 2, "written": False, "rows": 0}),
    ],
    ids=["loaded", "dry run", "refused", "dry run, refused", "empty"],
)  # fmt: skip
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


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("before", "told"),
    [(lambda *_: None, ("interrupted", 130, False)), (signal.SIG_IGN, ("done", 0, True))],
    ids=["at a terminal", "under nohup"],
)
def test_a_lost_session_ends_a_load_with_its_report_unless_it_is_ignored(
    before: Any, told: tuple[Any, ...], csv_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, content = Load._finish, Report._content

    def finished(*given: Any) -> None:
        finish(*given)
        signal.raise_signal(signal.SIGHUP)

    def content_after_another(*given: Any) -> Any:
        signal.raise_signal(signal.SIGHUP)
        return content(*given)

    monkeypatch.setattr(Load, "_finish", finished)
    monkeypatch.setattr(Report, "_content", content_after_another)
    kept = signal.signal(signal.SIGHUP, before)
    try:
        said = seed(csv_file(csv_path, row(0)), report=str(tmp_path / "report.json"))
        assert signal.getsignal(signal.SIGHUP) is before
    finally:
        signal.signal(signal.SIGHUP, kept)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["outcome"], report["exit_code"], report["written"]) == told
    assert said.code == told[1]


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


def test_help_shows_the_columns_and_an_example_that_loads(csv_path: Path) -> None:
    shown = Command().create_parser("manage.py", "seed_campaigns").format_help()
    columns, example = shown.partition("columns of a file")[2].split("example:")
    assert [line.split()[0] for line in columns.splitlines()[1:] if line] == list(COLUMNS)
    csv_path.write_text(dedent(example).lstrip())
    assert seed(csv_path).code == 0
    assert campaigns() == [("spring", "Spring sale", "draft", 2)]
