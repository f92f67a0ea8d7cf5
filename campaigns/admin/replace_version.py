"""The step list's action "Replace template version…": a form with a preview, then one step after the other."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.admin.fields import form_field
from campaigns.admin.refusals import busy_as_refusal, not_editable, staff_message
from campaigns.exceptions import CampaignsError
from campaigns.history import actor_of
from campaigns.models import CampaignStep
from campaigns.steps import change_step

MAX_AT_ONCE = 200


class ReplaceVersionForm(forms.Form):
    template_version_id = form_field(
        "step", "template_version_id", label="New template version", widget=AdminTextInputWidget
    )


@dataclass(frozen=True)
class PreviewRow:
    """A chosen step, and why it would be left as it is ("" where it would be changed)."""

    step: CampaignStep
    refusal: str


def replace_version(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[CampaignStep]
) -> HttpResponse | None:
    """Ask for the new version and show what would change; once that is confirmed, change it step by step."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    steps = list(queryset.select_related("campaign")[: MAX_AT_ONCE + 1])
    if len(steps) > MAX_AT_ONCE:
        messages.error(request, f"Choose at most {MAX_AT_ONCE} steps at once.")
        return None
    form = ReplaceVersionForm(request.POST if "template_version_id" in request.POST else None)
    if "confirmed" in request.POST and form.is_valid():
        _replace(request, steps, form.cleaned_data["template_version_id"])
        return None
    rows = _preview(steps, form.cleaned_data["template_version_id"] if form.is_valid() else None)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Replace template version",
        "form": form,
        "rows": rows,
        "count": sum(not row.refusal for row in rows),
        "action": request.POST["action"],
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "is_preview": form.is_valid(),
    }
    return TemplateResponse(request, "admin/campaigns/campaignstep/replace_version.html", context)


def _preview(steps: list[CampaignStep], new: str | None) -> list[PreviewRow]:
    rows = []
    for step in steps:
        refusal = "" if step.campaign.is_editable else not_editable(step.campaign.status)
        if not refusal and step.template_version_id == new:
            refusal = "It has this version already."
        rows.append(PreviewRow(step, refusal))
    return rows


def _replace(request: HttpRequest, steps: list[CampaignStep], new: str) -> None:
    changes, done = {"template_version_id": new}, 0
    for step in steps:
        if step.template_version_id == new:
            continue
        try:
            with busy_as_refusal():
                shown = (request.POST.get(f"page_version_{step.pk}", ""),)
                change_step(step.campaign_id, step.pk, changes, actor=actor_of(request.user), if_match=shown)
            done += 1
        except CampaignsError as error:
            place = f"Position {step.position} of “{step.campaign}” was left as it is."
            messages.error(request, f"{place} {staff_message(error)}")
    if done:
        messages.success(request, f"{done} step{'' if done == 1 else 's'} now use{'s' if done == 1 else ''} {new}.")
