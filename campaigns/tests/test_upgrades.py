"""A backup is restored to the same data, and the version before serves beside this one."""

import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField
from psycopg import sql

from campaigns.tests.factories import history_of, make_campaign, positions, step_body
from campaigns.tests.server import running_server, url_of_test_database
from scripts.machine import postgresql_binaries

PINNED = ("--no-deps", "--require-hashes", "--only-binary=:all:")
BASE = Path(settings.BASE_DIR)
PLAIN = "granian --interface wsgi --blocking-threads 4 messaging_project.wsgi:application"  # any version takes that
MIGRATIONS = ("campaigns/migrations/*.py", "messaging_project/api/migrations/*.py")


# --- Backup and restore ----------------------------------------------------------------------------------------------


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The address of a database beside the tests' own, for the role that owns it."""
    url = url_of_test_database()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE ROLE restorer LOGIN PASSWORD 'secret'")
        session.execute("CREATE DATABASE restored OWNER restorer")
        yield re.sub("//.*@", "//restorer:secret@", f"{url.rpartition('/')[0]}/restored")
        session.execute("DROP DATABASE restored WITH (FORCE)")
        session.execute("DROP ROLE restorer")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_restored_backup_has_the_same_data_and_serves(empty_database: str, tmp_path: Path) -> None:
    campaign = make_campaign(steps=3)
    before, dump = rows(url_of_test_database()), tmp_path / "messaging.dump"

    # As docs/operations.md has it.
    postgresql("pg_dump", "--format=custom", f"--file={dump}", url_of_test_database())
    restored = f"{url_of_test_database().rpartition('/')[0]}/restored"
    as_owner = ("--no-owner", "--role=restorer")
    postgresql("pg_restore", "--exit-on-error", *as_owner, f"--dbname={restored}", str(dump))
    migrated = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=BASE,
        env=os.environ | {"DATABASE_URL": empty_database},
        check=False,
    )
    assert (rows(empty_database), migrated.returncode) == (before, 0)
    with running_server(tmp_path / "log", empty_database) as server:
        answer = server.post(f"/v1/messaging/campaigns/{campaign.id}/steps", step_body(3))
    assert answer.status == 201
    assert positions(campaign) == [0, 1, 2]  # the one that it was taken of


def postgresql(program: str, *options: str) -> None:
    subprocess.run([str(postgresql_binaries() / program), *options], check=True)


def rows(url: str) -> dict[str, list[tuple[str]]]:
    """Every row of every table, as text."""
    with psycopg.connect(url) as session:
        tables = session.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
        found = {}
        for (table,) in tables:
            statement = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
            found[str(table)] = session.execute(statement).fetchall()
    return found


# --- Two versions side by side ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_version_before_the_newest_migration_serves_beside_this_one(tmp_path: Path) -> None:
    before = version_before_the_newest_migration()
    if before is None:
        pytest.skip("without the history of git the version before can't be had")
    (tmp_path / "before").mkdir()
    with tarfile.open(fileobj=io.BytesIO(before)) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    packages = str(install_lacking(tmp_path / "before" / "requirements.txt", tmp_path / "packages"))
    campaign, database = make_campaign(), url_of_test_database()

    with (
        running_server(tmp_path / "now.log", database) as now,
        running_server(
            tmp_path / "before.log", database, command=PLAIN, folder=str(tmp_path / "before"), PYTHONPATH=packages
        ) as old,
    ):
        path = f"/v1/messaging/campaigns/{campaign.id}/steps"
        written = [server.post(path, step_body(position)) for position, server in enumerate((old, now, old, now))]
        read = [[step["position"] for step in server.get(path).json()["results"]] for server in (old, now)]

    assert [answer.status for answer in written] == [201] * 4
    assert read == [[0, 1, 2, 3]] * 2
    assert [entry["action"] for entry in history_of(campaign)] == ["step.added"] * 4


def version_before_the_newest_migration() -> bytes | None:
    """The tree of the commit before the one that added it, as a tar file."""
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", *MIGRATIONS).decode().strip()
    return git("archive", f"{added}^") or None if added else None


def install_lacking(requirements: Path, folder: Path) -> Path:
    """Put those packages of an older version into a folder that aren't among today's."""
    today = {str(found.name).lower().replace("_", "-") for found in metadata.distributions()}
    pins = re.findall(r"^([\w.-]+)(\S*==.*(?:\n +--hash.*)+)", requirements.read_text(), re.MULTILINE)
    if lacking := [name + pin for name, pin in pins if name.lower() not in today and ";" not in pin]:
        listed = folder.with_suffix(".txt")
        listed.write_text("\n".join(lacking))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries=0", *PINNED]
        if subprocess.run([*pip, f"--target={folder}", f"--requirement={listed}"], check=False).returncode:
            pytest.skip("the version before needs packages that aren't installed any longer, and no index gives them")
    return folder


def git(*command: str) -> bytes:
    """What git says; nothing where there is no history."""
    try:
        return subprocess.run(["git", *command], cwd=BASE, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def test_a_new_column_has_a_default_in_the_database_or_may_be_null() -> None:
    """So that the version before can go on inserting rows without it."""
    added = [
        (migration.name, operation.name, operation.field)
        for (app, _), migration in MigrationLoader(None).disk_migrations.items()
        if app in ("campaigns", "messaging_api")
        for operation in migration.operations
        if isinstance(operation, AddField)
    ]
    assert [(where, name) for where, name, field in added if not (field.null or field.has_db_default())] == []
