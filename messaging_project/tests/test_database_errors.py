"""The pause before a transaction is tried again."""

import pytest

from messaging_project import database_errors
from messaging_project.database_errors import pause


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been slept."""
    seconds: list[float] = []
    monkeypatch.setattr(database_errors, "sleep", seconds.append)
    return seconds


@pytest.mark.parametrize(("lost", "longest"), [(1, 0.05), (2, 0.1), (3, 0.2), (10, 0.5)])
def test_pauses_are_spread_from_nothing_to_a_bound_that_grows(slept: list[float], lost: int, longest: float) -> None:
    for _ in range(1_000):
        pause(lost)
    assert 0 <= min(slept) < longest / 10
    assert longest * 9 / 10 < max(slept) <= longest
    assert len(set(slept)) > 900
