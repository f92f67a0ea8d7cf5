"""The bulk commands as an operator meets them: on a terminal, with bars, faults and Ctrl-C."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.models import CampaignStep
from campaigns.tests.factories import make_campaign, stored
from campaigns.tests.seed_files import HEADER, campaigns, csv_file, export, json_file, record, row
from campaigns.tests.terminal import CTRL_C, CTRL_D, on_a_terminal

pytestmark = pytest.mark.django_db(transaction=True)
SUMMARY = re.compile(
    r"(?:Dry run, nothing written: )?([\d,]+) rows in [\d.]+ s .* stored campaigns locked for [\d.]+ s\."
)
TYPED = ("-", "--format", "csv")


def zipped(file: Path) -> Path:
    compressed = file.with_name(f"{file.name}.gz")
    compressed.write_bytes(gzip.compress(file.read_bytes()))
    return compressed


def load(*arguments: object, piped: str | None = None, typed: str | None = None) -> tuple[int, list[str]]:
    """The exit code of seed_campaigns, and the screen that it leaves."""
    with on_a_terminal("seed_campaigns", *arguments, piped=piped is not None) as terminal:
        if terminal.pipe and piped is not None:
            terminal.pipe.write(piped.encode())
        if typed is not None:
            terminal.type(typed.encode() + CTRL_D)
        return terminal.end()


def csv_text(*rows: str) -> str:
    return "".join(f"{line}\n" for line in (HEADER, *rows))


# How the first `count` steps of one campaign are given to the command.
SOURCES: dict[str, Callable[[Path, int], tuple[int, list[str]]]] = {
    "csv": lambda folder, count: load(csv_file(folder / "steps.csv", *map(row, range(count)))),
    "csv.gz": lambda folder, count: load(zipped(csv_file(folder / "steps.csv", *map(row, range(count))))),
    "jsonl": lambda folder, count: load(json_file(folder / "steps.jsonl", *map(record, range(count)))),
    "jsonl.gz": lambda folder, count: load(zipped(json_file(folder / "steps.jsonl", *map(record, range(count))))),
    "piped": lambda _, count: load(*TYPED, piped=csv_text(*map(row, range(count)))),
    "typed": lambda _, count: load(*TYPED, typed=csv_text(*map(row, range(count)))),
    "synthetic": lambda _, count: load("--campaigns", 1, "--steps", count),
    "batches": lambda folder, count: load(
        csv_file(folder / "steps.csv", *map(row, range(count))), "--commit-every", "1"
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_load_ends_with_its_summary_for_new_and_for_stored_campaigns(source: str, tmp_path: Path) -> None:
    for count in (2, 3):  # the second load extends what the first has made
        code, screen = SOURCES[source](tmp_path, count)
        assert code == 0
        assert SUMMARY.fullmatch(screen[-1]), screen
        assert any(line.startswith("Checking") for line in screen)
        assert [steps for *_, steps in campaigns()] == [count]
    assert any(line.startswith("Writing") for line in screen)


@pytest.mark.parametrize(("source", "options"), [("piped", TYPED), ("synthetic", ("--campaigns", 1, "--steps", 2))])
def test_a_dry_run_says_so_and_writes_nothing(source: str, options: tuple[object, ...]) -> None:
    code, screen = load(*options, "--dry-run", piped=csv_text(row(0), row(1)))
    assert code == 0
    assert (screen[-1].startswith("Dry run, nothing written: 2 rows in "), stored()) == (True, [])


@pytest.mark.parametrize("options", [(), ("--skip-invalid",)], ids=["all or nothing", "skip invalid"])
@pytest.mark.parametrize("stored_before", [False, True])
def test_faults_stand_between_the_bars(stored_before: bool, options: tuple[str, ...], tmp_path: Path) -> None:
    if stored_before:
        make_campaign(external_id="c")
    errors = tmp_path / "errors.jsonl"
    code, screen = load(*TYPED, "--errors", errors, *options, piped=csv_text(row(0), row(-1), row(1)))
    assert code == 1
    assert "<stdin>:3: position: Must be 0 or more." in screen
    assert errors.read_text().count("\n") == 1
    assert screen[-1] == "CommandError: 1 row was refused." + ("" if options else " Nothing was written.")
    assert CampaignStep.objects.count() == (2 if options else 0)


def test_verbosity_0_leaves_an_empty_screen() -> None:
    assert load("--campaigns", 1, "--steps", 2, "--verbosity", 0) == (0, [])
    assert CampaignStep.objects.count() == 2


def test_ctrl_c_ends_a_load_with_a_word_about_what_was_written() -> None:
    with on_a_terminal("seed_campaigns", *TYPED, piped=True) as terminal:
        assert terminal.pipe
        terminal.pipe.write(csv_text(*map(row, range(20_000))).encode())  # more than a pipe holds
        terminal.wait_for("Checking")
        terminal.type(CTRL_C)
        code, screen = terminal.end()
    assert (code, screen[-1]) == (130, "CommandError: Interrupted. Nothing was written.")
    assert not any("Traceback" in line for line in screen)
    assert stored() == []


def test_an_export_shows_the_rows_and_nothing_else() -> None:
    make_campaign(steps=2)
    with on_a_terminal("export_campaigns") as terminal:
        assert terminal.end() == (0, export().splitlines())


def test_synthetic_data_is_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "made.csv"
    code, screen = load("--campaigns", 1, "--steps", 2, "--output", file)
    assert (code, screen) == (0, [f"2 rows written to {file}."])
    assert file.read_text().count("\n") == 3
