"""The settings, each in a process of its own: what they read, and that a bad value stops the start with the remedy."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from messaging_project.environment import Environment

ROOT = Path(__file__).parents[2]
SECRET = "s" * 20 + "0123456789" * 4
PRODUCTION = {
    "DJANGO_SECRET_KEY": SECRET,
    "DJANGO_ALLOWED_HOSTS": "messaging.example.com",
    "DATABASE_URL": "sqlite:////srv/messaging.sqlite3",
}
pytestmark = pytest.mark.any_database


def read_settings(variables: dict[str, str], *names: str) -> subprocess.CompletedProcess[str]:
    """Import the settings with nothing but these variables, and print those named as JSON."""
    values = f"[getattr(s, name, None) for name in {names}]"
    return run_with(variables, f"import json; from messaging_project import settings as s; print(json.dumps({values}))")


def run_with(variables: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=inherited | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"DJANGO_SECRET_KEY": SECRET[:49]}, "set it to a random string of at least 50 characters"),
        ({"DJANGO_ALLOWED_HOSTS": "messaging.example.com"}, "set DJANGO_SECRET_KEY too"),
        (
            PRODUCTION | {"DJANGO_ALLOWED_HOSTS": "a.example.com, https://b.example.com"},
            "has 'https://b.example.com': set it",
        ),
        (PRODUCTION | {"DJANGO_ALLOWED_HOSTS": "b.example.com:443"}, "set it to comma-separated host names, such as"),
        (
            {"DJANGO_CSRF_TRUSTED_ORIGINS": "admin.example.com"},
            "DJANGO_CSRF_TRUSTED_ORIGINS has 'admin.example.com': set it to comma-separated origins, such as https://",
        ),
        ({"DJANGO_CSRF_TRUSTED_ORIGINS": "https://admin.example.com/"}, "has 'https://admin.example.com/': set it"),
        ({"EMAIL_URL": "smtps://mail.example.com", "EMAIL_FROM": "nope"}, "set EMAIL_FROM to the address"),
        ({"DJANGO_DEBUG": "maybe"}, "DJANGO_DEBUG is 'maybe': set it to 1 or 0"),
        ({"DJANGO_HTTPS": "tls"}, "DJANGO_HTTPS is 'tls': set it to 1 or 0"),
        (PRODUCTION | {"DJANGO_HSTS_SECONDS": "1y"}, "DJANGO_HSTS_SECONDS is '1y': set it to a whole number from 0"),
        ({"DJANGO_TRUST_X_FORWARDED_PROTO": "x"}, "DJANGO_TRUST_X_FORWARDED_PROTO is 'x': set it to 1 or 0"),
        (
            PRODUCTION | {"DATABASE_URL": ""},
            "DATABASE_URL is not set, and DJANGO_SECRET_KEY is: set it to postgres://user:password@host:5432/name or s",
        ),
        ({"DATABASE_URL": "postgres://127.0.0.1:5432/"}, "DATABASE_URL doesn't name a database: set it to postgres://"),
        ({"DATABASE_URL": "oracle://db/name"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://db/name"}, "use postgres:// or sqlite://"),
        ({"DATABASE_URL": "nonsense"}, "set it to postgres://user:password@host:5432/name or sqlite:////absolute/path"),
        (
            {"DATABASE_BUSY_TIMEOUT_SECONDS": "0"},
            "DATABASE_BUSY_TIMEOUT_SECONDS is '0': set it to a whole number from 1",
        ),
        (
            {"DATABASE_URL": "postgres://db/name", "DATABASE_POOL_MIN_SIZE": "-1"},
            "DATABASE_POOL_MIN_SIZE is '-1': set it to a whole number from 0",
        ),
        (
            {"DATABASE_URL": "postgres://db/name", "DATABASE_POOL_MAX_SIZE": "0"},
            "DATABASE_POOL_MAX_SIZE is '0': set it to a whole number from 1",
        ),
        (
            {"DATABASE_URL": "postgres://db/name", "DATABASE_POOL_MIN_SIZE": "11"},
            "DATABASE_POOL_MIN_SIZE is 11, more than DATABASE_POOL_MAX_SIZE, which is 10: set one of them",
        ),
        (
            {"DATABASE_URL": "postgres://db/name", "DATABASE_POOL_TIMEOUT_SECONDS": "5s"},
            "DATABASE_POOL_TIMEOUT_SECONDS is '5s': set it to a whole number from 1",
        ),
        (
            {"DATABASE_URL": "postgres://db/name", "DATABASE_LOCK_TIMEOUT_MS": "5s"},
            "DATABASE_LOCK_TIMEOUT_MS is '5s': set it to a whole number from 0",
        ),
        ({"JWT_LEEWAY_SECONDS": "half"}, "JWT_LEEWAY_SECONDS is 'half': set it to a whole number from 0"),
        ({"EMAIL_URL": "smtps://mail.example.com"}, "set EMAIL_FROM to the address that mails come from"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD': set it to one of DEBUG, INFO, WARNING, ERROR"),
        ({"DEMO": "perhaps"}, "DEMO is 'perhaps': set it to 1 or 0"),
    ],
    ids=lambda value: next(reversed(value)) if isinstance(value, dict) else "",
)
def test_a_bad_value_stops_the_start_with_the_remedy(variables: dict[str, str], remedy: str) -> None:
    answer = read_settings(variables)

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert remedy in answer.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["check", "seed_campaigns"], ids=["of Django", "of the project"])
def test_a_command_says_it_in_one_line_with_exit_code_2(command: str) -> None:
    script, bad = [sys.executable, "manage.py", command], {"DJANGO_DEBUG": "maybe"}
    answer = subprocess.run(script, cwd=ROOT, env=bad, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stderr) == (2, "DJANGO_DEBUG is 'maybe': set it to 1 or 0.\n")


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"API_REQUIRED_SCOPES": "addstep=campaigns:write"}, "API_REQUIRED_SCOPES names the operation addstep, which"),
        ({"API_THROTTLES": "addStepp=5/second"}, "API_THROTTLES names the operation addStepp, which does not exist"),
        ({"TEMPLATE_CATALOGUE": "nope.Nope"}, "TEMPLATE_CATALOGUE is 'nope.Nope', which can't be used"),
        ({"TEMPLATE_CATALOGUE_STRICT": "1"}, "TEMPLATE_CATALOGUE_STRICT is set, and TEMPLATE_CATALOGUE isn't"),
    ],
    ids=lambda value: next(reversed(value)) if isinstance(value, dict) else "",
)
def test_what_only_the_code_can_tell_stops_a_server_too(variables: dict[str, str], remedy: str) -> None:
    answer = run_with(variables, "import messaging_project.wsgi")

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert remedy in answer.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:hunter2@db:notaport/name",
        "postgres://user:hunter2/unescaped@db/name",
        "nonsense://user:hunter2@db/name",
    ],
)
def test_a_bad_database_url_is_not_repeated_with_its_password(url: str) -> None:
    answer = read_settings({"DATABASE_URL": url})

    assert answer.returncode == 1
    assert "DATABASE_URL" in answer.stderr
    assert "hunter2" not in answer.stderr


def settings_with(variables: dict[str, str], *names: str) -> list[Any]:
    answer = read_settings(variables, *names)
    assert answer.returncode == 0, answer.stderr
    values: list[Any] = json.loads(answer.stdout)
    return values


def test_without_any_variable_the_project_is_local_and_closed() -> None:
    names = ("LOCAL", "DEBUG", "DEMO", "ALLOWED_HOSTS", "SECURE_SSL_REDIRECT", "REQUIRED_SCOPES")

    values = settings_with({}, *names)

    assert values == [True, False, True, ["localhost", "127.0.0.1", "[::1]"], False, []]


def test_with_a_secret_key_the_defaults_are_those_of_production() -> None:
    names = ("LOCAL", "DEBUG", "DEMO", "SECURE_SSL_REDIRECT", "SECURE_PROXY_SSL_HEADER")

    values = settings_with(PRODUCTION, *names)

    assert values == [False, False, False, True, None]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://ada:p%40ss@mail.example.com", ["mail.example.com", 465, "ada", "p@ss", False, True]),
        ("smtp+tls://ada:pass@mail.example.com:2587", ["mail.example.com", 2587, "ada", "pass", True, False]),
        ("smtp://relay", ["relay", 25, "", "", False, False]),
    ],
)
def test_a_mail_server_is_one_url(url: str, expected: list[object]) -> None:
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    variables = {"EMAIL_URL": url, "EMAIL_FROM": "messaging@example.com"}
    assert settings_with(variables, *(f"EMAIL_{name}" for name in names)) == expected


@pytest.mark.parametrize(
    "url", ["mail.example.com", "https://ada:hunter2@host", "smtp://:hunter2@", "smtp://h:hunter2"]
)
def test_a_bad_mail_server_is_not_repeated_with_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="set it to smtps://user:password@host") as refusal:
        Environment({"NAME": url}).mail_server("NAME")
    assert "hunter2" not in str(refusal.value)


TRANSPORT = (
    *("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS"),
    *("SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"),
)


def test_https_is_all_or_nothing() -> None:
    assert settings_with(PRODUCTION, *TRANSPORT) == [True, True, True, 31_536_000, True, True]
    assert settings_with(PRODUCTION | {"DJANGO_HTTPS": "0"}, *TRANSPORT) == [False, False, False, 0, False, False]


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("DJANGO_HSTS_SECONDS", "60", "SECURE_HSTS_SECONDS", 60),
        ("DJANGO_TRUST_X_FORWARDED_PROTO", "1", "SECURE_PROXY_SSL_HEADER", ["HTTP_X_FORWARDED_PROTO", "https"]),
        ("DJANGO_ALLOWED_HOSTS", "a.example.com, b.example.com", "ALLOWED_HOSTS", ["a.example.com", "b.example.com"]),
        (
            "DJANGO_CSRF_TRUSTED_ORIGINS",
            "https://admin.example.com",
            "CSRF_TRUSTED_ORIGINS",
            ["https://admin.example.com"],
        ),
        ("DJANGO_STATIC_ROOT", "/srv/static", "STATIC_ROOT", "/srv/static"),
        ("API_REQUIRED_SCOPES", "*=campaigns:read", "REQUIRED_SCOPES", ["*=campaigns:read"]),
        ("METRICS_ADDRESS", "[::1]:9200", "METRICS_ADDRESS", ["::1", 9200]),
        ("TRUSTED_PROXIES", "2", "TRUSTED_PROXIES", 2),
        ("API_THROTTLES", "*=10/hour", "API_THROTTLES", {"*": [10, "hour"]}),
    ],
)
def test_a_variable_reaches_its_setting(variable: str, value: str, name: str, expected: object) -> None:
    assert settings_with(PRODUCTION | {variable: value}, name) == [expected]


def test_without_limits_nothing_is_built_to_count_calls() -> None:
    (off,), (on,) = (settings_with(variables, "REST_FRAMEWORK") for variables in ({}, {"API_THROTTLES": "*=10/hour"}))

    assert off["DEFAULT_THROTTLE_CLASSES"] == []
    assert on["DEFAULT_THROTTLE_CLASSES"] == ["messaging_project.api.throttles.OperationThrottle"]


def test_logging_shows_information_unless_told_otherwise() -> None:
    (default,) = settings_with({}, "LOGGING")
    (told,) = settings_with({"LOG_LEVEL": "ERROR"}, "LOGGING")

    assert (default["root"]["level"], told["root"]["level"]) == ("INFO", "ERROR")


def test_the_folder_of_metrics_is_made(tmp_path: Path) -> None:
    settings_with({"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "new")}, "MIDDLEWARE")

    assert (tmp_path / "new").is_dir()


def test_a_folder_that_cant_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = read_settings({"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "file" / "folder")})

    assert answer.returncode == 1
    assert "set it to a folder that the service may write to" in answer.stderr


def database_options(**variables: str) -> object:
    """What the driver is given; the rest of DATABASES is dj-database-url's."""
    (databases,) = settings_with(variables, "DATABASES")
    return databases["default"]["OPTIONS"]


