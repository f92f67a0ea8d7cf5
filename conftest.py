"""Which tests a run takes, what it says about those it leaves out, and fixtures for all tests."""

import re
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import Settings

from messaging_project.watchdog import Watchdog

REMEDY = "`make test` runs everything"
# Packages of requirements-dev.txt that test modules import.
TOOLS = (
    "axe_playwright_python",
    "hypothesis",
    "openapi_python_client",
    "openapi_spec_validator",
    "playwright",
    "schemathesis",
)
MISSING = [name for name in TOOLS if find_spec(name) is None]
IMPORTS_MISSING = re.compile(rf"^(?:from|import) (?:{'|'.join(MISSING)})\b", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--browser", action="store_true", help="run the tests that drive Chromium, too")
    parser.addoption(
        "--second-database", action="store_true", help="leave out the tests that say the same on each database"
    )
    parser.addoption("--package-index", action="store_true", help="run the tests that ask the package index, too")


def pytest_configure() -> None:
    # A shell starts its background jobs with Ctrl-C ignored. The commands that tests interrupt would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The watchdog's connection would keep the test database from being dropped. Servers under test have their own.
    # It stays off from here on, since a test module calls the WSGI application when it is imported.
    Watchdog.start = lambda self: None  # type: ignore[method-assign]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the modules that can't be imported with requirements.txt alone."""
    if not MISSING or not re.fullmatch(r"test_\w+\.py", collection_path.name):
        return None
    return bool(IMPORTS_MISSING.search(collection_path.read_text())) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this run can't do. It isn't skipped, because a skipped test looks like one that ran."""
    left_out = [marker for marker, _ in _left_out(config)]
    deselected = [item for item in items if any(item.get_closest_marker(marker) for marker in left_out)]
    if config.getoption("--second-database"):
        deselected += [item for item in items if not _depends_on_database(item)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        ids = {item.nodeid for item in deselected}
        items[:] = [item for item in items if item.nodeid not in ids]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite's test database is a file, as in production, so that other threads and processes can reach it."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "messaging_project.sqlite":
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


def pytest_report_header() -> str:
    return f"database: {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if MISSING:
        how = f"tests that need {', '.join(MISSING)} (pip install -r requirements-dev.txt)"
        terminalreporter.write_line(f"left out: {how}; {REMEDY}", yellow=True)
    if config.getoption("--second-database"):
        terminalreporter.write_line(f"left out: tests that say the same on each database; {REMEDY}", yellow=True)
    for _, how in _left_out(config):
        terminalreporter.write_line(f"left out: {how}; {REMEDY}", yellow=True)


def _depends_on_database(item: pytest.Item) -> bool:
    uses_one = item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(
        getattr(item, "fixturenames", ())
    )
    return bool(uses_one or item.get_closest_marker("postgresql")) and not item.get_closest_marker("any_database")


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Django's own hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _left_out(config: pytest.Config) -> list[tuple[str, str]]:
    """The markers whose tests don't run, each with how to run them."""
    left_out = []
    if "postgresql" not in settings.DATABASES["default"]["ENGINE"]:
        left_out.append(("postgresql", "tests that need PostgreSQL (DATABASE_URL=postgres://… pytest)"))
    else:
        left_out.append(("sqlite", "tests of SQLite alone (pytest without DATABASE_URL)"))
    if shutil.which("nginx") is None:
        left_out.append(("nginx", "tests that run nginx (apt-get install nginx)"))
    if not config.getoption("--browser"):
        left_out.append(("browser", "tests that drive a browser (pytest --browser)"))
    if not config.getoption("--package-index"):
        left_out.append(("package_index", "tests that ask the package index (pytest --package-index)"))
    return left_out
