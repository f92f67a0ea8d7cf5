"""The files that the bulk commands write: which ones they refuse, and what becomes of what was there."""

import errno
import json
import os
import resource
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from campaigns.management import files
from campaigns.seeding import writers
from campaigns.tests.factories import make_campaign, stored
from campaigns.tests.seed_files import csv_file, export, row, seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return csv_file(tmp_path / "steps.csv", row(0))


@pytest.fixture
def database_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What SQLite's database would be to the commands."""
    file = tmp_path / "live.sqlite3"
    sqlite3.connect(file).execute("CREATE TABLE precious (n)").connection.close()
    monkeypatch.setattr(connection, "vendor", "sqlite")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    return file


# --- Files that aren't written to ------------------------------------------------------------------------------------


def the_same(file: Path) -> Path:
    return file


def a_symlink(file: Path) -> Path:
    (link := file.with_name("symlink")).symlink_to(file)
    return link


def a_hard_link(file: Path) -> Path:
    (link := file.with_name("hard link")).hardlink_to(file)
    return link


@pytest.mark.any_database
@pytest.mark.parametrize("name", [the_same, a_symlink, a_hard_link])
@pytest.mark.parametrize("option", ["errors", "report", "diff"])
def test_a_load_does_not_overwrite_its_input(option: str, name: Callable[[Path], Path], rows: Path) -> None:
    before, output = rows.read_bytes(), name(rows)
    said = seed(rows, **{"dry_run": option == "diff", option: str(output)})
    assert (said.code, said.message) == (2, f"--{option} {output} would overwrite the file to load.")
    assert (rows.read_bytes(), stored()) == (before, [])


@pytest.mark.any_database
@pytest.mark.parametrize("exists", [True, False])
def test_two_outputs_of_a_load_are_two_files(exists: bool, rows: Path, tmp_path: Path) -> None:
    file = tmp_path / "out"
    if exists:
        file.touch()
    said = seed(rows, errors=str(file), report=os.path.relpath(file))
    assert said.code == 2
    assert said.message.endswith("out would overwrite what --errors writes.")
    assert (file.exists(), stored()) == (exists, [])


@pytest.mark.any_database
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_no_output_overwrites_the_database(suffix: str, rows: Path, database_file: Path) -> None:
    file = f"{database_file}{suffix}"
    refusals = [
        seed(rows, errors=file),
        seed(rows, report=file),
        seed(rows, dry_run=True, diff=file),
        seed(campaigns=1, steps=1, output=file, format="csv"),
    ]
    assert [(said.code, said.message.partition(" ")[2]) for said in refusals] == [
        (2, f"{file} would overwrite the database.")
    ] * 4
    with pytest.raises(CommandError, match=r"--output .* would overwrite the database\.") as refused:
        export("-o", file)
    assert refused.value.returncode == 2
    assert sqlite3.connect(database_file).execute("SELECT name FROM sqlite_schema").fetchall() == [("precious",)]


# --- What an export replaces -----------------------------------------------------------------------------------------


@pytest.mark.any_database
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o400])
def test_an_export_keeps_the_mode_of_what_it_replaces_and_the_link_to_it(mode: int, tmp_path: Path) -> None:
    make_campaign(steps=1)
    file = tmp_path / "export.csv"
    file.write_text("the one of yesterday")
    file.chmod(mode)
    link = a_symlink(file)
    export("-o", str(link))
    assert (link.is_symlink(), file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (True, export(), mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.csv", "symlink"]


@pytest.mark.any_database
def test_an_export_is_written_to_a_pipe_that_stays(tmp_path: Path) -> None:
    make_campaign(steps=1)
    os.mkfifo(pipe := tmp_path / "pipe.csv")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    export("-o", str(pipe))
    assert (os.read(reader, 65_536).decode(), pipe.is_fifo()) == (export(), True)
    os.close(reader)


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["stdout.csv", "log.csv"])
def test_an_export_adds_to_what_standard_output_is_already(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_campaign(steps=1)
    (log := tmp_path / "log.csv").write_text("before\n")
    (tmp_path / "stdout.csv").symlink_to("/dev/fd/1")  # as /dev/stdout is, which a faulty export would replace
    monkeypatch.chdir(tmp_path)
    kept = os.dup(writers.STANDARD_OUTPUT)
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), writers.STANDARD_OUTPUT)
        export("-o", name)
    finally:
        os.dup2(kept, writers.STANDARD_OUTPUT)
        os.close(kept)
    assert log.read_text() == f"before\n{export()}"


@pytest.mark.any_database
def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign(steps=1)
    monkeypatch.chdir(tmp_path)
    assert export("-o", "-") == export()
    assert list(tmp_path.iterdir()) == []


# --- A full disk -----------------------------------------------------------------------------------------------------


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: what the system says of it is as good as a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("position", "options", "code", "ending"),
    [
        (0, {}, 2, "The load is committed."),
        (0, {"dry_run": True}, 2, "Nothing was written."),
        (-1, {}, 1, "1 row was refused. Nothing was written."),
    ],
    ids=["loaded", "dry run", "refused"],
)
def test_a_report_that_cannot_be_written_does_not_hide_how_the_load_ended(
    position: int, options: dict[str, Any], code: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report"
    write = files.OutputFile.write

    def full_under_the_report(file: files.OutputFile, text: str) -> None:
        with full_disk() if file._path == str(report) else nullcontext():
            write(file, text)

    monkeypatch.setattr(files.OutputFile, "write", full_under_the_report)
    said = seed(csv_file(tmp_path / "steps.csv", row(position)), report=str(report), **options)
    assert (said.code, said.message) == (code, f"{report}: File too large. {ending}")
    assert bool(stored()) == (ending == "The load is committed.")


class FullDisk(StringIO):
    """As standard output is that is buffered: it can't tell before it is flushed."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("dry_run", "ending"),
    [(False, "The load is committed."), (True, "Nothing was written.")],
    ids=["loaded", "dry run"],
)
def test_a_summary_that_cannot_be_written_does_not_hide_how_the_load_ended(
    dry_run: bool, ending: str, rows: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    message = f"standard output: No space left on device. {ending}"
    with pytest.raises(CommandError, match=message) as failed:
        call_command("seed_campaigns", str(rows), dry_run=dry_run, report=str(report), stdout=FullDisk())
    told = json.loads(report.read_text())
    assert (failed.value.returncode, bool(stored()), told["written"]) == (2, not dry_run, not dry_run)
    assert (told["outcome"], told["exit_code"], told["message"]) == ("failed", 2, message)


@pytest.mark.any_database
def test_synthetic_data_that_cannot_be_written_names_its_file(tmp_path: Path) -> None:
    with full_disk():
        said = seed(campaigns=1, steps=1, output=str(tmp_path / "made.csv"))
    assert (said.code, said.message) == (2, f"{tmp_path / 'made.csv'}: File too large.")
    assert list(tmp_path.iterdir()) == []
