"""What was changed, when, and by whom, whichever way it was changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest

from campaigns.admin.paging import LargeTableAdmin
from campaigns.admin.words import ABSENT, in_words, moment
from campaigns.models import Action, ActorType, HistoryEntry
from campaigns.rules import CAMPAIGN_FIELDS, STEP_FIELDS

VERBS: dict[str, str] = {
    Action.CAMPAIGN_CREATED: "created the campaign",
    Action.CAMPAIGN_CHANGED: "changed the campaign",
    Action.CAMPAIGN_DELETED: "deleted the campaign",
    Action.CAMPAIGN_DUPLICATED: "made it as a duplicate",
    Action.CAMPAIGN_ACTIVATED: "activated it",
    Action.CAMPAIGN_PAUSED: "paused it",
    Action.CAMPAIGN_COMPLETED: "completed it",
    Action.CAMPAIGN_ARCHIVED: "archived it",
    Action.CAMPAIGN_SEEDED: "loaded it in bulk",
    Action.STEP_ADDED: "added a step",
    Action.STEP_CHANGED: "changed a step",
    Action.STEP_DELETED: "deleted a step",
    Action.STEPS_ADDED: "added steps",
    Action.STEPS_SHIFTED: "moved steps up to make room",
    Action.STEPS_REORDERED: "reordered the steps",
    Action.STEPS_REPLACED: "changed the steps",
}
WAYS: dict[str, str] = {ActorType.TOKEN: "API", ActorType.USER: "admin", ActorType.COMMAND: "command"}
COUNTS = ("added", "changed", "removed")  # of steps, where many were written at once


@dataclass(frozen=True)
class Change:
    """A history entry as a person reads it."""

    entry: HistoryEntry

    @property
    def verb(self) -> str:
        return VERBS.get(self.entry.action, self.entry.action)

    @property
    def way(self) -> str:
        return WAYS.get(self.entry.actor_type, self.entry.actor_type)

    @property
    def fields(self) -> Iterator[tuple[str, str, str]]:
        """(field, before, after) of what changed."""
        before, after = self.entry.before or {}, self.entry.after or {}
        # PostgreSQL's jsonb doesn't keep the order of names.
        known = [name for name in (*CAMPAIGN_FIELDS, *STEP_FIELDS) if name in before or name in after]
        for name in dict.fromkeys([*known, *sorted({*before, *after})]):
            shown = (_shown(before, name), _shown(after, name))
            is_empty_count = name in COUNTS and not after.get(name)
            if shown != (ABSENT, ABSENT) and not is_empty_count:
                yield name.removesuffix("_minutes").replace("_", " "), *shown


def _shown(values: dict[str, Any], name: str) -> str:
    return in_words(name, values.get(name))


def changes(entries: Iterable[HistoryEntry]) -> list[Change]:
    return [Change(entry) for entry in entries]


def last_changes(campaign_id: UUID, limit: int) -> list[Change]:
    """The newest changes of a campaign, newest first."""
    return changes(HistoryEntry.objects.filter(campaign_id=campaign_id).order_by("-id")[:limit])


def last_entry(campaign_id: UUID) -> str:
    """The id of a campaign's newest entry, for a page to remember; "" where there is none."""
    entries = HistoryEntry.objects.filter(campaign_id=campaign_id).order_by("-id")
    return str(entries.values_list("id", flat=True).first() or "")


def changes_since(campaign_id: UUID, last_entry: str, *, step_id: UUID | None = None) -> list[Change]:
    """What has happened to a campaign since the entry whose id a page remembered; newest first, ten at most.

    With `step_id`, what tells of another step alone is left out.
    """
    entries = HistoryEntry.objects.filter(campaign_id=campaign_id).order_by("-id")
    if step_id is not None:
        entries = entries.filter(Q(step_id=step_id) | Q(step_id=None))
    try:
        seen = UUID(last_entry)
    except ValueError:
        return changes(entries[:1])
    return changes(entries.filter(pk__gt=seen)[:10])


def changes_since_it_ran(campaign_id: UUID) -> list[Change]:
    """What has happened to a paused campaign since its pause; newest first, ten at most, and none to others."""
    entries = HistoryEntry.objects.filter(campaign_id=campaign_id).order_by("-id")
    paused = entries.filter(action=Action.CAMPAIGN_PAUSED).values_list("id", flat=True).first()
    return changes(entries.filter(pk__gt=paused)[:10]) if paused else []


@admin.register(HistoryEntry)
class HistoryEntryAdmin(LargeTableAdmin):
    """Every change of every campaign, those that are deleted included. Read-only: history isn't rewritten."""

    list_display = ("when", "actor_name", "way", "action", "campaign_id")
    list_filter = ("action", "actor_type")
    search_fields = ("campaign_id",)
    search_help_text = "A campaign's id"
    sortable_by = ()
    actions = None

    @admin.display(description="when")
    def when(self, entry: HistoryEntry) -> str:
        return moment(entry.created_at)

    @admin.display(description="by way of")
    def way(self, entry: HistoryEntry) -> str:
        return Change(entry).way

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(campaign_id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
