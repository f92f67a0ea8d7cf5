"""The pages of single steps, across all campaigns: which campaigns use this template version?"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns import rules
from campaigns.admin.campaign_list import status_badge
from campaigns.admin.deletion import DomainDeletion
from campaigns.admin.fields import step_fields
from campaigns.admin.history_page import changes_since_entry, last_entry
from campaigns.admin.merging import OVERWRITE, Merge, Shown, with_choices
from campaigns.admin.paging import LargeTableAdmin
from campaigns.admin.refusals import not_editable
from campaigns.admin.replace_version import replace_version
from campaigns.admin.saving import DomainForm, DomainSaving
from campaigns.admin.template_suggestions import suggestions_url
from campaigns.admin.timeline_svg import duration
from campaigns.exceptions import CampaignsError, PositionTaken, VersionMismatch
from campaigns.history import Actor
from campaigns.models import Campaign, CampaignStep
from campaigns.rules import StepFields
from campaigns.steps import add_step, change_step, remove_step


class StepPageForm(DomainForm):
    """One step."""

    page_version = forms.CharField(required=False, widget=forms.HiddenInput)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)  # digests of what the page shows
    last_entry = forms.CharField(required=False, widget=forms.HiddenInput)  # of the history, as the page was opened

    class Meta:
        model = CampaignStep
        fields = ("campaign", *rules.STEP_FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {name: field for name, field in step_fields(AdminTextInputWidget).items() if name in self.fields}
        if self.instance._state.adding:
            return
        if not self.is_bound:
            fields = self.instance.fields._asdict()
            last = last_entry(self.instance.campaign_id)
            self.initial.update(page_version=self.instance.etag, shown=str(Shown.of(fields)), last_entry=last)
        elif OVERWRITE in self.data:
            self.data = with_choices(self.data, self.fields.get, self.instance.fields._asdict().__getitem__)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance._state.adding and self._held != self.instance.etag:
            self.refuse(VersionMismatch(self.instance.etag))
        return cleaned

    @property
    def _held(self) -> str:
        """The version that the page holds, or the one that it was merged with, where that is to be saved over."""
        held: str = self.data.get("overwrite" if OVERWRITE in self.data else "page_version", "")
        return held

    def merged(self) -> "StepPageForm":
        stored = self.instance.fields._asdict()
        merge = Merge.of_page(self.data)
        data = merge.data
        data |= merge.fields(self, stored, merge.shown.fields)
        data |= {"merged_with": str(Shown.of(stored)), "overwrite": self.instance.etag}
        form = type(self)(data, instance=self.instance)
        form.is_valid()
        form.merge = merge
        return form

    def field_of(self, refusal: CampaignsError) -> str | None:
        return "position" if isinstance(refusal, PositionTaken) else None

    def save_step(self, actor: Actor, *, change: bool) -> CampaignStep:
        """Raises what change_step() or add_step() raises."""
        fields = StepFields(*(self.cleaned_data[name] for name in rules.STEP_FIELDS))
        if not change:
            return add_step(self.cleaned_data["campaign"].pk, fields, actor=actor)
        step = self.instance
        return change_step(step.campaign_id, step.pk, fields._asdict(), actor=actor, if_match=(self._held,))


@admin.register(CampaignStep)
class CampaignStepAdmin(DomainSaving, DomainDeletion, LargeTableAdmin):
    form = StepPageForm
    fields = ("campaign", *rules.STEP_FIELDS)
    autocomplete_fields = ("campaign",)
    list_display = ("template_id", "template_version_id", "campaign_link", "status", "position", "delay")
    list_select_related = ("campaign",)
    list_filter = ("campaign__status",)
    search_fields = ("template_id",)  # what is searched is in get_search_results()
    search_help_text = "A whole template id or template version id: which campaigns use it?"
    sortable_by = ()
    # The unique index backwards: newest campaigns first, and only each one's own steps are sorted.
    ordering = ("-campaign_id", "position")
    actions = ("replace_template_version", "delete_selected")
    change_form_template = "admin/campaigns/campaignstep/change_form.html"

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}  # noqa: RUF012 - as Django declares it

    # --- List --------------------------------------------------------------------------------------------------------

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CampaignStep], search_term: str
    ) -> tuple[QuerySet[CampaignStep], bool]:
        if not (term := search_term.strip().replace("\x00", "")):
            return queryset, False
        return queryset.filter(Q(template_id=term) | Q(template_version_id=term)), False

    @admin.display(description="campaign")
    def campaign_link(self, step: CampaignStep) -> SafeString:
        url = reverse("admin:campaigns_campaign_change", args=[quote(step.campaign_id)])
        return format_html('<a href="{}">{}</a>', url, step.campaign)

    @admin.display(description="status")
    def status(self, step: CampaignStep) -> SafeString:
        return status_badge(step.campaign.status)

    @admin.display(description="delay")
    def delay(self, step: CampaignStep) -> str:
        return duration(step.delay_minutes)

    @admin.action(description="Replace template version…", permissions=["change"])
    def replace_template_version(self, request: HttpRequest, queryset: QuerySet[CampaignStep]) -> HttpResponse | None:
        return replace_version(self, request, queryset)

    # --- One step ----------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A page that was opened before the campaign was activated may still be sent: its answer keeps what was typed.
        can_be = request.method == "POST" or not isinstance(obj, CampaignStep) or obj.campaign.is_editable
        return can_be and super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CampaignStep]:
        return CampaignStep.objects.select_related("campaign")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("campaign",) if obj else ()  # a step stays in its campaign

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = Campaign.objects.filter(status__in=Campaign.EDITABLE)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "campaign" and field is not None:
            for link in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, link, False)
        return field

    def save_by_domain(self, request: HttpRequest, form: StepPageForm, actor: Actor, change: bool) -> CampaignStep:
        return form.save_step(actor, change=change)

    def complete(self, request: HttpRequest, context: dict[str, Any], obj: Any) -> None:
        form = context["adminform"].form
        context["templates_url"] = suggestions_url()
        if obj is None or not isinstance(form.refusal, VersionMismatch):
            return
        context |= {
            "conflict": changes_since_entry(obj.campaign_id, form.data.get("last_entry", ""), step_id=obj.pk),
            "overwrite": form.data.get("overwrite", ""),
            "merged_with": form.data.get("merged_with", ""),
            "merge": form.merge,
            "is_still_editable": obj.campaign.is_editable,
        }

    def shown_version(self, obj: CampaignStep) -> str:
        return obj.etag

    def name_of(self, obj: CampaignStep) -> str:
        return f"Position {obj.position} of “{obj.campaign}”"

    def why_not_deletable(self, obj: CampaignStep) -> str:
        return "" if obj.campaign.is_editable else not_editable(obj.campaign.status)

    def delete_shown(self, obj: CampaignStep, shown: str, actor: Actor) -> None:
        remove_step(obj.campaign_id, obj.pk, actor=actor, if_match=(shown,))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """A step's history is its campaign's."""
        step = self.get_object(request, object_id)
        campaign_id: UUID | None = getattr(step, "campaign_id", None)
        if campaign_id is None:
            raise Http404
        return redirect("admin:campaigns_campaign_history", campaign_id)
