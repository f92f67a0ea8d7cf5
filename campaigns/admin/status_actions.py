"""The list's actions that change statuses: a page that asks first, then one campaign after the other."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.admin.bulk import MAX_AT_ONCE, Outcome, asked, grouped, refuse_too_many, sent, versions_sent
from campaigns.admin.page_version import PageVersion
from campaigns.admin.refusals import staff_message
from campaigns.admin.stored_steps import MAX_ON_ONE_PAGE, drawn
from campaigns.admin.timeline_svg import draw
from campaigns.admin.transitions import ACTIVE, TRANSITIONS, change_status, may_activate
from campaigns.catalogue import Answers
from campaigns.catalogue.findings import ask_about, ask_before_activation
from campaigns.exceptions import CampaignsError, InvalidTransition
from campaigns.models import Campaign, CampaignStep
from campaigns.readiness import judged
from campaigns.versions import list_etag

MAX_SEEN = 100  # at once to be activated: the page shows the steps of each
SEEN = "seen_"  # goes before a campaign's id: the list names the last change that it shows
CHANGED = "It was changed after the list was opened: look at it again first."


def change_statuses(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Campaign], target: str
) -> HttpResponse | None:
    """The list's action: ask, then take one campaign after the other through the gate, and say what was refused."""
    if not may_activate(request):
        raise PermissionDenied
    limit = MAX_SEEN if target == ACTIVE else MAX_AT_ONCE
    campaigns = list(queryset[: limit + 1])
    if len(campaigns) > limit:
        refuse_too_many(request, queryset, limit, "campaigns")
        return None
    if "confirmed" not in request.POST:
        return _list_confirmation(model_admin, request, campaigns, target)
    versions = versions_sent(request)
    _change_each(request, sent(model_admin.get_queryset(request), campaigns, versions), target, versions)
    return None


def _change_each(request: HttpRequest, campaigns: Iterable[Campaign], target: str, versions: dict[str, str]) -> None:
    outcome, missing = Outcome(), set(versions)
    if target == ACTIVE:
        campaigns = list(campaigns)[:MAX_SEEN]
        ask_before_activation(*(campaign.pk for campaign in campaigns))  # once for all of them
    for campaign in campaigns:
        missing.discard(str(campaign.pk))
        try:
            change_status(request, campaign, target, shown=versions.get(str(campaign.pk), ""))
            outcome.done += 1
        except CampaignsError as error:
            outcome.left.append(f"“{campaign}”: {staff_message(error)}")
    outcome.gone = len(missing)
    outcome.say(request, TRANSITIONS[target].done, _counted)


def _counted(count: int) -> str:
    return f"{count:,} campaign{'' if count == 1 else 's'}"


def _list_confirmation(
    model_admin: admin.ModelAdmin, request: HttpRequest, campaigns: Sequence[Campaign], target: str
) -> HttpResponse:
    rows = _activation_rows(request, campaigns) if target == ACTIVE else _rows(campaigns, target)
    versions = {str(row["campaign"].pk): str(row["page_version"]) for row in rows if not row["refusal"]}
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{TRANSITIONS[target].verb} campaigns",
        "transition": TRANSITIONS[target],
        "rows": rows,
        "groups": grouped((row["refusal"], row) for row in rows),
        **asked(versions),
        "action": request.POST["action"],
    }
    return TemplateResponse(request, "admin/campaigns/campaign/confirm_list.html", context)


def _steps_of(campaigns: Sequence[Campaign]) -> dict[UUID, list[CampaignStep]]:
    """Each campaign's steps in order, without their variables."""
    found: dict[UUID, list[CampaignStep]] = {campaign.pk: [] for campaign in campaigns}
    for step in CampaignStep.objects.filter(campaign_id__in=list(found)).defer("variables").order_by("position"):
        found[step.campaign_id].append(step)
    return found


def _rows(campaigns: Sequence[Campaign], target: str) -> list[dict[str, Any]]:
    """What the page says of each campaign, where its steps don't matter."""
    versions = PageVersion.current_of(campaigns)
    return [
        {
            "campaign": campaign,
            "page_version": versions[campaign.pk],
            "refusal": "" if target in campaign.allowed_targets else _not_allowed(campaign, target),
        }
        for campaign in campaigns
    ]


def _not_allowed(campaign: Campaign, target: str) -> str:
    return staff_message(InvalidTransition(campaign.status, target))


def _activation_rows(request: HttpRequest, campaigns: Sequence[Campaign]) -> list[dict[str, Any]]:
    steps = _steps_of(campaigns)
    answers = ask_about(*steps)
    return [_activation_row(request, campaign, steps[campaign.pk], answers) for campaign in campaigns]


def _activation_row(
    request: HttpRequest, campaign: Any, steps: list[CampaignStep], answers: Answers | None
) -> dict[str, Any]:
    """What the page says of one campaign. Its row, with its last change, was read before its steps were."""
    last_entry = str(campaign.last_entry or "")
    readiness = judged(steps).with_templates(campaign.pk, answers)
    refusal = " ".join(error["message"] for error in readiness.errors)
    if request.POST.get(f"{SEEN}{campaign.pk}", last_entry) != last_entry:
        refusal = CHANGED
    if ACTIVE not in campaign.allowed_targets:
        refusal = _not_allowed(campaign, ACTIVE)
    etag = list_etag((step.pk, step.version) for step in steps)
    return {
        "campaign": campaign,
        "page_version": PageVersion(str(campaign.version), etag, last_entry),
        "refusal": refusal,
        "warnings": readiness.warnings,
        "step_places": {str(step.pk): step.position for step in steps},
        "picture": "" if refusal else draw(drawn(steps[:MAX_ON_ONE_PAGE])),
        "omitted": max(len(steps) - MAX_ON_ONE_PAGE, 0),
    }
