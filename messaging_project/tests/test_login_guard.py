"""Guesses of staff passwords: what locks whom, for how long, and what is kept of them."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from messaging_project.login_guard import client_address

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
RIGHT, WRONG = "correct-horse-9", "wrong-horse-9"


@pytest.fixture(autouse=True)
def staff() -> list[User]:
    return [User.objects.create_superuser(name, password=RIGHT) for name in ("ada", "grace")]


def log_in(username: str = "ada", password: str = WRONG, address: str = "192.0.2.1") -> HttpResponse:
    form = {"username": username, "password": password, "next": "/admin/?note=private"}
    response: HttpResponse = Client(REMOTE_ADDR=address).post(f"{LOGIN}?next=/admin/?also=private", form)  # type: ignore[assignment]
    return response


def fail(times: int, username: str = "ada", address: str = "192.0.2.1") -> list[int]:
    return [log_in(username, address=address).status_code for _ in range(times)]


def test_ten_failures_of_an_account_lock_it_for_their_address() -> None:
    assert fail(10) == [200] * 9 + [429]

    refused = log_in(password=RIGHT)

    assert (refused.status_code, refused["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes" in refused.content.decode()


def test_a_lock_keeps_nobody_else_out() -> None:
    fail(10)

    assert log_in(password=RIGHT, address="192.0.2.2").status_code == 302  # the same account, at home
    assert log_in("grace", RIGHT).status_code == 302  # a colleague in the same office


def test_fifty_failures_of_an_address_lock_it() -> None:
    found = [status for number in range(10) for status in fail(5, f"guess{number}")]

    assert found == [200] * 49 + [429]
    assert log_in("grace", RIGHT).status_code == 429
    assert log_in("grace", RIGHT, "192.0.2.2").status_code == 302


def test_a_lock_ends_after_fifteen_minutes_whatever_is_tried_meanwhile() -> None:
    fail(12)
    (attempt,) = AccessAttempt.objects.all()
    assert attempt.failures_since_start == 10

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14, seconds=50))
    assert log_in(password=RIGHT).status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in(password=RIGHT).status_code == 302


def test_no_password_is_hashed_while_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(10)
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def recorded(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", recorded)

    assert log_in().status_code == 429
    assert hashed == []
    log_in("grace")
    assert hashed == [WRONG]


def test_names_and_headers_of_any_length_are_counted() -> None:
    form = {"username": "x" * 100_000, "password": WRONG}
    headers = {"User-Agent": "y" * 1_000, "Accept": "z" * 2_000}

    assert [Client().post(LOGIN, form, headers=headers).status_code for _ in range(10)] == [200] * 9 + [429]


def test_nothing_of_the_form_is_kept() -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        fail(2)
        log_in("grace", RIGHT)

    (attempt,) = AccessAttempt.objects.all()
    assert "private" not in f"{attempt.get_data}{attempt.post_data}"
    assert not AccessLog.objects.exists()
    written = " ".join(query["sql"] for query in captured if "axes" in query["sql"])
    assert "192.0.2.1" in written
    assert "private" not in written
    assert WRONG not in written


def test_failed_logins_and_locks_are_logged_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    fail(10, "ada\nCRITICAL made up")

    lines = [record.getMessage() for record in caplog.records if record.name.startswith("axes")]
    assert sum("login failure by 'ada\\nCRITICAL made up' from 192.0.2.1" in line for line in lines) == 10
    assert "AXES: Locking out 'ada\\nCRITICAL made up' from 192.0.2.1 after repeated login failures." in lines
    assert WRONG not in caplog.text


def test_the_api_and_whoever_is_logged_in_go_on() -> None:
    inside = Client(REMOTE_ADDR="192.0.2.1")
    inside.force_login(User.objects.get(username="ada"))
    fail(10)

    assert inside.get("/admin/").status_code == 200
    assert inside.get("/v1/messaging/campaigns").json()["error"] == "unauthenticated"
    assert inside.get(LOGIN).status_code == 302


def test_code_without_a_request_can_log_in() -> None:
    assert Client().login(username="ada", password=RIGHT)
    assert not Client().login(username="ada", password=WRONG)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "192.0.2.1", "203.0.113.9"),  # its first part is the caller's invention
        (2, "10.0.0.1, 203.0.113.9, 192.0.2.7", "192.0.2.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, "", "192.0.2.1", "192.0.2.1"),
        (1, "unknown", "192.0.2.1", None),
        (0, "", "", None),
        (0, "", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (0, "", "::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_the_address_is_what_a_trusted_proxy_saw(
    settings: Settings, proxies: int, forwarded: str, remote: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = HttpRequest()
    request.META = {"HTTP_X_FORWARDED_FOR": forwarded, "REMOTE_ADDR": remote}

    assert client_address(request) == address
