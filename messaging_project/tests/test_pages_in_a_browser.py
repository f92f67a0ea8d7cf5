"""The pages outside the admin in a real Chromium: complete, quiet, within the screen, and from one host alone."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, sync_playwright
from pytest_django.live_server_helper import LiveServer

pytestmark = pytest.mark.browser
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"


@pytest.fixture(params=[1280, 390])
def page(live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page. Whatever the server sends to it comes with a strict Content-Security-Policy."""

    def with_policy(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": POLICY})

    with sync_playwright() as playwright:
        # No sandbox: Chromium refuses to start one as root, and it opens nothing but this project's own pages.
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": request.param, "height": 800}, base_url=live_server.url)
        page.set_default_timeout(10_000)
        page.route("**/*", with_policy)
        yield page
        browser.close()


@pytest.mark.parametrize(
    ("path", "sign"),
    [("/", "a:text-is('API documentation')"), ("/nothing", "h1:text-is('There is nothing at this address')")],
)
def test_a_page_fits_and_keeps_to_its_host(page: Page, path: str, sign: str) -> None:
    asked, faults = watched(page)
    page.goto(path)
    page.wait_for_selector(sign)
    assert (hosts(asked), faults, fits(page)) == ({host(page.url)}, [], True)


def test_the_docs_show_every_operation_and_remember_the_token(page: Page) -> None:
    asked, faults = watched(page)
    page.goto("/docs")
    page.wait_for_selector("#operations-Steps-addStep")
    page.click("button.authorize")
    page.fill(".auth-container input", "a-token")
    page.click(".auth-container button[type=submit]")
    page.reload()
    page.wait_for_selector("button.authorize.locked")
    assert (hosts(asked), faults, fits(page)) == ({host(page.url)}, [], True)


def watched(page: Page) -> tuple[list[str], list[str]]:
    """Lists that the page's requests, and its errors and refusals, will be appended to."""
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda it: faults.append(it.text) if it.type == "error" and "404" not in it.text else None)
    return asked, faults


def hosts(addresses: list[str]) -> set[str]:
    return {host(address) for address in addresses if not address.startswith("data:")}


def host(address: str) -> str:
    return address.split("/")[2]


def fits(page: Page) -> bool:
    fits: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return fits
