import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from campaigns.tests.proxy import Proxy
from campaigns.tests.server import Server, running_server, url_of_test_database


@dataclass(frozen=True)
class TokenPrincipal:
    """Who a request comes from, as access tokens give it."""

    issuer: str = "https://issuer.example/"
    subject: str = "writer"
    is_authenticated: bool = True


@pytest.fixture
def client() -> APIClient:
    """A client that the API takes for the subject of an access token."""
    api_client = APIClient(enforce_csrf_checks=True)  # as in production
    api_client.force_authenticate(TokenPrincipal())  # type: ignore[arg-type]  # its stubs know only Django users
    return api_client


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def debug(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Without DEBUG and with it: Django then gives out cursors of another class, which can do less."""
    settings.DEBUG = request.param


@pytest.fixture(scope="module")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server on the test database. Its tests need transaction=True: what one commits, the other sees."""
    with running_server(tmp_path_factory.mktemp("server") / "log", url_of_test_database()) as running:
        yield running


@pytest.fixture
def proxy(transactional_db: None) -> Iterator[Proxy]:
    """A way to the test database that can be cut and mended."""
    proxy = Proxy()
    proxy.mend()
    yield proxy
    proxy.cut()


@pytest.fixture
def few_parameters() -> Iterator[Callable[[int], None]]:
    """Lowers SQLite's limit for one test: it is compiled in, 250,000 here and 32,766 there. PostgreSQL has none."""
    before = None

    def limit(number: int) -> None:
        nonlocal before
        if connection.vendor == "sqlite":
            before = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, number)

    yield limit
    if before is not None:
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    return tmp_path / "steps.csv"


@pytest.fixture
def json_path(tmp_path: Path) -> Path:
    return tmp_path / "steps.jsonl"
