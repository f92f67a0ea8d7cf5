"""Changes of status and duplication: the buttons, a page that asks first, and the list's actions."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from campaigns import lifecycle
from campaigns.admin.history_page import changes_since_entry, changes_since_it_ran
from campaigns.admin.page_version import PageVersion
from campaigns.admin.refusals import busy_as_refusal, staff_message
from campaigns.admin.revision_diff import diff_from_latest
from campaigns.admin.stored_steps import stored_steps
from campaigns.catalogue.findings import ask_about, ask_before_activation
from campaigns.exceptions import CampaignsError, InvalidTransition, VersionMismatch
from campaigns.history import actor_of
from campaigns.models import Campaign
from campaigns.readiness import Readiness, check_readiness, judged
from campaigns.statuses import STATUSES, Status
from campaigns.versions import current_campaign

ACTIVE, PAUSED = Campaign.Status.ACTIVE, Campaign.Status.PAUSED


@dataclass(frozen=True)
class Transition:
    """A change of status as a person meets it. `consequences` say what will happen."""

    target: str
    verb: str
    done: str
    consequences: tuple[str, ...]
    is_final: bool = False


TRANSITIONS = {
    status: Transition(status, row.verb, row.done, row.consequences, row.is_final)
    for status, row in STATUSES.items()
    if row.verb
}
RESUME = Transition(ACTIVE, "Resume", "resumed", TRANSITIONS[ACTIVE].consequences)


def transition_to(target: str, status: str) -> Transition:
    """The transition to `target` of a campaign that is `status`: a paused one is resumed, not activated."""
    return RESUME if (status, target) == (PAUSED, ACTIVE) else TRANSITIONS[target]


def may_activate(request: HttpRequest) -> bool:
    """Whether the user may change statuses. One permission covers every transition."""
    return request.user.has_perm("campaigns.activate_campaign")


def allowed_transitions(request: HttpRequest, campaign: Campaign) -> list[Transition]:
    """What the campaign's buttons are, for this user and its status."""
    if not may_activate(request):
        return []
    return [transition_to(target, campaign.status) for target in campaign.allowed_targets]


def page_version(campaign: Campaign) -> str:
    return str(PageVersion.current(campaign.pk, campaign.version))


# --- One campaign ----------------------------------------------------------------------------------------------------


def status_view(model_admin: admin.ModelAdmin, request: HttpRequest, campaign_id: UUID, target: str) -> HttpResponse:
    """Ask whether to change the status; a POST that names the version that was seen changes it."""
    if not (may_activate(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    if target not in TRANSITIONS:
        raise Http404
    campaign = _campaign(campaign_id)
    seen = request.POST.get("page_version", "") if request.method == "POST" else request.GET.get("page_version", "")
    refusal = _refusal_at_sight(campaign, target, seen)
    if request.method == "POST":
        try:
            changed = change_status(request, campaign, target, shown=seen)
        except CampaignsError as error:
            refusal = error
            campaign = _campaign(campaign_id)
        else:
            messages.success(request, f"“{changed}” was {transition_to(target, campaign.status).done}.")
            return redirect("admin:campaigns_campaign_change", campaign_id)
    return _asked(model_admin, request, campaign, target, seen, refusal)


def _refusal_at_sight(campaign: Campaign, target: str, seen: str) -> CampaignsError | None:
    if target not in campaign.allowed_targets:
        return InvalidTransition(campaign.status, target)
    if seen and not PageVersion.parse(seen).is_current(campaign.pk, campaign.version):
        return VersionMismatch("")
    return None


def _asked(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    campaign: Campaign,
    target: str,
    seen: str,
    refusal: CampaignsError | None,
) -> HttpResponse:
    transition = transition_to(target, campaign.status)
    # Before the steps are read. A page that follows a refused POST shows what is stored now, and so has been seen.
    current = page_version(campaign)
    is_unseen = isinstance(refusal, VersionMismatch) and request.method != "POST"
    context = {
        "title": f"{transition.verb} campaign",
        "transition": transition,
        "page_version": seen if is_unseen else current,
        "refusal": staff_message(refusal) if refusal else "",
        "can_confirm": target in campaign.allowed_targets and not is_unseen,
        "readiness": Readiness(),
    }
    if isinstance(refusal, VersionMismatch):
        context["meanwhile"] = changes_since_entry(campaign.pk, PageVersion.parse(seen).last_entry)
    if target == ACTIVE:
        shown = stored_steps(request, campaign)
        readiness = check_readiness(campaign.pk) if shown["page"] else judged(shown["steps"])
        readiness.with_templates(campaign.pk, ask_about(campaign.pk))
        context |= shown | {"readiness": readiness, "shows_steps": True}
        context["revision_diff"] = diff_from_latest(campaign)
        context["since_it_ran"] = changes_since_it_ran(campaign.pk)
    return _confirmation(model_admin, request, campaign, context)


def change_status(request: HttpRequest, campaign: Campaign, target: str, *, shown: str) -> Campaign:
    """Change the status of the campaign as it was shown; nobody activates steps that they have not seen.

    Raises VersionMismatch and what lifecycle.change_status() raises.
    """
    if target == ACTIVE:
        ask_before_activation(campaign.pk)
    with busy_as_refusal(), transaction.atomic():
        changed = lifecycle.change_status(campaign.pk, target, actor=actor_of(request.user))
        # The change of status holds the row's lock, and added one to its version.
        PageVersion.parse(shown).match(campaign.pk, changed.version - 1)
    return changed


def duplicate_view(model_admin: admin.ModelAdmin, request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """Ask whether to duplicate a campaign; a POST does it."""
    if not (model_admin.has_add_permission(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    campaign = _campaign(campaign_id)
    if request.method == "POST":
        copy = lifecycle.duplicate_campaign(campaign_id, actor=actor_of(request.user))
        messages.success(request, f"“{copy}” was made from “{campaign}”. It is a draft.")
        return redirect("admin:campaigns_campaign_change", copy.pk)
    consequences = ("A new draft is made with the same description and steps.", "This campaign stays as it is.")
    context = {
        "title": "Duplicate campaign",
        "transition": Transition(Status.DRAFT, "Duplicate", "duplicated", consequences),
        "readiness": Readiness(),
        "can_confirm": True,
    }
    return _confirmation(model_admin, request, campaign, context)


def _campaign(campaign_id: UUID) -> Campaign:
    try:
        return current_campaign(campaign_id)
    except CampaignsError as error:
        raise Http404 from error


def _confirmation(
    model_admin: admin.ModelAdmin, request: HttpRequest, campaign: Campaign, context: dict[str, Any]
) -> HttpResponse:
    context |= {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "campaign": campaign,
        "step_places": step_places(campaign, context["readiness"]),
        "change_url": reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
    }
    return TemplateResponse(request, "admin/campaigns/campaign/confirm.html", context)


def step_places(campaign: Campaign, readiness: Readiness) -> dict[str, int]:
    """The position of each step that the readiness names by its id."""
    ids = [entry["step_id"] for entry in (*readiness.errors, *readiness.warnings) if "step_id" in entry]
    if not ids:
        return {}
    steps = campaign.steps.values_list("id", "position")
    return {str(step_id): position for step_id, position in steps if str(step_id) in set(ids)}
