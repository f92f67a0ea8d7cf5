"""What was changed, when, and by whom, whichever way it was changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns.admin.paging import LargeTableAdmin
from campaigns.admin.words import ABSENT, in_words, label, moment
from campaigns.models import Action, ActorType, Campaign, CampaignStep, HistoryEntry
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
    Action.STEPS_SHIFTED: "moved steps down to make room",
    Action.STEPS_REORDERED: "reordered the steps",
    Action.STEPS_REPLACED: "changed the steps",
}
WAYS: dict[str, str] = {ActorType.TOKEN: "API", ActorType.USER: "admin", ActorType.COMMAND: "command"}
COUNTED: dict[str, str] = {  # what the count of an entry is about
    Action.STEPS_ADDED: "steps added",
    Action.STEPS_SHIFTED: "steps moved down",
    Action.STEPS_REORDERED: "steps with another position than before",
}
COUNTS = ("added", "changed", "removed")  # of steps, where many were written at once


def told() -> QuerySet[HistoryEntry]:
    """The history, newest first, with the names that its campaigns and steps have now; None where they are gone."""
    campaigns = Campaign.objects.filter(pk=OuterRef("campaign_id"))
    steps = CampaignStep.objects.filter(campaign_id=OuterRef("campaign_id"), pk=OuterRef("step_id"))
    return HistoryEntry.objects.order_by("-id").annotate(
        campaign_name=Subquery(campaigns.values("name")),
        step_position=Subquery(steps.values("position")),
        step_template=Subquery(steps.values("template_id")),
    )


@dataclass(frozen=True)
class Change:
    """An entry of told() as a person reads it."""

    entry: Any  # a HistoryEntry with more names

    @property
    def verb(self) -> str:
        return str(VERBS.get(self.entry.action, self.entry.action))

    @property
    def way(self) -> str:
        return str(WAYS.get(self.entry.actor_type, self.entry.actor_type))

    @property
    def step(self) -> str:
        """The name of the one step that it tells of, as it was before; "" where it tells of several or none."""
        if self.entry.step_id is None:
            return ""
        now = {"position": self.entry.step_position, "template_id": self.entry.step_template}
        names = now | (self.entry.after or {}) | (self.entry.before or {})
        if names["position"] is None:
            return "a step that is deleted by now"
        return f"position {names['position']}" + (f" ({names['template_id']})" if names["template_id"] else "")

    @property
    def step_url(self) -> str:
        """The page of that step, while there is one."""
        is_stored = self.entry.step_position is not None
        return reverse("admin:campaigns_campaignstep_change", args=[self.entry.step_id]) if is_stored else ""

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
                yield (COUNTED.get(self.entry.action, name) if name == "steps" else label(name)), *shown


def _shown(values: dict[str, Any], name: str) -> str:
    return in_words(name, values.get(name))


def changes(entries: Iterable[HistoryEntry]) -> list[Change]:
    return [Change(entry) for entry in entries]


def told_of(campaign_id: UUID) -> QuerySet[HistoryEntry]:
    """The history of one campaign, newest first."""
    return told().filter(campaign_id=campaign_id)


def last_changes(campaign_id: UUID, limit: int) -> list[Change]:
    """The newest changes of a campaign, newest first."""
    return changes(told_of(campaign_id)[:limit])


def last_entry(campaign_id: UUID) -> str:
    """The id of a campaign's newest entry, for a page to remember; "" where there is none."""
    entries = HistoryEntry.objects.filter(campaign_id=campaign_id).order_by("-id")
    return str(entries.values_list("id", flat=True).first() or "")


def changes_since_entry(campaign_id: UUID, last_entry: str, *, step_id: UUID | None = None) -> list[Change]:
    """What has happened to a campaign since the entry whose id a page remembered; newest first, ten at most.

    With `step_id`, what tells of another step alone is left out.
    """
    entries = told_of(campaign_id)
    if step_id is not None:
        entries = entries.filter(Q(step_id=step_id) | Q(step_id=None))
    try:
        seen = UUID(last_entry)
    except ValueError:
        return changes(entries[:1])
    return changes(entries.filter(pk__gt=seen)[:10])


def changes_since_it_ran(campaign_id: UUID) -> list[Change]:
    """What has happened to a paused campaign since its pause; newest first, ten at most, and none to others."""
    entries = told_of(campaign_id)
    paused = entries.filter(action=Action.CAMPAIGN_PAUSED).values_list("id", flat=True).first()
    return changes(entries.filter(pk__gt=paused)[:10]) if paused else []


def shown_campaign(model_admin: Any, request: HttpRequest, campaign_id: str) -> dict[str, Any]:
    """What each page about a campaign's past has in its context. Raises Http404 or PermissionDenied."""
    campaign = model_admin.get_object(request, campaign_id)
    if campaign is None:
        raise Http404
    if not model_admin.has_view_permission(request, campaign):
        raise PermissionDenied
    shared: dict[str, Any] = model_admin.admin_site.each_context(request)
    return {**shared, "subtitle": str(campaign), "opts": model_admin.opts, "object": campaign}


def _link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


@admin.register(HistoryEntry)
class HistoryEntryAdmin(LargeTableAdmin):
    """Every change of every campaign, those that are deleted included. Read-only: history isn't rewritten."""

    list_display = ("when", "actor_name", "way", "what", "step", "campaign")
    list_filter = ("action", "actor_type")
    search_fields = ("campaign_id",)
    search_help_text = "A campaign's id"
    sortable_by = ()
    actions = None
    fields = (
        "when",
        "actor_name",
        "actor_id",
        "actor_issuer",
        "way",
        "what",
        "campaign",
        "campaign_id",
        "step",
        "changed",
    )
    readonly_fields = fields

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}  # noqa: RUF012 - as Django declares it

    def get_queryset(self, request: HttpRequest) -> QuerySet[HistoryEntry]:
        return told()

    @admin.display(description="when")
    def when(self, entry: HistoryEntry) -> str:
        return moment(entry.created_at)

    @admin.display(description="by way of")
    def way(self, entry: HistoryEntry) -> str:
        return Change(entry).way

    @admin.display(description="what")
    def what(self, entry: HistoryEntry) -> str:
        return Change(entry).verb

    @admin.display(description="step")
    def step(self, entry: HistoryEntry) -> str:
        change = Change(entry)
        return _link(change.step_url, change.step) if change.step_url else change.step or ABSENT

    @admin.display(description="campaign")
    def campaign(self, entry: Any) -> str:
        if entry.campaign_name is None:
            return f"deleted ({entry.campaign_id})"
        return _link(reverse("admin:campaigns_campaign_change", args=[entry.campaign_id]), entry.campaign_name)

    @admin.display(description="changes")
    def changed(self, entry: HistoryEntry) -> str:
        return render_to_string("admin/campaigns/campaign/changed_fields.html", {"change": Change(entry)})

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
