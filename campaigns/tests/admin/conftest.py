from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

Login = Callable[..., Client]

VIEW = ("view_campaign", "view_campaignstep", "view_historyentry")
STEPS = ("add_campaignstep", "change_campaignstep", "delete_campaignstep")
EDIT = (*VIEW, *STEPS, "add_campaign", "change_campaign", "delete_campaign")
PUBLISH = (*EDIT, "activate_campaign")


@pytest.fixture
def login(db: None) -> Login:
    """Log a staff user in who may do what the codenames say."""

    def login_with(username: str, *codenames: str) -> Client:
        user = User.objects.create_user(username, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return login_with


@pytest.fixture
def viewer(login: Login) -> Client:
    return login("vera", *VIEW)


@pytest.fixture
def editor(login: Login) -> Client:
    return login("emil", *EDIT)


@pytest.fixture
def publisher(login: Login) -> Client:
    return login("paula", *PUBLISH)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for tests that are marked so. Its package is of requirements-dev.txt, and so imported here."""
    from playwright.sync_api import sync_playwright

    from campaigns.tests.admin.browser import launched

    patch = pytest.MonkeyPatch()
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs an event loop; nothing here is asynchronous
    with sync_playwright() as playwright:
        yield launched(playwright)
    patch.undo()
