"""Staff pages: campaigns, their steps and the history, to look at.

Nothing is written here: a stock form saves past the rules on states, positions and history.
"""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from campaigns.history import HistoryEntry
from campaigns.models import Campaign, CampaignStep


class ReadOnlyAdmin(admin.ModelAdmin):
    """Pages that show and never write."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CampaignStepInline(admin.TabularInline):
    model = CampaignStep
    fields = ("position", "delay_minutes", "template_id", "template_version_id", "variables")
    ordering = ("position",)
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ("name", "status", "external_id", "updated_at")
    list_filter = ("status",)
    search_fields = ("name", "external_id")
    fields = ("name", "external_id", "description", "status", "created_at", "updated_at")
    inlines = (CampaignStepInline,)


@admin.register(CampaignStep)
class CampaignStepAdmin(ReadOnlyAdmin):
    list_display = ("campaign", "position", "delay_minutes", "template_id", "template_version_id")
    list_select_related = ("campaign",)
    search_fields = ("template_id", "template_version_id")
    fields = ("campaign", "position", "delay_minutes", "template_id", "template_version_id", "variables")


@admin.register(HistoryEntry)
class HistoryEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "action", "actor_name", "campaign_id", "step_id")
    list_filter = ("action", "actor_type")
