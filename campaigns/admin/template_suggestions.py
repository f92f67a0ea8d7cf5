"""What the pages suggest for template ids and versions, where there is a template catalogue."""

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse

from campaigns.catalogue.asking import asker
from campaigns.rules import OPAQUE_ID


def suggestions_url() -> str:
    """Where a page's script asks; "" without a catalogue."""
    return reverse("admin:campaigns_campaign_templates") if settings.TEMPLATE_CATALOGUE else ""


def suggestions_view(request: HttpRequest) -> JsonResponse:
    """The first templates whose ids begin with `q`, and their versions; none if the catalogue can't be asked."""
    may_write_steps = ("campaigns.add_campaignstep", "campaigns.change_campaignstep")
    if not any(map(request.user.has_perm, may_write_steps)):
        raise PermissionDenied
    if not settings.TEMPLATE_CATALOGUE:
        raise Http404
    found = asker().suggest(request.GET.get("q", "")[: OPAQUE_ID.max_length])
    return JsonResponse({"templates": [template._asdict() for template in found]})
