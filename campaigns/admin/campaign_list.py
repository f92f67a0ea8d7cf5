"""The list of campaigns: columns, filters, search and actions."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns.admin.status_actions import SEEN, change_statuses
from campaigns.admin.timeline_svg import duration
from campaigns.admin.words import moment
from campaigns.models import Campaign, CampaignStep, HistoryEntry
from campaigns.statuses import STATUSES, StatusRow


class HasStepsFilter(admin.SimpleListFilter):
    title = "steps"
    parameter_name = "steps"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("some", "With steps"), ("none", "Without steps")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> QuerySet[Campaign]:
        has_steps = Exists(CampaignStep.objects.filter(campaign_id=OuterRef("pk")))
        match self.value():
            case "some":
                return queryset.filter(has_steps)
            case "none":
                return queryset.filter(~has_steps)
        return queryset


def status_badge(status: str) -> SafeString:
    return format_html('<span class="badge badge-{0}">{0}</span>', status)


def annotated() -> QuerySet[Campaign]:
    """Campaigns with all that the columns show."""
    last = HistoryEntry.objects.filter(campaign_id=OuterRef("pk")).order_by("-id")
    return Campaign.objects.with_totals().annotate(
        last_entry=Subquery(last.values("id")[:1]),
        last_actor=Subquery(last.values("actor_name")[:1]),
        last_changed_at=Subquery(last.values("created_at")[:1]),
    )


def found(campaigns: QuerySet[Campaign], term: str) -> QuerySet[Campaign]:
    """Those with a part of the term in name or external id, or with it as a whole template or version id."""
    if not (term := term.strip().replace("\x00", "")):
        return campaigns
    using = CampaignStep.objects.filter(Q(template_id=term) | Q(template_version_id=term)).values("campaign_id")
    return campaigns.filter(Q(name__icontains=term) | Q(external_id__icontains=term) | Q(pk__in=using))


# --- Columns ---------------------------------------------------------------------------------------------------------


@admin.display(description="name", ordering="name")
def named(campaign: Campaign) -> SafeString:
    return format_html('{}<span class="external-id">{}</span>', campaign.name, campaign.external_id or "")


@admin.display(description="status", ordering="status")
def badge(campaign: Campaign) -> SafeString:
    return status_badge(campaign.status)


@admin.display(description="steps")
def step_count(campaign: Any) -> int:
    count: int = campaign.totals.step_count
    return count


@admin.display(description="duration")
def total_duration(campaign: Any) -> str:
    return duration(campaign.totals.total_delay_minutes) if campaign.totals.step_count else "-"


@admin.display(description="last change")
def last_change(campaign: Any) -> SafeString:
    when = campaign.last_changed_at or campaign.updated_at
    return format_html(
        '<time datetime="{}">{}</time> <span class="quiet">{}</span>',
        when.isoformat(timespec="seconds"),
        moment(when),
        f"by {campaign.last_actor}" if campaign.last_actor else "",
    )


COLUMNS: tuple[Callable[[Any], Any], ...] = (named, badge, step_count, total_duration, last_change)
SORTABLE: Any = (named, badge)


def seen(campaign: Any) -> SafeString:
    """Tells the actions which change of the campaign the list shows as its last."""
    return format_html('<input type="hidden" name="{}{}" value="{}">', SEEN, campaign.pk, campaign.last_entry or "")


# --- Actions ---------------------------------------------------------------------------------------------------------


def status_action(target: str, row: StatusRow) -> Callable[..., HttpResponse | None]:
    """The list's action that takes campaigns to a status."""
    verb = "Activate or resume" if target == Campaign.Status.ACTIVE else row.verb

    @admin.action(description=f"{verb}…", permissions=["activate"])
    def action(model_admin: Any, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return change_statuses(model_admin, request, queryset, target)

    action.__name__ = row.verb.lower()
    return action


ACTIONS = tuple(status_action(target, row) for target, row in STATUSES.items() if row.verb)
