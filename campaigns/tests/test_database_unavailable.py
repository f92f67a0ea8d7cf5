"""What the database can't do now is a 503, by whatever code it says so; what it refuses for good is a 500."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from campaigns.models import Campaign
from campaigns.tests.admin.pages import errors_of, opened, save
from campaigns.tests.api import ROOT, campaign_url
from campaigns.tests.databases import as_default
from campaigns.tests.factories import make_campaign, step_body, stored
from campaigns.tests.races import wait_until_ended
from campaigns.tests.seed_files import csv_file, export, row, seed
from campaigns.tests.test_operations_by_status import OPERATIONS
from messaging_project.api.models import IdempotentAnswer
from messaging_project.watchdog import watchdog

UNAVAILABLE = (
    503,
    "5",
    {"error": "unavailable", "message": "The database can't answer right now. Try again in 5 seconds."},
)
NOBODY_KNOWS = " A write may have happened: repeat it with the same Idempotency-Key."


def whole(answer: Any) -> Any:
    """A 503 whole, of others the status."""
    return (503, answer["Retry-After"], answer.json()) if answer.status_code == 503 else answer.status_code


# --- By SQLSTATE -----------------------------------------------------------------------------------------------------

ADDS = {
    "one statement": lambda client, campaign: client.post(campaign_url(campaign, "/steps"), step_body(9)),
    "a transaction": lambda client, campaign: client.post(
        campaign_url(campaign, "/steps?on_conflict=shift"), step_body(9)
    ),
}
NOT_NOW = (
    "08006", "08P01", "25006", "25P03", "25P04", "40001", "40003", "40P01", "53000", "53100", "53200", "53300", "53400",
    "55P03", "57000", "57014", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01", "72000",
)  # fmt: skip
NOT_SO = ("0A000", "22012", "25001", "25P02", "40002", "42501", "54000", "55000", "P0001", "XX000", "XX001")


@pytest.mark.postgresql
@pytest.mark.django_db
@pytest.mark.parametrize("how", ADDS)
@pytest.mark.parametrize("sqlstate", NOT_NOW)
def test_what_postgresql_cannot_do_now_is_a_503(client: APIClient, sqlstate: str, how: str) -> None:
    campaign = make_campaign()
    refuse_inserts(sqlstate)
    status, retry_after, body = UNAVAILABLE
    if sqlstate.startswith(("08", "57P", "40003")):  # the connection was lost, or the answer
        body = body | {"message": body["message"] + NOBODY_KNOWS}
    assert whole(ADDS[how](client, campaign)) == (status, retry_after, body)


@pytest.mark.postgresql
@pytest.mark.django_db
@pytest.mark.parametrize("how", ADDS)
@pytest.mark.parametrize("sqlstate", NOT_SO)
def test_what_postgresql_refuses_for_good_is_a_500(client: APIClient, sqlstate: str, how: str) -> None:
    campaign = make_campaign()
    refuse_inserts(sqlstate)
    assert whole(ADDS[how](client, campaign)) == 500


@pytest.mark.postgresql
@pytest.mark.django_db
def test_what_keeps_an_idempotency_key_from_being_kept_is_no_other_use_of_it(client: APIClient) -> None:
    refuse_inserts("53100", IdempotentAnswer._meta.db_table)
    assert whole(client.post(ROOT, {"name": "New"}, headers={"Idempotency-Key": "k"})) == UNAVAILABLE


def refuse_inserts(sqlstate: str, table: str = "campaigns_campaignstep") -> None:
    """From now on the server raises this on every INSERT there, until the test's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$"
        )
        cursor.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()")


