"""Template filters of the staff pages."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template

from campaigns.admin import overview as first_page
from campaigns.admin import timeline_svg, words

register = template.Library()


@register.filter
def at(mapping: Mapping[str, Any], key: str) -> Any:
    """The value of a key that isn't known to the template; an empty text if it is missing."""
    return mapping.get(key, "")


@register.filter
def duration(minutes: int) -> str:
    return timeline_svg.duration(minutes)


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def moment(at: datetime) -> str:
    return words.moment(at)


@register.simple_tag
def overview() -> first_page.Overview:
    return first_page.overview()
