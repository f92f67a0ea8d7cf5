from collections.abc import Iterator
from dataclasses import dataclass

import pytest
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
