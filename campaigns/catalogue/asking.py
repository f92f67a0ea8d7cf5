"""Asking the catalogue in bounded time, and going on without it.

Nobody waits longer than TEMPLATE_CATALOGUE_TIMEOUT_MS, and after a failure nobody waits at all for PAUSE_SECONDS.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import inf
from threading import Event, Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from campaigns.catalogue import Answer, Answers, Template, TemplateCatalogue, TemplateVersion
from messaging_project.metrics import OUTAGES

logger = logging.getLogger(__name__)
K = TypeVar("K")
V = TypeVar("V")

BATCH = 500
KEPT_SECONDS = 60
# A transaction asks nothing. It goes on with what was asked before it began, also if that has become old since.
GRACE_SECONDS = 30
MAX_KEPT = 20_000  # answers, and so many searches
MAX_SUGGESTIONS = 20
PAUSE_SECONDS = 5  # after a failure
MAX_UNDER_WAY = 16  # threads, those included that nobody waits for any more


class Kept(Generic[K, V]):
    """What was answered lately. The oldest is forgotten when there is too much."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[K, tuple[float, V]] = {}

    def of(self, keys: Iterable[K], seconds: float = KEPT_SECONDS) -> dict[K, V]:
        with self._lock:
            since = monotonic() - seconds
            found = ((key, self._answers.get(key)) for key in keys)
            return {key: kept[1] for key, kept in found if kept and kept[0] >= since}

    def keep(self, answers: Mapping[K, V]) -> None:
        with self._lock:
            now = monotonic()
            for key, answer in answers.items():
                self._answers.pop(key, None)  # so that the order is that of age
                self._answers[key] = now, answer
            while len(self._answers) > MAX_KEPT:
                del self._answers[next(iter(self._answers))]


class Guard:
    """Lets one kind of question through, each in a thread that is waited for no longer than the settings say."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way = 0
        self._is_failing = False
        self._again_at = -inf

    def run(self, question: Callable[[float], None]) -> None:
        """Ask the question, with the moment at which nobody waits for it any more. Never raises."""
        if not self._may_ask():
            OUTAGES.labels("template catalogue").inc()
            return
        seconds, done, errors = settings.TEMPLATE_CATALOGUE_TIMEOUT_MS / 1_000, Event(), list[Exception]()
        deadline = monotonic() + seconds

        def ask() -> None:
            try:
                question(deadline)
            except Exception as error:
                errors.append(error)
            finally:
                connections.close_all()  # this thread's own
                with self._lock:
                    self._under_way -= 1
                done.set()

        try:
            Thread(target=ask, daemon=True).start()
        except RuntimeError as error:  # the process may have no more of them
            errors.append(error)
            with self._lock:
                self._under_way -= 1
            done.set()
        is_late = not done.wait(seconds)
        self._is_failing = is_late or bool(errors)
        if self._is_failing:
            self._pause(f"no answer in {seconds:g} s" if is_late else f"{type(errors[0]).__name__}: {errors[0]}")

    def _may_ask(self) -> bool:
        """After a failure, one asks again and the others go on without waiting."""
        with self._lock:
            if (self._is_failing and monotonic() < self._again_at) or self._under_way >= MAX_UNDER_WAY:
                return False
            if self._is_failing:
                self._again_at = monotonic() + PAUSE_SECONDS
            self._under_way += 1
            return True

    def _pause(self, cause: str) -> None:
        self._again_at = monotonic() + PAUSE_SECONDS
        OUTAGES.labels("template catalogue").inc()
        logger.warning("The template catalogue can't be asked: %s", cause)


class Asker:
    """The process's catalogue, what it said lately, and whether it can be asked."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._catalogue: TemplateCatalogue | None = None
        self._answers = Kept[TemplateVersion, Answer]()
        self._suggestions = Kept[str, list[Template]]()
        self._look_ups, self._searches = Guard(), Guard()

    def ask(self, versions: Iterable[TemplateVersion]) -> Answers:
        """What is known of each version; those that nothing could be learned of are left out."""
        wanted = list(versions)
        found = self._answers.of(wanted)
        if missing := [version for version in dict.fromkeys(wanted) if version not in found]:
            learned: list[Answers] = []  # grows by a batch, perhaps for longer than is waited for

            def look_up(deadline: float) -> None:
                for start in range(0, len(missing), BATCH):
                    if monotonic() >= deadline:
                        raise TimeoutError(f"no time was left for {len(missing) - start} template versions")
                    learned.append(self._look_up(missing[start : start + BATCH]))

            self._look_ups.run(look_up)
            for answers in tuple(learned):
                found |= answers
        return found

    def kept(self, versions: Iterable[TemplateVersion]) -> Answers:
        """What is known of them without asking."""
        return self._answers.of(versions, KEPT_SECONDS + GRACE_SECONDS)

    def suggest(self, prefix: str) -> list[Template]:
        """The first templates whose ids begin so; none if the catalogue can't be asked."""
        if prefix not in (found := self._suggestions.of([prefix])):
            self._searches.run(lambda _: self._search(prefix))
            found = self._suggestions.of([prefix])
        return found.get(prefix, [])

    def _look_up(self, versions: Sequence[TemplateVersion]) -> Answers:
        given = self._made().look_up(versions)
        answers = {version: given[version] for version in versions if version in given}
        if not all(isinstance(answer, Answer) for answer in answers.values()):
            raise TypeError("it gave something other than an Answer")
        self._answers.keep(answers)
        return answers

    def _search(self, prefix: str) -> None:
        found = self._made().search(prefix, MAX_SUGGESTIONS)[:MAX_SUGGESTIONS]
        self._suggestions.keep({prefix: [Template(name, versions[:MAX_SUGGESTIONS]) for name, versions in found]})

    def _made(self) -> TemplateCatalogue:
        if self._catalogue is None:
            self._catalogue = made(self._path)
        return self._catalogue


def made(path: str) -> TemplateCatalogue:
    """The catalogue that a dotted path names. Raises what importing and calling it raise."""
    catalogue: TemplateCatalogue = import_string(path)()
    return catalogue


@lru_cache(1)
def _asker(path: str) -> Asker:
    return Asker(path)


def asker() -> Asker:
    """The process's only one. TEMPLATE_CATALOGUE must be set."""
    return _asker(settings.TEMPLATE_CATALOGUE)
