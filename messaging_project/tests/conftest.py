from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from messaging_project.api.key_server import key_server
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.clock import Clock
from messaging_project.tests.identity_provider import IdentityProvider, es256, hs256, rs256

Sign = Callable[[dict[str, Any]], str]


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """An identity provider that this process has not asked yet."""
    key_server.cache_clear()
    provider = IdentityProvider()
    yield provider
    provider.may_answer.set()
    provider.stop()
    key_server.cache_clear()


@pytest.fixture
def whoami(settings: Settings) -> Callable[..., Any]:
    """Asks the small view of whoami.py, with a token or a whole Authorization header."""
    settings.ROOT_URLCONF = "messaging_project.tests.whoami"

    def ask(token: str | None = None, *, header: str | None = None, path: str = "/v1/whoami") -> Any:
        header = f"Bearer {token}" if token is not None else header
        client = APIClient()
        if header is not None:
            client.credentials(HTTP_AUTHORIZATION=header)
        return client.get(path)

    return ask


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The one that keys grow old by."""
    clock = Clock()
    monkeypatch.setattr("messaging_project.api.key_server.monotonic", clock)
    return clock


@pytest.fixture
def configured(provider: IdentityProvider, settings: Settings) -> None:
    """The service takes the tokens of `provider`."""
    settings.ACCESS_TOKENS = provider.settings()


@pytest.fixture(params=["HS256", "RS256", "ES256"])
def sign(request: pytest.FixtureRequest, settings: Settings) -> Sign:
    """Signs as the service is configured to expect; its tests run with a shared, an RSA and an EC key."""
    if request.param == "HS256":
        settings.ACCESS_TOKENS = idp.hs256_settings()
        return hs256
    settings.ACCESS_TOKENS = request.getfixturevalue("provider").settings()
    return rs256 if request.param == "RS256" else es256


@pytest.fixture
def shared_key(settings: Settings) -> bytes:
    """The service takes tokens that are signed with this key."""
    settings.ACCESS_TOKENS = idp.hs256_settings()
    return idp.HS256_KEY.encode()
