"""API_THROTTLES: how often a caller may call an operation."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from prometheus_client import REGISTRY
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.permissions import AllowAny

from campaigns.tests.races import at_once
from campaigns.tests.server import running_server, url_of_test_database
from messaging_project.api.checks import check_throttles
from messaging_project.api.models import ThrottleCounter
from messaging_project.api.throttle_settings import Rate, throttles
from messaging_project.api.throttles import OperationThrottle, count_call
from messaging_project.tests import identity_provider as idp
from messaging_project.tests.identity_provider import claims, hs256
from messaging_project.tests.whoami import Greet, WhoAmI

Ask = Callable[..., Any]


@pytest.fixture
def limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets API_THROTTLES, with the throttle that the settings choose then."""
    settings.ACCESS_TOKENS = idp.hs256_settings()

    def limit(*words: str) -> None:
        settings.API_THROTTLES = throttles(words)
        for view in (WhoAmI, Greet):
            monkeypatch.setattr(view, "throttle_classes", [OperationThrottle])

    return limit


@pytest.fixture
def caller(whoami: Ask) -> Callable[..., Any]:
    """Asks as a subject of the identity provider."""
    return lambda subject="service-a", path="/v1/whoami": whoami(hs256(claims(sub=subject)), path=path)


@pytest.mark.django_db
def test_the_call_beyond_the_limit_is_refused_with_the_limit(limits: Callable[..., None], caller: Ask) -> None:
    limits("whoAmI=2/day")

    first, second, third = caller(), caller(), caller()

    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    seconds = third["Retry-After"]
    assert 0 < int(seconds) <= 86_400
    assert third.json() == {
        "error": "throttled",
        "message": f"The limit is 2 calls of whoAmI per day: try again in {seconds} s.",
        "details": {"operation": "whoAmI", "limit": 2, "window_seconds": 86_400},
    }


@pytest.mark.django_db
def test_every_answer_tells_what_is_left(limits: Callable[..., None], caller: Ask) -> None:
    limits("whoAmI=2/day")

    answers = [caller() for _ in range(4)]

    assert {answer["RateLimit-Policy"] for answer in answers} == {'"whoAmI";q=2;w=86400'}
    found = [re.fullmatch(r'"whoAmI";r=(\d+);t=(\d+)', answer["RateLimit"]) for answer in answers]
    assert [match and match[1] for match in found] == ["1", "0", "0", "0"]
    assert found[2]
    assert found[2][2] == answers[2]["Retry-After"]


@pytest.mark.django_db
def test_callers_and_operations_are_counted_apart(limits: Callable[..., None], caller: Ask) -> None:
    limits("whoAmI=1/day", "*=1/day")

    calls = [("a", "whoami"), ("b", "whoami"), ("a", "greet"), ("a", "whoami"), ("b", "whoami"), ("a", "greet")]
    answers = [caller(subject, path=f"/v1/{path}") for subject, path in calls]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 429]
    assert answers[-1].json()["message"].startswith("The limit is 1 calls of all other operations together per day: ")


@pytest.mark.django_db
def test_what_has_no_limit_is_not_counted(limits: Callable[..., None], caller: Ask) -> None:
    limits("whoAmI=1/day")

    answers = [caller(path="/v1/greet") for _ in range(2)]

    assert [(answer.status_code, "RateLimit" in answer) for answer in answers] == [(200, False)] * 2
    assert not ThrottleCounter.objects.exists()


@pytest.mark.django_db
def test_a_public_view_is_not_limited(
    limits: Callable[..., None], whoami: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits("*=1/day")
    monkeypatch.setattr(Greet, "permission_classes", [AllowAny])

    assert [whoami(path="/v1/greet").status_code for _ in range(2)] == [200, 200]
    assert not ThrottleCounter.objects.exists()


@pytest.mark.django_db
def test_a_new_window_begins_at_nought_and_a_late_call_counts_in_it() -> None:
    rate = Rate(10, "minute")
    count_call("late", rate)
    ThrottleCounter.objects.update(resets_at=1, calls=10)  # long over

    assert count_call("late", rate)[0] == 1

    ThrottleCounter.objects.update(resets_at=2**40, calls=10)  # another call has seen the next window
    assert count_call("late", rate)[0] == 11


@pytest.mark.django_db
def test_counting_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        count_call("once", Rate(1, "day"))


@pytest.mark.django_db(transaction=True)
def test_a_call_that_cant_be_counted_passes_and_is_logged(
    limits: Callable[..., None], caller: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    limits("whoAmI=1/day")
    table = ThrottleCounter._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    try:
        answers = [caller() for _ in range(2)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")

    assert [(answer.status_code, "RateLimit" in answer) for answer in answers] == [(200, False)] * 2
    assert REGISTRY.get_sample_value("messaging_throttle_failures_total", {"operation": "whoAmI"}) == 2
    assert caplog.text.count("A call of whoAmI passes unthrottled, since it can't be counted") == 2


@pytest.mark.django_db(transaction=True)
def test_four_processes_keep_one_limit(tmp_path: Path) -> None:
    """The window is a day: only at midnight could two of them be seen."""
    limit = {"API_THROTTLES": "listCampaigns=50/day"}
    with running_server(tmp_path / "log", url_of_test_database(), workers=4, **limit) as server:
        calls = [partial(server.get, "/v1/messaging/campaigns")] * 200
        found = Counter(answer.status for start in range(0, 200, 50) for answer in at_once(calls[start : start + 50]))

    assert found == {200: 50, 429: 150}


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_table_has_no_write_ahead_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = %s", [ThrottleCounter._meta.db_table])
        assert cursor.fetchone() == ("u",)


# --- The setting -----------------------------------------------------------------------------------------------------


def test_limits_are_read_by_operation() -> None:
    assert throttles(["addStep=50/second", " * = 1000/minute"]) == {
        "addStep": Rate(50, "second"),
        "*": Rate(1000, "minute"),
    }
    assert [Rate(1, per).seconds for per in ("second", "minute", "hour", "day")] == [1, 60, 3_600, 86_400]


@pytest.mark.parametrize(
    "word", ["addStep", "addStep=", "addStep=50", "addStep=0/second", "addStep=5/week", "addStep=-1/day", "a b=1/day"]
)
def test_a_limit_that_cant_be_read_stops_the_start(word: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^API_THROTTLES can't be read at {re.escape(repr(word))}: name "):
        throttles([word])


def test_an_operation_is_limited_once() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"can't be read at '\*=2/day': name each operation once"):
        throttles(["*=1/day", "*=2/day"])


def test_an_operation_that_does_not_exist_is_reported(settings: Settings) -> None:
    settings.ROOT_URLCONF = "messaging_project.tests.whoami"
    settings.API_THROTTLES = throttles(["whoAmI=1/day", "whoami=1/day", "*=1/day"])

    assert check_throttles() == [
        Error(
            "API_THROTTLES names the operation whoami, which does not exist.",
            hint="Choose from greet, whoAmI, or * for all that are not named.",
            id="messaging_api.E002",
        )
    ]
