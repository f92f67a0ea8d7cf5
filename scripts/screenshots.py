"""`make screenshots`: the pictures of the staff pages in docs/images, from a temporary database."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.lint import without_project_settings
from scripts.machine import chromium

IMAGES = Path("docs/images")
PAULA, EMIL = "paula", "emil"
PASSWORD = "screenshots-only"  # noqa: S105 - of accounts that exist only while the script runs
WIDE = {"width": 1280, "height": 860}
STEPS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("tmpl_welcome", "tmpl_welcome_v3", 0, {"headline": "Welcome aboard", "sender": "Ada"}),
    ("tmpl_first_project", "tmpl_first_project_v1", 1440, {"guide_url": "https://example.com/first-project"}),
    ("tmpl_tips", "tmpl_tips_v4", 2 * 1440 + 240, {"count": 3}),
    ("tmpl_offer_help", "tmpl_offer_help_v2", 3 * 1440, {"sender": "Ada", "reply_within_hours": 4}),
    ("tmpl_survey", "tmpl_survey_v1", 7 * 1440, {}),
)
DESCRIPTION = "A greeting, a first success, an offer of help; then we ask how it went."
CAMPAIGNS = (
    ("Win back lapsed customers", "draft", 2),
    ("Trial ending", "active", 4),
    ("Invoice reminders", "paused", 3),
    ("Spring webinar", "completed", 3),
    ("Beta invitations", "archived", 1),
    ("Onboarding for teams", "active", 5),
    ("Welcome series", "draft", 5),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.clear()
        os.environ.update(without_project_settings_of(folder))
        ids = load()
        with server() as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(chromium()), args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
            )
            IMAGES.mkdir(parents=True, exist_ok=True)
            take_all(browser, url, ids)
            browser.close()


def without_project_settings_of(folder: str) -> dict[str, str]:
    return {
        **os.environ,
        **without_project_settings(),
        "CHROMIUM": str(chromium()),
        "DJANGO_SETTINGS_MODULE": "messaging_project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/screenshots.sqlite3",
    }


def load() -> dict[str, str]:
    """Create campaigns of every status, and two accounts that may do everything with them. Returns the ids by name."""
    import django

    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    from campaigns import lifecycle
    from campaigns.history import Actor
    from campaigns.models import ActorType
    from campaigns.rules import StepFields

    call_command("migrate", verbosity=0)
    for username in (EMIL, PAULA):
        user = User.objects.create_user(username, password=PASSWORD, is_staff=True)
        user.groups.set(Group.objects.filter(name="Campaign publishers"))
    ways = {"draft": (), "active": ("active",), "paused": ("active", "paused"), "archived": ("archived",)}
    ways["completed"] = ("active", "completed")
    ada = Actor(ActorType.TOKEN, "crm-sync", "crm-sync", "https://identity.example.com/")
    ids: dict[str, str] = {}
    for name, status, count in CAMPAIGNS:
        steps = [
            StepFields(position, template, version, delay, dict(variables))
            for position, (template, version, delay, variables) in enumerate(STEPS[:count])
        ]
        external_id = name.lower().replace(" ", "-")
        campaign = lifecycle.create_campaign(
            name=name, external_id=external_id, description=DESCRIPTION, steps=steps, actor=ada
        )
        for target in ways[status]:
            lifecycle.change_status(campaign.pk, target, actor=Actor(ActorType.USER, str(user.pk), PAULA))
        ids[name] = str(campaign.pk)
    return ids


@contextmanager
def server() -> Iterator[str]:
    """The project served on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "manage.py", "runserver", "--noreload", address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(150):
            try:
                urlopen(f"http://{address}/admin/login/", timeout=5).close()
                break
            except URLError:
                time.sleep(0.2)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def take_all(browser: Browser, url: str, ids: dict[str, str]) -> None:
    welcome = f"/admin/campaigns/campaign/{ids['Welcome series']}"
    light = logged_in(browser, url, viewport=WIDE)
    take(light, "/admin/", "first-page")
    take(light, "/admin/campaigns/campaign/", "campaign-list")
    take(light, f"{welcome}/change/", "campaign-page", full_page=True)
    take(light, f"{welcome}/status/active/", "activate")
    take_conflict(logged_in(browser, url, EMIL, viewport=WIDE), light, f"{welcome}/change/")


def logged_in(browser: Browser, url: str, username: str = PAULA, **options: Any) -> Page:
    page = browser.new_context(base_url=url, **options).new_page()
    page.goto("/admin/login/?next=/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def take(page: Page, path: str, name: str, *, full_page: bool = False) -> None:
    page.goto(path)
    save(page, name, full_page=full_page)


def save(page: Page, name: str, *, full_page: bool = False) -> None:
    if full_page:  # otherwise the bar at the window's foot is in the middle of the page
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
    page.screenshot(path=IMAGES / f"{name}.png")
    if full_page:
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    print(IMAGES / f"{name}.png")


def take_conflict(first: Page, second: Page, path: str) -> None:
    """Two people save the same page."""
    for page in (first, second):
        page.goto(path)
    first.locator('[name="steps-1-delay_minutes_days"]').fill("2")
    second.locator('[name="steps-4-template_version_id"]').fill("tmpl_survey_v2")
    first.get_by_role("button", name="Save and continue editing", exact=True).click()
    second.get_by_role("button", name="Save", exact=True).click()
    second.locator(".conflict").wait_for()
    save(second, "conflict")


if __name__ == "__main__":
    main()
