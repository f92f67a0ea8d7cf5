"""Middleware that only pages need. The API has no sessions and logins, and its requests pass by."""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponseBase

from messaging_project.api.errors import API_PATH


class ForPages:
    """Stands before a middleware class, among its bases. What that does for views stays: it asks for nothing here."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if API_PATH.match(request.path_info):
            return self.get_response(request)  # type: ignore[no-any-return]
        return super().__call__(request)  # type: ignore[misc,no-any-return]


class SessionMiddleware(ForPages, sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(ForPages, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(ForPages, messages.MessageMiddleware):
    pass
