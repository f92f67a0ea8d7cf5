"""Asking the template catalogue: in batches, kept for a minute, in bounded time, and going on without it."""

import logging
from threading import Thread

import pytest
from pytest_django import Settings

from campaigns.catalogue import Answer, Template, TemplateVersion
from campaigns.catalogue.asking import asker
from campaigns.catalogue.checks import check_catalogue
from campaigns.tests.catalogue.conftest import Recording
from messaging_project.tests.clock import Clock
from messaging_project.tests.outages import outages

OLD, NEW, NOWHERE = (
    TemplateVersion("welcome", "welcome-v1"),
    TemplateVersion("welcome", "welcome-v2"),
    TemplateVersion("x", "x-v1"),
)
MANY = [TemplateVersion("t", f"v{number}") for number in range(1_001)]


def test_it_is_asked_in_batches_and_each_version_once_in_a_minute(catalogue: Recording, clock: Clock) -> None:
    assert len(asker().ask([*MANY, *MANY])) == 1_001
    assert catalogue.asked == [500, 500, 1]

    clock.advance(60)
    assert asker().ask([*MANY[:3], OLD, NOWHERE]) == {
        **dict.fromkeys(MANY[:3], Answer(False)),
        OLD: Answer(True, {"name": True}, "welcome-v2"),
        NOWHERE: Answer(False),
    }
    assert catalogue.asked == [500, 500, 1, 2]

    clock.advance(1)
    asker().ask(MANY[:3])
    assert catalogue.asked == [500, 500, 1, 2, 3]


def test_a_transaction_goes_on_for_half_a_minute_with_what_has_become_old(catalogue: Recording, clock: Clock) -> None:
    asker().ask([OLD])
    clock.advance(90)
    assert [*asker().kept([OLD, NEW])] == [OLD]
    clock.advance(1)
    assert asker().kept([OLD]) == {}
    assert catalogue.asked == [1]


def test_a_process_that_can_start_no_thread_goes_on_without_answers(
    catalogue: Recording, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    assert asker().ask([OLD]) == {}
    assert "can't start new thread" in caplog.text


def test_nobody_waits_longer_than_the_limit_and_then_not_at_all(
    catalogue: Recording, clock: Clock, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TEMPLATE_CATALOGUE_TIMEOUT_MS = 50
    catalogue.may_answer.clear()
    before = outages("template catalogue")

    with caplog.at_level(logging.WARNING):
        assert asker().ask([OLD]) == {}
        clock.advance(4.9)
        assert asker().ask([OLD]) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "The template catalogue can't be asked: no answer in 0.05 s"
    ]
    assert (catalogue.asked, outages("template catalogue") - before) == ([1], 2)

    catalogue.may_answer.set()
    settings.TEMPLATE_CATALOGUE_TIMEOUT_MS = 5_000
    clock.advance(0.2)
    assert [*asker().ask([OLD, NEW])][-1] == NEW
    assert asker().ask([NOWHERE]) == {NOWHERE: Answer(False)}


def test_what_was_answered_before_the_time_was_up_is_kept(
    catalogue: Recording, clock: Clock, settings: Settings
) -> None:
    catalogue.before = lambda: clock.advance(3)

    assert len(asker().ask(MANY)) == 1_000
    assert catalogue.asked == [500, 500]
    clock.advance(5)
    assert len(asker().ask(MANY)) == 1_001
    assert catalogue.asked == [500, 500, 1]


def test_a_failing_search_leaves_look_ups_alone(catalogue: Recording) -> None:
    def fail() -> None:
        raise RuntimeError("down")

    catalogue.before = fail
    assert asker().suggest("w") == []
    catalogue.before = lambda: None
    assert asker().suggest("w") == []
    assert catalogue.searched == ["w"]
    assert asker().ask([NOWHERE]) == {NOWHERE: Answer(False)}


def test_a_search_is_kept_and_shows_the_newest_version_first(catalogue: Recording) -> None:
    found = [Template("welcome", ["welcome-v2", "welcome-v1"])]

    assert [asker().suggest("wel"), asker().suggest("wel")] == [found, found]
    assert catalogue.searched == ["wel"]


HTTP = "campaigns.catalogue.http.HTTPCatalogue"


@pytest.mark.parametrize(
    ("path", "strict", "said"),
    [
        ("campaigns.catalogue.memory.demo", True, None),
        ("nowhere.demo", False, "TEMPLATE_CATALOGUE is 'nowhere.demo', which can't be used: No module named 'nowhere'"),
        ("builtins.dict", False, "TEMPLATE_CATALOGUE is 'builtins.dict', whose catalogue lacks look_up and search."),
        (HTTP, False, f"TEMPLATE_CATALOGUE is '{HTTP}', which can't be used: TEMPLATE_CATALOGUE_URL must be an https"),
        ("", True, "TEMPLATE_CATALOGUE_STRICT is set, and TEMPLATE_CATALOGUE isn't"),
        ("", False, None),
    ],
)
def test_a_setting_that_cannot_work_is_an_error_at_the_start(
    settings: Settings, path: str, strict: bool, said: str | None
) -> None:
    settings.TEMPLATE_CATALOGUE, settings.TEMPLATE_CATALOGUE_STRICT = path, strict
    settings.TEMPLATE_CATALOGUE_URL = "http://templates.example.com"

    errors = [error.msg for error in check_catalogue()]
    assert len(errors) == (0 if said is None else 1)
    assert all(error.startswith(said or "") for error in errors)
