"""The page of one campaign: its fields, its steps, its picture, its buttons."""

from collections.abc import Iterable
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString

from campaigns import lifecycle
from campaigns.admin import campaign_list
from campaigns.admin.campaign_form import (
    BaseStepFormSet,
    CampaignForm,
    bound_steps,
    step_formset,
    too_large_to_edit,
    with_more_rows,
)
from campaigns.admin.campaign_list import HasStepsFilter, status_badge
from campaigns.admin.deletion import DomainDeletion
from campaigns.admin.history_page import changes, changes_since_entry, last_changes, shown_campaign, told_of
from campaigns.admin.page_version import PageVersion
from campaigns.admin.paging import BoundedPaginator, LargeTableAdmin, page_number
from campaigns.admin.refusals import not_editable, staff_message
from campaigns.admin.revisions_page import revision_view, revisions_view
from campaigns.admin.saving import DomainSaving
from campaigns.admin.stored_steps import MAX_FOUND, SEARCH, found_steps, place_of, steps_page, stored_steps
from campaigns.admin.template_suggestions import suggestions_url, suggestions_view
from campaigns.admin.timeline_svg import DrawnStep, Place, draw
from campaigns.admin.transitions import allowed_transitions, duplicate_view, may_activate, status_view, step_places
from campaigns.catalogue import TemplateVersion
from campaigns.catalogue.findings import ask_about, ask_of
from campaigns.exceptions import NotDeletable, VersionMismatch
from campaigns.history import Actor
from campaigns.models import Campaign
from campaigns.parts import WHOLE
from campaigns.readiness import Readiness, check_readiness
from campaigns.seeding.exporting import export
from campaigns.statuses import DELETABLE
from campaigns.steps import locked
from messaging_project.ids import parse_uuid

STEP_PERMISSIONS = ("campaigns.add_campaignstep", "campaigns.change_campaignstep", "campaigns.delete_campaignstep")
ADD_ROWS = "_add_rows"  # the button of pages without JavaScript
EXPORTS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


def may_edit_steps(request: HttpRequest) -> bool:
    return request.user.has_perms(STEP_PERMISSIONS)