# --- Timeouts --------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_session_that_the_server_ends_for_idling_in_a_transaction_is_a_503(client: APIClient) -> None:
    campaign = make_campaign(steps=1)

    def idle(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO campaigns_historyentry" in sql:
            session = connection.connection
            session.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            wait_until_ended(session.info.backend_pid)
        return execute(sql, params, many, context)

    before = stored()
    with connection.execute_wrapper(idle):
        answer = client.patch(campaign_url(campaign), {"name": "Renamed"})
    assert whole(answer) == UNAVAILABLE
    assert stored() == before


# --- A database that takes no writes ---------------------------------------------------------------------------------


@contextmanager
def read_only() -> Iterator[None]:
    """This session may not write, by the means of the database itself."""
    setting = "PRAGMA query_only = {}" if connection.vendor == "sqlite" else "SET default_transaction_read_only = {}"
    with connection.cursor() as cursor:
        cursor.execute(setting.format("on"))
    try:
        yield
    finally:
        with connection.cursor() as cursor:  # PgBouncer gives the session to others
            cursor.execute(setting.format("off"))
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]  # the session may be in it


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_read_only_database_answers_reads_and_refuses_writes(
    client: APIClient, name: str, headers: dict[str, str]
) -> None:
    operation = OPERATIONS[name]
    campaign = make_campaign(status=operation.allowed[0], steps=2)
    before = stored()
    with read_only():
        answer = operation.call(client, campaign, **headers)
    assert whole(answer) == (UNAVAILABLE if operation.writes else 200)
    assert stored() == before


@pytest.mark.django_db(transaction=True)
def test_no_campaign_is_created_in_a_read_only_database(client: APIClient) -> None:
    with read_only():
        answer = client.post(ROOT, {"name": "New", "steps": [step_body(0)]})
    assert whole(answer) == UNAVAILABLE
    assert not Campaign.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_staff_are_told_that_a_read_only_database_takes_no_changes() -> None:
    ada, campaign = Client(), make_campaign(steps=1)
    ada.force_login(User.objects.create_superuser("ada"))
    form = opened(ada, campaign) | {"name": "Renamed"}
    before = stored()
    with read_only():
        answer = save(ada, campaign, form)
    said = "The database takes no changes right now, and nothing was saved: try again later."
    assert (answer.status_code, errors_of(answer)) == (200, {"__all__": [said]})
    assert stored() == before


ENDED_AT_COMMIT = """
CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER end_session AFTER UPDATE ON campaigns_campaign
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_session()
"""


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_staff_are_told_to_look_where_the_connection_was_lost_at_the_end() -> None:
    ada, campaign = Client(raise_request_exception=False), make_campaign(steps=1)
    ada.force_login(User.objects.create_superuser("ada"))
    form = opened(ada, campaign) | {"name": "Renamed"}
    with connection.cursor() as cursor:
        cursor.execute(ENDED_AT_COMMIT)
    try:
        answer = save(ada, campaign, form)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION end_session CASCADE")
    assert answer.status_code == 503
    assert "look before you send it again" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_ends_a_load_with_a_sentence_and_is_exported(tmp_path: Path) -> None:
    make_campaign(external_id="c", steps=1)
    exported, before = export(), stored()
    with read_only():
        said = seed(csv_file(tmp_path / "steps.csv", row(1)))
        assert export() == exported
    assert said.code == 2
    assert said.message.startswith("The database ended the load: ")
    assert said.message.endswith(" Nothing was written.")
    assert stored() == before


# --- A file that isn't there -----------------------------------------------------------------------------------------


@pytest.mark.any_database
def test_a_process_that_serves_makes_no_empty_database_where_its_file_was(
    client: APIClient, tmp_path: Path, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "serves", True)
    (file := tmp_path / "100%?.sqlite3").touch()
    with django_db_blocker.unblock(), as_default("messaging_project.sqlite", NAME=file):
        assert whole(client.get(ROOT)) == 500  # no such table: in a database that is there, a fault of the program
        connection.close()
        file.unlink()
        for answer in (client.get(ROOT), client.post(ROOT, {"name": "New"})):
            assert whole(answer) == UNAVAILABLE
    assert not [*tmp_path.iterdir()]


@pytest.mark.postgresql
def test_a_pool_that_is_taken_away_between_two_steps_is_made_anew() -> None:
    pools: Any = connection._connection_pools  # type: ignore[attr-defined]
    pool = pools.pop("default")
    try:
        assert pools["default"] is connection.pool  # type: ignore[attr-defined]
        assert pools["default"] is not pool
    finally:
        pools["default"] = pool
