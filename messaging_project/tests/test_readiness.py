"""/readyz says whether the process can serve, and what keeps it from that."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from messaging_project import health
from messaging_project.health import _require_set_up
from messaging_project.postgresql.base import with_timeouts
from messaging_project.tests.identity_provider import IdentityProvider

pytestmark = pytest.mark.django_db
LIMITS = {"lock_timeout": 1_200, "statement_timeout": 30_000}


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    _require_set_up.cache_clear()
    yield
    _require_set_up.cache_clear()


@pytest.fixture
def timeouts(settings: Settings) -> None:
    """This session has what the sessions of a process that serves have."""
    settings.DATABASE_TIMEOUTS_MS = LIMITS
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name, value in LIMITS.items():
                cursor.execute(f"SET LOCAL {name} = {value}")


def readyz() -> tuple[int, Any]:
    answer = Client().get("/readyz", headers={"host": "10.0.0.7:8000"})
    return answer.status_code, answer.json()["faults"]


def test_a_process_that_lacks_nothing_is_ready(timeouts: None) -> None:
    assert readyz() == (200, [])


def database_check() -> list[tuple[str, str]]:
    """What `check --deploy --database default` says of the database."""
    found = run_checks(tags=[Tags.database], include_deployment_checks=True, databases=["default"])
    return [(str(message.id), message.msg) for message in found if str(message.id).startswith("messaging.")]


def test_migrations_that_the_database_or_the_service_lacks_are_told_until_both_have_them(timeouts: None) -> None:
    lacking = "The database lacks migrations: run `manage.py migrate`."
    newest = MigrationRecorder.Migration.objects.filter(app="campaigns").latest("id")
    newest.delete()
    assert (readyz(), database_check()) == ((503, [lacking]), [("messaging.E002", lacking)])
    newest.save(force_insert=True)
    assert (readyz(), database_check()) == ((200, []), [])
    MigrationRecorder(connection).record_applied("campaigns", "9999_newer")
    _require_set_up.cache_clear()
    said = "A newer version has migrated the database (campaigns.9999_newer): this one may serve beside it during an "
    said += "upgrade, or in its place to go back. Otherwise start the newer one."
    assert (readyz(), database_check()) == ((200, []), [("messaging.W002", said)])


@pytest.mark.postgresql
def test_rights_that_the_role_lacks_are_told_by_table_until_it_has_them(timeouts: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE narrow; GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow")
        cursor.execute("REVOKE INSERT, UPDATE ON campaigns_campaignstep FROM narrow")
        cursor.execute("REVOKE SELECT ON django_migrations FROM narrow; SET LOCAL ROLE narrow")
        lacking = {"INSERT, UPDATE": "campaigns_campaignstep", "SELECT": "django_migrations"}
        told = [
            f"The role narrow lacks {rights} on {table}: docs/operations.md has the GRANTs."
            for rights, table in lacking.items()
        ]
        assert (readyz(), database_check()) == ((503, told), [("messaging.E002", fault) for fault in told])
        cursor.execute("RESET ROLE; GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow; SET LOCAL ROLE narrow")
        assert (readyz(), database_check()) == ((200, []), [])


@pytest.mark.postgresql
@pytest.mark.parametrize("name", LIMITS)
def test_a_wait_without_an_end_is_told_by_name(timeouts: None, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {name} = 0")
    remedy = f"set DATABASE_{name.upper()}_MS, or behind PgBouncer ALTER ROLE … SET {name}."
    assert readyz() == (503, [f"{name} is 0: {remedy}"])


def test_a_provider_without_keys_is_told_until_it_has_them(
    timeouts: None, provider: IdentityProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACCESS_TOKENS = provider.settings()
    monkeypatch.setattr("messaging_project.api.key_server.PAUSE_SECONDS", 0)
    provider.status = 500
    assert readyz() == (503, ["The identity provider's keys can't be fetched."])
    provider.status = 200
    assert readyz() == (200, [])


@pytest.mark.parametrize("name", ["JWKS_URL", "HS256_KEY"])
def test_a_service_without_keys_is_told_which_variables_to_set(timeouts: None, settings: Settings, name: str) -> None:
    settings.ACCESS_TOKENS = {**settings.ACCESS_TOKENS, "JWKS_URL": "", "HS256_KEY": ""}
    remedy = "set JWT_JWKS_URL for an identity provider or JWT_HS256_KEY for one shared key, and JWT_ISSUER."
    said = f"No key for access tokens is set, so every call is a 401: {remedy}"
    assert readyz() == (503, [said])
    assert deployment_errors() == [said]
    settings.ACCESS_TOKENS |= {name: "set"}
    assert deployment_errors() == []


def deployment_errors() -> list[str]:
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    return [message.msg for message in found if message.is_serious()]


@pytest.mark.postgresql
@pytest.mark.parametrize("share", [0, 1], ids=["unset", "set"])
def test_the_deployment_check_sees_what_a_process_that_serves_would_have(settings: Settings, share: int) -> None:
    sent = {name: value * share for name, value in settings.DATABASE_TIMEOUTS_MS.items()}
    with psycopg.connect(**connection.get_connection_params()) as session:
        expected = [name for name, value in limits_of(session).items() if not (sent[name] or value)]
    settings.DATABASE_TIMEOUTS_MS = sent
    said = StringIO()
    call_command("check", "--deploy", "--database=default", stdout=said, stderr=said)
    assert [name for name in LIMITS if f"{name} is 0" in said.getvalue()] == expected


@pytest.mark.postgresql
def test_only_processes_that_serve_send_limits(settings: Settings) -> None:
    """Behind PgBouncer these don't either: the settings are 0, and all have their role's."""
    sent = {name: value for name, value in settings.DATABASE_TIMEOUTS_MS.items() if value}
    parameters = connection.get_connection_params()
    assert "options" not in parameters
    with psycopg.connect(**parameters) as plain, psycopg.connect(**with_timeouts(parameters)) as served:
        assert limits_of(served) == limits_of(plain) | sent


def limits_of(session: psycopg.Connection[Any]) -> dict[str, int]:
    rows = session.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY 1", [list(LIMITS)])
    return {name: int(milliseconds) for name, milliseconds in rows}


def test_a_page_that_needs_the_database_says_when_it_is_away() -> None:
    def away(*args: Any) -> Any:
        raise OperationalError("away")

    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    with connection.execute_wrapper(away):
        page: Any = client.get("/admin/")
        assert readyz() == (503, [health.UNANSWERED])
    assert (page.status_code, page.get("Retry-After")) == (503, "5")
    assert "The database doesn't answer right now." in page.content.decode()
