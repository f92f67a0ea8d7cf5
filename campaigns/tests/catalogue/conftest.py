from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any

import pytest
from pytest_django import Settings

from campaigns.catalogue import Answers, Template, TemplateVersion, asking
from campaigns.catalogue.memory import MemoryCatalogue
from messaging_project.tests.clock import Clock

TEMPLATES: dict[str, dict[str, dict[str, bool]]] = {
    "welcome": {"welcome-v1": {"name": True}, "welcome-v2": {"name": True, "colour": False}},
    "offer": {"offer-v1": {}},
}


class Recording(MemoryCatalogue):
    """Remembers what it was asked; `before` runs first and may raise, wait, or look around."""

    def __init__(self, templates: Mapping[str, Any] = TEMPLATES) -> None:
        super().__init__(templates)
        self.asked: list[int] = []  # how many at a time
        self.searched: list[str] = []
        self.before: Callable[[], Any] = lambda: None
        self.may_answer = Event()
        self.may_answer.set()

    def look_up(self, versions: Sequence[TemplateVersion]) -> Answers:
        self.asked.append(len(versions))
        self.before()
        self.may_answer.wait(10)
        return super().look_up(versions)

    def search(self, prefix: str, limit: int) -> list[Template]:
        self.searched.append(prefix)
        self.before()
        return super().search(prefix, limit)


@pytest.fixture
def catalogue(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """What TEMPLATE_CATALOGUE names; this process hasn't asked it yet."""
    catalogue = Recording()
    monkeypatch.setattr("campaigns.tests.catalogue.conftest.CATALOGUE", lambda: catalogue)
    settings.TEMPLATE_CATALOGUE = "campaigns.tests.catalogue.conftest.CATALOGUE"
    settings.TEMPLATE_CATALOGUE_TIMEOUT_MS = 5_000
    asking._asker.cache_clear()
    yield catalogue
    catalogue.may_answer.set()
    asking._asker.cache_clear()


CATALOGUE: Callable[[], Recording] = Recording


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asking, "monotonic", clock)
    return clock
