from dataclasses import dataclass

import pytest
from rest_framework.test import APIClient


@dataclass(frozen=True)
class TokenPrincipal:
    """Who a request comes from, as access tokens give it."""

    issuer: str = "https://issuer.example/"
    subject: str = "writer"
    is_authenticated: bool = True


@pytest.fixture
def client() -> APIClient:
    """A client that the API takes for the subject of an access token."""
    api_client = APIClient()
    api_client.force_authenticate(TokenPrincipal())  # type: ignore[arg-type]  # its stubs know only Django users
    return api_client
