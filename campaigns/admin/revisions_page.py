"""What a campaign's steps were at each activation. Read-only, as revisions are."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from campaigns.admin.history_page import WAYS, shown_campaign
from campaigns.admin.paging import page_number
from campaigns.models import Revision, RevisionStep

REVISIONS_PER_PAGE, STEPS_PER_PAGE = 50, 100


def revisions_view(model_admin: Any, request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """A campaign's revisions, newest first."""
    context = shown_campaign(model_admin, request, str(campaign_id))
    revisions = Revision.objects.filter(campaign_id=campaign_id).order_by("-number")
    page = Paginator(revisions, REVISIONS_PER_PAGE).get_page(page_number(request))
    told = [(revision, WAYS.get(revision.actor_type, revision.actor_type)) for revision in page]
    context |= {"title": "Revisions", "page": page, "revisions": told}
    return TemplateResponse(request, "admin/campaigns/campaign/revisions.html", context)


def revision_view(model_admin: Any, request: HttpRequest, campaign_id: UUID, number: int) -> HttpResponse:
    """The steps of one revision, in order."""
    context = shown_campaign(model_admin, request, str(campaign_id))
    revision = Revision.objects.filter(campaign_id=campaign_id, number=number).first()
    if revision is None:
        raise Http404
    steps = Paginator(RevisionStep.objects.filter(revision_id=revision.pk).order_by("ordinal"), STEPS_PER_PAGE)
    steps.count = revision.step_count  # no need to count again
    page = steps.get_page(page_number(request))
    context |= {"title": f"Revision {number}", "revision": revision, "page": page}
    context["way"] = WAYS.get(revision.actor_type, revision.actor_type)
    return TemplateResponse(request, "admin/campaigns/campaign/revision.html", context)
