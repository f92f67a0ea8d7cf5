"""The files that the bulk commands write: which ones they refuse, and what becomes of what was there."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection

from campaigns.tests.factories import stored
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
