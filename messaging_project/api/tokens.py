"""Access tokens: none is accepted until keys are configured."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request


class AccessTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="messaging"'


class HasRequiredScopes(IsAuthenticated):
    """Whoever is authenticated may call everything."""
