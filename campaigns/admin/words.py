"""Values and times as people read them on the staff pages."""

import json
from datetime import datetime
from typing import Any

from django.utils import timezone

from campaigns.admin.timeline_svg import duration

ABSENT = "-"


def label(name: str) -> str:
    """A field's name as a person reads it."""
    return name.removesuffix("_minutes").replace("_", " ")


def in_words(name: str, value: Any) -> str:
    """A field's value as a person reads it."""
    if name == "delay_minutes" and isinstance(value, int):
        return duration(value)
    if isinstance(value, dict):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return ABSENT if value is None or value == "" else str(value)


def moment(at: datetime) -> str:
    """A time in the site's zone, which is named: "24 Nov 2026, 23:16:15 UTC"."""
    return f"{timezone.localtime(at):%-d %b %Y, %H:%M:%S %Z}"
