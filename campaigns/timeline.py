"""When each step of a campaign would be sent: offsets from the start, and instants for a given start."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import QuerySet

from campaigns.models import CampaignStep
from messaging_project import compiled


def steps_to_plan(campaign_id: UUID) -> list[Any]:
    """The steps of a campaign by position, as rows with what a plan needs of them."""
    return compiled.rows(_steps, campaign_id)


def _steps(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
    return steps.values_list("id", "position", "delay_minutes")


class BeyondCalendar(Exception):
    """A step would be sent outside the years 1 to 9999, in UTC or in the requested zone."""


class PlannedStep(NamedTuple):
    """A step or its row, its offset from the start in minutes, and the instant in UTC and in the requested zone."""

    step: Any
    offset_minutes: int
    at: datetime
    at_local: datetime


def offsets(steps: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    """Each step with the minutes from the recipient's entry to its sending: the running sum of the delays."""
    offset = 0
    for step in steps:
        offset += step.delay_minutes
        yield step, offset


def plan(steps: Iterable[Any], start: datetime, zone: ZoneInfo) -> list[PlannedStep]:
    """When `steps`, in ascending position, would be sent to a recipient who enters at `start` (aware).

    Delays are elapsed minutes, so they are added in UTC: when the clocks change, local times differ by more or less.
    Raises BeyondCalendar.
    """
    planned = []
    start = start.astimezone(UTC)
    try:
        for step, offset in offsets(steps):
            at = start + timedelta(minutes=offset)
            planned.append(PlannedStep(step, offset, at, at.astimezone(zone)))
    except OverflowError as error:
        raise BeyondCalendar from error
    return planned


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError."""
    if name not in _zone_names():
        raise ValueError(name)
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})  # of no place, and of this machine's place
