"""The list's actions that change statuses: a page that asks first, then one campaign after the other."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.admin.page_version import PageVersion
from campaigns.admin.refusals import staff_message
from campaigns.admin.stored_steps import MAX_ON_ONE_PAGE, drawn
from campaigns.admin.timeline_svg import draw
from campaigns.admin.transitions import ACTIVE, TRANSITIONS, change_status, may_activate
from campaigns.catalogue import Answers
from campaigns.catalogue.findings import ask_about, ask_before_activation
from campaigns.exceptions import CampaignsError, InvalidTransition
from campaigns.models import Campaign, CampaignStep
from campaigns.readiness import Readiness, judged
from campaigns.versions import list_etag

MAX_AT_ONCE = 100
SEEN = "seen_"  # goes before a campaign's id: the list names the last change that it shows
CHANGED = "It was changed after the list was opened: look at it again first."


def change_statuses(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Campaign], target: str
) -> HttpResponse | None:
    """The list's action: ask, then take one campaign after the other through the gate, and say what was refused."""
    if not may_activate(request):
        raise PermissionDenied
    campaigns = list(queryset[: MAX_AT_ONCE + 1])
    if len(campaigns) > MAX_AT_ONCE:
        messages.error(request, f"Choose at most {MAX_AT_ONCE} campaigns at once.")
        return None
    if "confirmed" not in request.POST:
        return _list_confirmation(model_admin, request, campaigns, target)
    if target == ACTIVE:
        ask_before_activation(*(campaign.pk for campaign in campaigns))  # once for all of them
    done = 0
    for campaign in campaigns:
        try:
            change_status(request, campaign, target, shown=request.POST.get(f"page_version_{campaign.pk}", ""))
            done += 1
        except CampaignsError as error:
            messages.error(request, f"“{campaign}” was left as it is. {staff_message(error)}")
    if done:
        messages.success(request, f"{done} campaign{'' if done == 1 else 's'} {TRANSITIONS[target].done}.")
    return None


def _list_confirmation(
    model_admin: admin.ModelAdmin, request: HttpRequest, campaigns: Sequence[Campaign], target: str
) -> HttpResponse:
    steps = _steps_of(campaigns)
    answers = ask_about(*steps) if target == ACTIVE else None
    rows = [_row(request, campaign, steps[campaign.pk], target, answers) for campaign in campaigns]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{TRANSITIONS[target].verb} campaigns",
        "transition": TRANSITIONS[target],
        "rows": rows,
        "count": sum(not row["refusal"] for row in rows),
        "action": request.POST["action"],
    }
    return TemplateResponse(request, "admin/campaigns/campaign/confirm_list.html", context)


def _steps_of(campaigns: Sequence[Campaign]) -> dict[UUID, list[CampaignStep]]:
    """Each campaign's steps in order, without their variables."""
    found: dict[UUID, list[CampaignStep]] = {campaign.pk: [] for campaign in campaigns}
    for step in CampaignStep.objects.filter(campaign_id__in=list(found)).defer("variables").order_by("position"):
        found[step.campaign_id].append(step)
    return found


def _row(
    request: HttpRequest, campaign: Any, steps: list[CampaignStep], target: str, answers: Answers | None
) -> dict[str, Any]:
    """What the page says of one campaign. Its row, with its last change, was read before its steps were."""
    last_entry = str(campaign.last_entry or "")
    readiness = judged(steps).with_templates(campaign.pk, answers) if target == ACTIVE else Readiness()
    refusal = " ".join(error["message"] for error in readiness.errors)
    if request.POST.get(f"{SEEN}{campaign.pk}", last_entry) != last_entry:
        refusal = CHANGED
    if target not in campaign.allowed_targets:
        refusal = staff_message(InvalidTransition(campaign.status, target))
    etag = list_etag((step.pk, step.version) for step in steps)
    return {
        "campaign": campaign,
        "page_version": PageVersion(str(campaign.version), etag, last_entry),
        "refusal": refusal,
        "warnings": readiness.warnings,
        "step_places": {str(step.pk): step.position for step in steps},
        "picture": draw(drawn(steps[:MAX_ON_ONE_PAGE])) if target == ACTIVE and not refusal else "",
        "omitted": max(len(steps) - MAX_ON_ONE_PAGE, 0),
    }
