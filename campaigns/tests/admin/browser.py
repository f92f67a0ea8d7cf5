"""A person at Chromium, for tests: they log in, look, type, drag and click."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission, User
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "browser-password"


def launched(playwright: Playwright) -> Browser:
    """Debian's Chromium, or the one that the variable CHROMIUM names; playwright's own isn't downloaded."""
    expect.set_options(timeout=20_000)  # as long as a busy machine takes for a page
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=path, args=OPTIONS)


@dataclass
class Person:
    """Someone at a page. `faults` collects console errors, requests to other hosts, and answers that failed."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    @classmethod
    def in_context(cls, context: BrowserContext, base: str) -> "Person":
        person = cls(context.new_page(), base)
        faults, page = person.faults, person.page
        page.on("console", lambda line: faults.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("request", lambda sent: None if sent.url.startswith((base, "data:")) else faults.append(sent.url))
        page.on("response", lambda got: faults.append(f"{got.status} {got.url}") if got.status >= 400 else None)
        page.on("dialog", lambda dialog: dialog.accept())
        return person

    def log_in(self, username: str) -> None:
        self.open("/admin/login/?next=/admin/campaigns/campaign/")
        self.give_password(username)

    def give_password(self, username: str) -> None:
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.click("Log in")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    def click(self, name: str) -> None:
        """A button or a link, by its whole name, that leads to another page; returns when that page has loaded."""
        button = self.page.get_by_role("button", name=name, exact=True)
        target = button if button.count() else self.page.get_by_role("link", name=name, exact=True)
        with self.page.expect_navigation():
            target.first.click()

    @property
    def rows(self) -> Locator:
        return self.page.locator("#step-rows > .step-row")

    def field(self, row: int, name: str) -> Locator:
        return self.rows.nth(row).locator(f'[name$="-{name}"]')

    def add_step(self, template: str, version: str, *, hours: int = 0) -> None:
        self.page.get_by_role("button", name="Add step", exact=True).click()
        row = self.rows.count() - 1
        self.field(row, "template_id").fill(template)
        self.field(row, "template_version_id").fill(version)
        if hours:
            self.field(row, "delay_minutes_hours").fill(str(hours))

    def drag(self, row: int, onto: int) -> None:
        """With the mouse: take the row's handle and drop it on another row."""
        handle, goal = (self.rows.nth(each).locator(".handle") for each in (row, onto))
        handle.scroll_into_view_if_needed()
        start, end = handle.bounding_box(), goal.bounding_box()
        assert start
        assert end
        mouse = self.page.mouse
        mouse.move(start["x"] + 5, start["y"] + 10)
        mouse.down()
        up = end["y"] < start["y"]
        mouse.move(end["x"] + 5, end["y"] + (-4 if up else end["height"] + 4), steps=12)
        mouse.up()

    def templates(self) -> list[str]:
        """The templates in the order of the rows."""
        return [self.field(row, "template_id").input_value() for row in range(self.rows.count())]

    def drawn(self) -> list[str]:
        """What the picture tells a screen reader."""
        return [" ".join(text.split()) for text in self.page.locator("#timeline ol li").all_text_contents()]

    def width(self) -> int:
        found: int = self.page.evaluate("document.documentElement.scrollWidth")
        return found


@contextmanager
def person(
    browser: Browser, base: str, username: str, *codenames: str, width: int = 1280, **options: Any
) -> Iterator[Person]:
    """A staff user who may do what the codenames say, logged in at a browser of their own."""
    user = User.objects.create_user(username, password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    try:
        someone = Person.in_context(context, base)
        someone.log_in(username)
        yield someone
    finally:
        context.close()
    assert someone.faults == []
