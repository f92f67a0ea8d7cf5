"""The list of campaigns: columns, filters, search and actions."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns.admin.paging import LargeTableAdmin
from campaigns.admin.timeline_svg import duration
from campaigns.admin.transitions import change_statuses, may_activate
from campaigns.models import Campaign, CampaignStep, HistoryEntry


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


class CampaignList(LargeTableAdmin):
    """The list page's half of CampaignAdmin."""

    list_display = ("named", "badge", "step_count", "total_duration", "last_change")
    list_filter = ("status", HasStepsFilter, "created_at")
    search_fields = ("name", "external_id")  # what is searched is in get_search_results()
    search_help_text = "Part of a name or external id, or a whole template or template version id"
    sortable_by = ("named", "badge")
    ordering = ("-id",)
    actions = ("activate", "pause", "complete", "archive", "delete_selected")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        last = HistoryEntry.objects.filter(campaign_id=OuterRef("pk")).order_by("-id")
        return Campaign.objects.with_totals().annotate(
            last_actor=Subquery(last.values("actor_name")[:1]), last_changed_at=Subquery(last.values("created_at")[:1])
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Campaign], search_term: str
    ) -> tuple[QuerySet[Campaign], bool]:
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":  # to add a step to one
            queryset = queryset.filter(status__in=Campaign.EDITABLE)
        if not (term := search_term.strip().replace("\x00", "")):
            return queryset, False
        using = CampaignStep.objects.filter(Q(template_id=term) | Q(template_version_id=term)).values("campaign_id")
        found = Q(name__icontains=term) | Q(external_id__icontains=term) | Q(pk__in=using)
        return queryset.filter(found), False

    @admin.display(description="name", ordering="name")
    def named(self, campaign: Campaign) -> SafeString:
        return format_html('{}<span class="external-id">{}</span>', campaign.name, campaign.external_id or "")

    @admin.display(description="status", ordering="status")
    def badge(self, campaign: Campaign) -> SafeString:
        return status_badge(campaign.status)

    @admin.display(description="steps")
    def step_count(self, campaign: Any) -> int:
        count: int = campaign.step_count
        return count

    @admin.display(description="duration")
    def total_duration(self, campaign: Any) -> str:
        return duration(campaign.total_delay_minutes) if campaign.step_count else "-"

    @admin.display(description="last change")
    def last_change(self, campaign: Any) -> SafeString:
        when = campaign.last_changed_at or campaign.updated_at
        return format_html(
            '<time datetime="{}">{}</time> <span class="quiet">{}</span>',
            when.isoformat(timespec="seconds"),
            f"{when:%-d %b %Y, %H:%M}",
            f"by {campaign.last_actor}" if campaign.last_actor else "",
        )

    # --- Actions -----------------------------------------------------------------------------------------------------

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return may_activate(request)

    @admin.action(description="Activate or resume…", permissions=["activate"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return change_statuses(self, request, queryset, Campaign.Status.ACTIVE)

    @admin.action(description="Pause…", permissions=["activate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return change_statuses(self, request, queryset, Campaign.Status.PAUSED)

    @admin.action(description="Complete…", permissions=["activate"])
    def complete(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return change_statuses(self, request, queryset, Campaign.Status.COMPLETED)

    @admin.action(description="Archive…", permissions=["activate"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return change_statuses(self, request, queryset, Campaign.Status.ARCHIVED)
