"""The landing page, the docs page and the error pages: whole without another host, inline code or a database."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path, reverse
from pytest_django import Settings

from messaging_project.api import errors

INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
ADDRESS = re.compile(r'(?:href|src)="([^"]+)"')
ERRORS: dict[int, Exception] = {
    400: SuspiciousOperation("no"),
    403: PermissionDenied("no"),
    404: Http404("no"),
    500: RuntimeError("no"),
}


def fail(request: HttpRequest, status: int) -> HttpResponse:
    raise ERRORS[status]


# A project of the four errors, handled as the real one handles them.
urlpatterns = [
    path("", fail, {"status": 404}, name="landing"),
    *(path(f"fails/{status}", fail, {"status": status}) for status in ERRORS),
]
handler400 = "messaging_project.api.errors.bad_request"
handler403 = "messaging_project.api.errors.permission_denied"
handler404 = "messaging_project.api.errors.page_not_found"
handler500 = "messaging_project.api.errors.internal_server_error"


def page(path: str) -> str:
    response = Client().get(path)
    assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")
    return response.content.decode()


def broken_links(text: str) -> list[str]:
    """The addresses in a page that lead nowhere, or to another host."""
    return [address for address in ADDRESS.findall(text) if not leads_somewhere(address)]


def leads_somewhere(address: str) -> bool:
    if address.startswith("/static/"):
        return finders.find(address.removeprefix("/static/")) is not None
    return address.startswith("/") and Client().get(address).status_code in (200, 302)


@pytest.mark.parametrize("name", ["landing", "docs"])
def test_a_page_is_whole_by_itself(name: str) -> None:
    text = page(reverse(name))
    assert (INLINE.findall(text), broken_links(text)) == ([], [])


def test_the_landing_page_leads_to_docs_document_and_admin() -> None:
    links = ADDRESS.findall(page("/"))
    assert {"/docs", "/v1/messaging/schema?format=json", "/v1/messaging/schema?format=yaml", "/admin/"} <= set(links)


def test_the_landing_page_shows_the_address_it_was_asked_at() -> None:
    response = Client().get("/", headers={"host": "localhost:8123"})
    assert "curl -X POST http://localhost:8123/v1/messaging/campaigns/CAMPAIGN_ID/steps " in response.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_docs_page_works_with_and_without_a_slash(path: str) -> None:
    script = Client().get(f"{path}?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert 'url: "/v1/messaging/schema"' in script.content.decode().replace("\\u002D", "-")
    assert f'<script src="{path}?script="></script>' in page(path)


def test_the_docs_page_ignores_tokens() -> None:
    assert Client().get("/docs", headers={"authorization": "Bearer stale"}).status_code == 200


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_page_looks_like_the_others_and_tells_nothing(settings: Settings, status: int) -> None:
    settings.ROOT_URLCONF = __name__
    response = Client(raise_request_exception=False).get(f"/fails/{status}")
    text = response.content.decode()
    assert (response.status_code, text.count(f'<p class="eyebrow">{status}</p>')) == (status, 1)
    assert 'href="/static/site.css"' in text
    assert (INLINE.findall(text), "no</p>" in text) == ([], False)


def test_the_500_page_needs_no_storage_of_static_files(settings: Settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "missing.Storage"}}
    response = errors.internal_server_error(RequestFactory().get("/admin/"))
    assert (response.status_code, b"Something went wrong" in response.content) == (500, True)  # type: ignore[attr-defined]
