"""The picture of a campaign's steps along a time axis: geometry for the template `campaigns/timeline.html`.

Widths are percentages and heights pixels, so that the drawing follows the page without any script and its text keeps
its size. Each step has a row: its template above, below it a bar from the step before to the step itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from campaigns.admin.numbers import parse_number

HOUR, DAY = 60, 24 * 60  # in minutes, as delays are
AXIS_HEIGHT, ROW_HEIGHT = 30, 44
LEFT, RIGHT = 1.0, 99.0  # per cent of the width, so that the outermost dots aren't cut
MAX_TICKS = 5
TICK_INTERVALS = (1, 5, 15, 30, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
WIDE, NARROW = 30, 13  # characters of an id on a wide and on a narrow page


class DrawnStep(NamedTuple):
    """What the picture needs of a step."""

    delay_minutes: int
    template_id: str
    template_version_id: str
    position: int


@dataclass(frozen=True)
class Place:
    """Where the drawn steps stand in a campaign of which they are a part; by default they are all.

    `start`: the offset in minutes that the earlier steps add up to. `follows`: whether there are any. `total`: the
    number of all steps, or 0.
    """

    start: int = 0
    follows: bool = False
    total: int = 0

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Place":
        """From a query string, as str() makes it; what isn't a number counts as 0."""
        start, follows, total = (parse_number(query.get(name, ""), 15) or 0 for name in ("start", "follows", "total"))
        return cls(start, bool(follows), total)

    def __str__(self) -> str:
        return urlencode({"start": self.start, "follows": int(self.follows), "total": self.total})


@dataclass(frozen=True)
class Row:
    is_first: bool
    step: DrawnStep
    offset: int  # minutes from the start
    start: float  # per cent: where the step before it is
    x: float  # per cent
    top: int

    @property
    def text_y(self) -> int:
        return self.top + 16

    @property
    def bar_y(self) -> int:
        return self.top + 29

    @property
    def delay(self) -> str:
        return duration(self.step.delay_minutes)

    @property
    def after(self) -> str:
        """What the delay counts from; not needed for a step at the very start."""
        if self.is_first:
            return " after entering" if self.step.delay_minutes else ""
        return " after the previous"

    @property
    def at(self) -> str:
        return f"at {duration(self.offset)}" if self.offset else "at the start"

    @property
    def label(self) -> str:
        return f"{shorten(self.step.template_id, WIDE)} · {shorten(self.step.template_version_id, WIDE)}"

    @property
    def narrow_label(self) -> str:
        return f"{shorten(self.step.template_id, NARROW)} · {shorten(self.step.template_version_id, NARROW)}"


@dataclass(frozen=True)
class Tick:
    x: float
    label: str

    @property
    def anchor(self) -> str:
        return "start" if self.x < 5 else "end" if self.x > 95 else "middle"


def draw(steps: Sequence[DrawnStep], place: Place | None = None, *, omitted: int = 0) -> SafeString:
    """The figure as HTML. `omitted`: how many steps aren't drawn, since they aren't complete."""
    place = place or Place()
    start = place.start
    offsets = list(accumulate((step.delay_minutes for step in steps), initial=start))
    end = offsets[-1]
    rows = [
        Row(
            is_first=index == 0 and not place.follows,
            step=step,
            offset=offsets[index + 1],
            start=_x(offsets[index] - start, end - start),
            x=_x(offsets[index + 1] - start, end - start),
            top=AXIS_HEIGHT + index * ROW_HEIGHT,
        )
        for index, step in enumerate(steps)
    ]
    context = {
        "drawn": rows,
        "ticks": list(_ticks(start, end)),
        "height": AXIS_HEIGHT + len(rows) * ROW_HEIGHT + 4,
        "place": place,
        "begin": duration(start) if start else "the start",
        "end": duration(end),
        "omitted": omitted,
    }
    return render_to_string("campaigns/timeline.html", context)


def _x(minutes: int, total: int) -> float:
    return round(LEFT + (RIGHT - LEFT) * minutes / total, 3) if total else LEFT


def _ticks(start: int, end: int) -> Iterable[Tick]:
    total = end - start
    interval = next((each for each in TICK_INTERVALS if total / each <= MAX_TICKS), 0)
    if not interval:  # months and years, in multiples of 30 days
        interval = 30 * DAY
        while total / interval > MAX_TICKS:
            interval *= 2
    for minutes in range(-(-start // interval) * interval, end + 1, interval):
        yield Tick(_x(minutes - start, total), duration(minutes) if minutes else "start")


def duration(minutes: int) -> str:
    """Minutes as a person says them: "2 d 4 h", "5 min", "at once" for none."""
    days, rest = divmod(minutes, DAY)
    hours, minutes = divmod(rest, HOUR)
    parts = [f"{days:,} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part) or "at once"


def shorten(text: str, length: int) -> str:
    """`text`, its middle left out where it is longer than `length`: ids differ at their ends."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[-(length - 1 - head) :]}"