def test_sqlite_queues_its_writers_and_never_its_readers() -> None:
    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

    assert database_options() == options
    assert database_options(DATABASE_BUSY_TIMEOUT_SECONDS="3") == options | {"timeout": 3}


def test_every_wait_for_postgresql_has_an_end() -> None:
    url = "postgres://user@db/name"
    pool = {"min_size": 2, "max_size": 10, "timeout": 5, "reconnect_timeout": 2.5}

    assert database_options(DATABASE_URL=url) == {"pool": pool, "connect_timeout": 5}
    assert database_options(
        DATABASE_URL=f"{url}?connect_timeout=1&options=-c%20jit=off",
        DATABASE_POOL_MIN_SIZE="1",
        DATABASE_POOL_MAX_SIZE="4",
        DATABASE_POOL_TIMEOUT_SECONDS="2",
    ) == {
        "pool": {"min_size": 1, "max_size": 4, "timeout": 2, "reconnect_timeout": 1},
        "options": "-c jit=off",
        "connect_timeout": 1,
    }
    waits: list[dict[str, str]] = [{}, {"DATABASE_LOCK_TIMEOUT_MS": "700", "DATABASE_STATEMENT_TIMEOUT_MS": "0"}]
    assert [settings_with({"DATABASE_URL": url} | given, "DATABASE_TIMEOUTS_MS") for given in waits] == [
        [{"lock_timeout": 1_200, "statement_timeout": 30_000}],
        [{"lock_timeout": 700, "statement_timeout": 0}],
    ]


def test_a_database_of_ones_own_gets_no_demo_unless_asked() -> None:
    url = {"DATABASE_URL": "postgres://user@db/name"}

    assert settings_with(url, "DEMO") == [False]
    assert settings_with(url | {"DEMO": "1"}, "DEMO") == [True]
    assert settings_with({"DEMO": "0"}, "DEMO") == [False]
