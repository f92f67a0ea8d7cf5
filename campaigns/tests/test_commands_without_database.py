"""A command whose database can't be used says so in one sentence, with exit code 2."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from pytest_django import DjangoDbBlocker

from campaigns.management.command import Command as DomainCommand
from campaigns.tests.databases import as_default
from messaging_project.commands import Command

pytestmark = pytest.mark.any_database
COMMANDS = {
    "check_steps": [],
    "export_campaigns": [],
    "freeze_revisions": [],
    "prune": [],
    "prune_history": ["--older-than", "9"],
    "prune_idempotency_keys": [],
    "seed_campaigns": ["--campaigns", "1", "--steps", "1"],
}
NEED_NO_DATABASE = {"issue_token", "serve_metrics"}
DEMO = {"load_demo"}  # leaves any database but the demo's alone


def damaged(file: Path, _: ExitStack) -> str:
    file.write_bytes(b"no database" * 1_000)
    return "file is not a database"


def locked(file: Path, until_closed: ExitStack) -> str:
    until_closed.enter_context(closing(sqlite3.connect(file, isolation_level=None))).execute("BEGIN EXCLUSIVE")
    return "database is locked"


def unmigrated(_: Path, __: ExitStack) -> str:
    return "no such table: "


def message(name: str) -> str:
    with pytest.raises(CommandError) as raised:
        call_command(name, *COMMANDS[name], stdout=StringIO(), stderr=StringIO())
    assert raised.value.returncode == 2
    return str(raised.value)


@pytest.mark.parametrize("make", [damaged, locked, unmigrated])
@pytest.mark.parametrize("name", COMMANDS)
def test_sqlite_that_cannot_be_used_is_one_sentence(
    name: str, make: Callable[[Path, ExitStack], str], tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    file, options = tmp_path / "db.sqlite3", {"timeout": 0, "transaction_mode": "IMMEDIATE"}
    with ExitStack() as until_closed, django_db_blocker.unblock():
        said = make(file, until_closed)
        until_closed.enter_context(as_default("messaging_project.sqlite", NAME=file, OPTIONS=options))
        told = message(name)
    what = "load" if name == "seed_campaigns" else "command"
    assert told.startswith(f"The database ended the {what}: {said}")
    assert (told.count("\n"), told[-1]) == (0, ".")


@pytest.mark.parametrize("name", COMMANDS)
def test_where_no_database_is_none_is_made_and_the_remedy_is_named(
    name: str, tmp_path: Path, django_db_blocker: DjangoDbBlocker, capsys: pytest.CaptureFixture[str]
) -> None:
    command = load_command_class(get_commands()[name], name)
    for file in (tmp_path / "db.sqlite3", tmp_path / "folder" / "db.sqlite3"):
        database = as_default("messaging_project.sqlite", NAME=file)
        with django_db_blocker.unblock(), database, pytest.raises(SystemExit) as ended:
            command.run_from_argv(["manage.py", name, *COMMANDS[name]])
        said = f"There is no database at {file}: set DATABASE_URL, or make one with `python manage.py migrate`."
        ending = " Nothing was written." if name == "seed_campaigns" else ""
        assert (ended.value.code, *capsys.readouterr()) == (2, "", f"CommandError: {said}{ending}\n")
    assert [*tmp_path.iterdir()] == []


def test_a_postgresql_that_is_away_is_one_sentence() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgres://x@127.0.0.1:1/x"}
    command = [sys.executable, "manage.py", "check_steps"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert re.fullmatch(
        r"CommandError: The database ended the command: connection failed: .* Connection refused\.\n", done.stderr
    )


def test_every_command_of_the_project_is_such_a_command() -> None:
    ours = {name: app for name, app in get_commands().items() if app in ("campaigns", "messaging_project.api")}
    assert [name for name, app in ours.items() if not isinstance(load_command_class(app, name), Command)] == []
    assert {*ours} == {*COMMANDS} | NEED_NO_DATABASE | DEMO
    of_the_app = [name for name, app in ours.items() if app == "campaigns"]
    lacking = [name for name in of_the_app if not isinstance(load_command_class("campaigns", name), DomainCommand)]
    assert lacking == [], "campaigns.management.command.Command tells what the domain refuses"
