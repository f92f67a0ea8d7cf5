from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from messaging_project.api.key_server import key_server
from messaging_project.tests.identity_provider import IdentityProvider


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """An identity provider that this process has not asked yet."""
    key_server.cache_clear()
    provider = IdentityProvider()
    yield provider
    provider.may_answer.set()
    provider.stop()


@pytest.fixture
def whoami(settings: Settings) -> Callable[..., Any]:
    """Asks the small view of whoami.py, with a token or a whole Authorization header."""
    settings.ROOT_URLCONF = "messaging_project.tests.whoami"

    def ask(token: str | None = None, *, header: str | None = None, path: str = "/v1/whoami") -> Any:
        header = f"Bearer {token}" if token is not None else header
        return APIClient().get(path, headers={} if header is None else {"Authorization": header})

    return ask
