"""The step list's action "Replace template version…": a form with a preview, then one campaign after the other."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.admin.bulk import refuse_too_many
from campaigns.admin.fields import form_field
from campaigns.admin.refusals import busy_as_refusal, not_editable, staff_message
from campaigns.exceptions import CampaignsError
from campaigns.history import actor_of
from campaigns.many_steps import replace_template_version
from campaigns.models import Campaign, CampaignStep
from campaigns.rules import MAX_SEQUENCE
from campaigns.versions import list_etag

MAX_AT_ONCE = MAX_SEQUENCE
MAX_NAMED = 20  # campaigns in the message that says what was left as it is


class ReplaceVersionForm(forms.Form):
    template_version_id = form_field(
        "step", "template_version_id", label="New template version", widget=AdminTextInputWidget
    )


@dataclass(frozen=True)
class CampaignRow:
    """The chosen steps of one campaign, in order, and the version that they are to get (None: not typed yet)."""

    campaign: Campaign
    steps: list[CampaignStep]
    new: str | None

    @property
    def old(self) -> dict[str, int]:
        """The versions that are replaced, and in how many steps."""
        # A dictionary, since templates read `old.items` as a key first, and a Counter has any.
        return dict(Counter(step.template_version_id for step in self.steps if step.template_version_id != self.new))

    @property
    def count(self) -> int:
        return sum(self.old.values())

    @property
    def has_it(self) -> int:
        """How many steps have the new version already."""
        return len(self.steps) - self.count

    @property
    def etag(self) -> str:
        return list_etag((step.pk, step.version) for step in self.steps)

    @property
    def refusal(self) -> str:
        """Why all of it would be left as it is; "" where something would be changed."""
        if not self.campaign.is_editable:
            return not_editable(self.campaign.status)
        return "" if self.count else "It has this version already."


def replace_version(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[CampaignStep]
) -> HttpResponse | None:
    """Ask for the new version and show what would change; once that is confirmed, change it."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    steps = list(
        queryset.select_related(None).defer("variables").order_by("-campaign_id", "position")[: MAX_AT_ONCE + 1]
    )
    if len(steps) > MAX_AT_ONCE:
        refuse_too_many(request, queryset, MAX_AT_ONCE, "steps")
        return None
    form = ReplaceVersionForm(request.POST if "template_version_id" in request.POST else None)
    new = form.cleaned_data["template_version_id"] if form.is_valid() else None
    rows = list(_rows(steps, new))
    if "confirmed" in request.POST and new is not None:
        _replace(request, rows, new)
        return None
    is_across = request.POST.get("select_across") == "1"
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Replace template version",
        "form": form,
        "rows": rows,
        "count": sum(row.count for row in rows if not row.refusal),
        "left": sum(row.has_it if not row.refusal else len(row.steps) for row in rows),
        "shown": json.dumps({str(row.campaign.pk): row.etag for row in rows}),
        "action": request.POST["action"],
        "is_across": is_across,
        "chosen": steps[:1] if is_across else steps,  # Django asks for one
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "is_preview": form.is_valid(),
    }
    return TemplateResponse(request, "admin/campaigns/campaignstep/replace_version.html", context)


def _rows(steps: list[CampaignStep], new: str | None) -> Iterator[CampaignRow]:
    """The steps by campaign."""
    campaigns = Campaign.objects.in_bulk({step.campaign_id for step in steps})
    for campaign_id, chosen in groupby(steps, key=attrgetter("campaign_id")):
        if campaign_id in campaigns:
            yield CampaignRow(campaigns[campaign_id], list(chosen), new)


def _replace(request: HttpRequest, rows: list[CampaignRow], new: str) -> None:
    """Change what was shown, and say all of it in one message."""
    shown, done, left = _shown(request.POST.get("shown", "")), 0, []
    for row in rows:
        etag = str(shown.pop(str(row.campaign.pk), ""))
        if not row.count:
            continue
        ids = [step.pk for step in row.steps]
        try:
            with busy_as_refusal():
                done += replace_template_version(
                    row.campaign.pk, ids, new, actor=actor_of(request.user), if_match=(etag,)
                )
        except CampaignsError as error:
            left.append(f"“{row.campaign}” ({_counted(len(row.steps))}): {staff_message(error)}")
    left += [f"{len(shown)} more: deleted, or not found by this search any more."] if shown else []
    said = f"{_counted(done)} now use{'s' if done == 1 else ''} {new}."
    if left:
        more = f" And {len(left) - MAX_NAMED} more." if len(left) > MAX_NAMED else ""
        said = f"{said} Left as they are: {' '.join(left[:MAX_NAMED])}{more}"
    messages.add_message(request, messages.WARNING if left else messages.SUCCESS, said)


def _shown(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _counted(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"
