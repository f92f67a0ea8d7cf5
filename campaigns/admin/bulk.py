"""Work on many objects of a list: the groups of the page that asks, what it sends, and the message about the result."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from messaging_project.ids import parse_uuid

MAX_AT_ONCE = 2_000  # each is written by itself, and the page waits for all
BATCH = 500
MAX_LISTED = 100  # of each group on the page that asks
MAX_NAMED = 20  # in the message


@dataclass
class Group:
    """Objects with one outcome. `refusal` says why they will be left as they are; "" for those that will be changed."""

    refusal: str
    rows: list[Any] = field(default_factory=list)

    @property
    def listed(self) -> list[Any]:
        return self.rows[:MAX_LISTED]

    @property
    def omitted(self) -> int:
        return len(self.rows) - len(self.listed)


def refuse_too_many(request: HttpRequest, chosen: QuerySet[Any], limit: int, name: str) -> None:
    """Say that the choice is beyond the limit. A page's rows never are: all of the list were chosen."""
    messages.error(
        request,
        f"You chose {chosen.count():,} {name}, and at most {limit:,} are taken at once. "
        "Narrow the list by its search and filters, or choose page by page.",
    )


def grouped(rows: Iterable[tuple[str, Any]]) -> list[Group]:
    """The rows by their refusals, those that will be changed first."""
    groups: dict[str, Group] = {"": Group("")}
    for refusal, row in rows:
        groups.setdefault(refusal, Group(refusal)).rows.append(row)
    return [group for group in groups.values() if group.rows]


def asked(versions: Mapping[str, str]) -> dict[str, Any]:
    """What the page that asks sends, for versions_sent() to read: the version that it showed of each object, by id."""
    return {
        "count": len(versions),
        "shown": json.dumps(versions),
        "first": next(iter(versions), ""),  # Django asks for one
    }


def versions_sent(request: HttpRequest) -> dict[str, str]:
    """The version that the page showed of each object that it asked for, by id."""
    try:
        found = json.loads(request.POST.get("shown", ""))
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def sent(queryset: QuerySet[Any], chosen: Iterable[Any], versions: Mapping[str, str]) -> Iterator[Any]:
    """The objects that a page asked for, by its choice or its versions, read a batch at a time."""
    ids = list({*(obj.pk for obj in chosen), *_ids(versions)})[:MAX_AT_ONCE]
    for start in range(0, len(ids), BATCH):
        yield from queryset.filter(pk__in=ids[start : start + BATCH])


def _ids(versions: Mapping[str, str]) -> Iterator[UUID]:
    return filter(None, map(parse_uuid, versions))


@dataclass
class Outcome:
    """What became of each: one message says it."""

    done: int = 0
    gone: int = 0
    left: list[str] = field(default_factory=list)  # a name and the reason each

    def say(self, request: HttpRequest, verb: str, counted: Any) -> None:
        parts = [f"{counted(self.done)} {verb}."] if self.done else []
        if self.gone:
            parts.append(f"{counted(self.gone)} had been deleted already.")
        if self.left:
            were = "was left as it is" if len(self.left) == 1 else "were left as they are"
            parts += [f"{counted(len(self.left))} {were}:", *self.left[:MAX_NAMED]]
        if len(self.left) > MAX_NAMED:
            parts.append(f"And {len(self.left) - MAX_NAMED:,} more.")
        if parts:
            level = messages.WARNING if self.left or self.gone else messages.SUCCESS
            messages.add_message(request, level, " ".join(parts))