@admin.register(Campaign)
class CampaignAdmin(DomainSaving, DomainDeletion, LargeTableAdmin):
    list_display = campaign_list.COLUMNS
    list_filter = ("status", HasStepsFilter, "created_at")
    search_fields = ("name", "external_id")  # what is searched is in campaign_list.found()
    search_help_text = "Part of a name or external id, or a whole template or template version id"
    sortable_by = campaign_list.SORTABLE
    ordering = ("-id",)
    actions = (*campaign_list.ACTIONS, "delete_selected")
    form = CampaignForm
    fields = ("name", "external_id", "description")
    change_form_template = "admin/campaigns/campaign/change_form.html"

    class Media:
        css = {"all": ("campaigns/campaigns.css",)}  # noqa: RUF012 - as Django declares it

    def get_urls(self) -> list[URLPattern]:
        def view(name: str, route: str, function: Any) -> URLPattern:
            pattern: URLPattern = path(route, self.admin_site.admin_view(function), name=f"campaigns_campaign_{name}")
            return pattern

        return [
            view("status", "<uuid:campaign_id>/status/<slug:target>/", partial(status_view, self)),
            view("duplicate", "<uuid:campaign_id>/duplicate/", partial(duplicate_view, self)),
            view("export", "<uuid:campaign_id>/steps.<slug:format>", self.export_view),
            view("revisions", "<uuid:campaign_id>/revisions/", partial(revisions_view, self)),
            view("revision", "<uuid:campaign_id>/revisions/<int:number>/", partial(revision_view, self)),
            view("templates", "templates/", suggestions_view),
            view("timeline", "timeline/", self.timeline_view),
            *super().get_urls(),
        ]

    # --- The list ----------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return campaign_list.annotated()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Campaign], search_term: str
    ) -> tuple[QuerySet[Campaign], bool]:
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":  # to add a step to one
            queryset = queryset.filter(status__in=Campaign.EDITABLE)
        return campaign_list.found(queryset, search_term), False

    def action_checkbox(self, obj: Campaign) -> SafeString:
        return super().action_checkbox(obj) + campaign_list.seen(obj)

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return may_activate(request)

    # --- Showing -----------------------------------------------------------------------------------------------------

    def complete(self, request: HttpRequest, context: dict[str, Any], obj: Campaign | None) -> None:
        form = context["adminform"].form
        context |= self._shown_steps(request, obj, form)
        if form.steps is not None and form.steps.is_bound:
            context["errors"] = [*context["errors"], *filter(None, form.steps.errors)]
            context["faults"] = form.faults
        context |= {
            "show_save_and_add_another": False,
            "may_activate": may_activate(request),
            "timeline_url": reverse("admin:campaigns_campaign_timeline"),
            "templates_url": suggestions_url(),
        }
        if obj is not None:
            context |= self._shown_state(request, obj) | self._shown_refusal(obj, form)

    def _shown_steps(self, request: HttpRequest, obj: Any, form: CampaignForm) -> dict[str, Any]:
        """The formset where the steps can be edited, else the steps; and the picture of either."""
        may_edit = may_edit_steps(request) and (
            self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        )
        if form.steps is not None:
            place = place_of(obj, form.part) if obj is not None else Place()
            page = steps_page(request, obj) if form.part != WHOLE and form.part.has_places else None
            return {
                "step_formset": form.steps,
                "timeline": draw_formset(form.steps, place),
                "place": place,
                "page": page,
            }
        if obj is None:
            return {"step_formset": step_formset() if may_edit else None, "timeline": draw([])}
        shown = stored_steps(request, obj)
        too_large = too_large_to_edit(shown["steps"])
        if shown["page"] and (term := request.GET.get(SEARCH, "").strip().replace("\x00", "")):
            shown |= {"term": term, "found": found_steps(obj, term), "max_found": MAX_FOUND}
        elif may_edit and obj.is_editable and not too_large:
            shown["step_formset"] = step_formset(shown["steps"])
            form.show_steps(shown["steps"], shown["part"])
        else:
            shown["why_read_only"] = self._why_read_only(obj, may_edit, too_large)
        return shown

    @staticmethod
    def _why_read_only(obj: Campaign, may_edit: bool, too_large: bool) -> str:
        if not may_edit:
            return ""
        if not obj.is_editable:
            return not_editable(obj.status)
        if too_large:
            return "Its variables are too large to be edited on one page: open a single step to edit it."
        return ""

    def _shown_state(self, request: HttpRequest, obj: Campaign) -> dict[str, Any]:
        readiness = check_readiness(obj.pk, ask_about(obj.pk)) if obj.is_editable else Readiness()
        may_pause = may_activate(request) and Campaign.Status.PAUSED in obj.allowed_targets
        return {
            "badge": status_badge(obj.status),
            "transitions": allowed_transitions(request, obj),
            "readiness": readiness,
            "step_places": step_places(obj, readiness),
            "can_duplicate": self.has_add_permission(request),
            "can_pause_and_edit": may_pause and may_edit_steps(request) and self.has_change_permission(request, obj),
            "can_resume": may_activate(request) and obj.status == Campaign.Status.PAUSED,
            "recent_changes": last_changes(obj.pk, 5),
        }

    @staticmethod
    def _shown_refusal(obj: Campaign, form: CampaignForm) -> dict[str, Any]:
        """Who changed what meanwhile, and the version that a deliberate overwriting save would replace."""
        if not isinstance(form.refusal, VersionMismatch):
            return {}
        held = PageVersion.parse(form.data.get("page_version", ""))
        return {
            "conflict": changes_since_entry(obj.pk, held.last_entry),
            "overwrite": form.data.get("overwrite", ""),
            "merged_with": form.data.get("merged_with", ""),
            "merge": form.merge,
            "is_still_editable": obj.is_editable or form.steps is None,
        }

    def timeline_view(self, request: HttpRequest) -> HttpResponse:
        """The picture of unsaved steps, from a POST of the page's rows. Nothing is stored."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponse(draw_formset(bound_steps(request.POST), Place.parse(request.GET)))

    def export_view(self, request: HttpRequest, campaign_id: UUID, format: str) -> HttpResponse:
        """The campaign and its steps as a file that the seeding command reads."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = Campaign.objects.filter(pk=campaign_id).first()
        if campaign is None or format not in EXPORTS:
            raise Http404
        response = HttpResponse(content_type=EXPORTS[format])
        response.headers["Content-Disposition"] = content_disposition_header(True, f"{campaign.name}.{format}")
        export(response.write, format, campaigns=[campaign_id])
        return response

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Every change of the campaign, in place of the log of this admin alone."""
        context = shown_campaign(self, request, object_id)
        entries, number = told_of(context["object"].pk), page_number(request)
        page = BoundedPaginator(entries, 50, page=number).get_page(number)
        context |= {"title": "History", "media": self.media, "page": page, "changes": changes(page)}
        return TemplateResponse(request, "admin/campaigns/campaign/history.html", context)

    # --- What isn't a plain save --------------------------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if "_resume" in request.POST and not may_activate(request):
            raise PermissionDenied
        if request.method == "POST" and ADD_ROWS in request.POST:
            if not may_edit_steps(request):
                raise PermissionDenied
            return self.as_sent(request, object_id, form_url, with_more_rows(request.POST))
        if "_resume" in request.POST and settings.TEMPLATE_CATALOGUE and settings.TEMPLATE_CATALOGUE_STRICT:
            ask_of(template_versions(bound_steps(request.POST)))  # before the transaction that saves
            if campaign_id := parse_uuid(object_id or ""):
                ask_about(campaign_id)  # its steps on other pages
        return super().changeform_view(request, object_id, form_url, extra_context)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Whoever goes on editing stays on the same page of the steps."""
        response = super().response_change(request, obj)
        stays = "_continue" in request.POST and isinstance(response, HttpResponseRedirect)
        return redirect(request.get_full_path()) if stays else response

    # --- Saving ------------------------------------------------------------------------------------------------------

    def save_by_domain(self, request: HttpRequest, form: CampaignForm, actor: Actor, change: bool) -> Campaign:
        if form.steps is not None and not may_edit_steps(request):
            raise PermissionDenied
        if not change:
            return form.create(actor)
        saved = form.change(actor)
        if "_resume" in request.POST:
            return lifecycle.change_status(saved.pk, Campaign.Status.ACTIVE, actor=actor)
        return saved

    # --- Deleting ----------------------------------------------------------------------------------------------------

    def shown_version(self, obj: Campaign) -> str:
        return str(PageVersion.current(obj.pk, obj.version))

    def shown_versions(self, objects: Iterable[Any]) -> dict[Any, str]:
        return PageVersion.current_of(objects)

    def name_of(self, obj: Campaign) -> str:
        return f"“{obj}”"

    def why_not_deletable(self, obj: Campaign) -> str:
        return "" if obj.status in DELETABLE else staff_message(NotDeletable(obj.pk, obj.status))

    def delete_shown(self, obj: Campaign, shown: str, actor: Actor) -> None:
        with locked(obj.pk) as campaign:
            PageVersion.parse(shown).match(campaign.pk, campaign.version)
            lifecycle.delete_campaign(campaign.pk, actor=actor)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the page that asks first lists: the campaign, and how many steps go with it."""
        steps = sum(campaign.totals.step_count for campaign in objs)
        names = [str(campaign) for campaign in objs]
        return (
            [*names, [f"{steps} step{'' if steps == 1 else 's'}"]],
            {"campaigns": len(names), "steps": steps},
            set(),
            [],
        )


def template_versions(formset: BaseStepFormSet) -> list[TemplateVersion]:
    """Those that a page's rows are to have, as far as they can be read."""
    formset.is_valid()
    rows = [form.cleaned_data for form in formset.kept()]
    names = TemplateVersion._fields
    return [TemplateVersion(*(row[name] for name in names)) for row in rows if row.keys() >= {*names}]


def draw_formset(formset: BaseStepFormSet, place: Place) -> SafeString:
    """The picture of what a formset holds, in order; what isn't complete yet is counted instead."""
    formset.is_valid()
    kept = [form.cleaned_data for form in formset.kept()]
    complete = [row for row in kept if all(name in row for name in DrawnStep._fields)]
    steps = [DrawnStep(*(row[name] for name in DrawnStep._fields)) for row in complete]
    return draw(sorted(steps, key=attrgetter("position")), place, omitted=len(kept) - len(complete))
