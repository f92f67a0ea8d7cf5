"""The Content-Security-Policy header (W3C CSP Level 3) of every page.

Django 6.0 has its own middleware for the same setting, SECURE_CSP. It can then replace this one.
"""

from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

HEADER = "Content-Security-Policy"
Policy = Mapping[str, Sequence[str]]
View = Callable[..., HttpResponseBase]


def as_header(policy: Policy) -> str:
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponseBase]) -> View:
    """Middleware: a page may load what SECURE_CSP names, unless its view has set its own policy."""
    header = as_header(settings.SECURE_CSP)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.setdefault(HEADER, header)
        return response

    return middleware
