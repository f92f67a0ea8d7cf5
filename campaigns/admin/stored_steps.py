"""The steps of a campaign as they are stored: all on one page, or page by page, and those that are searched for."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, Sum
from django.http import HttpRequest

from campaigns.admin.numbers import parse_number
from campaigns.admin.paging import page_number
from campaigns.admin.timeline_svg import DrawnStep, Place, draw
from campaigns.models import Campaign, CampaignStep
from campaigns.parts import WHOLE, Part

STEPS_PER_PAGE = 100
MAX_ON_ONE_PAGE = 300
MAX_FOUND = 100
POSITION_DIGITS = 10
AT, SEARCH = "at", "q"  # a page names the position that it is to show, or what is searched for


def stored_steps(request: HttpRequest, campaign: Any) -> dict[str, Any]:
    """The steps and their picture, as a template's context; above MAX_ON_ONE_PAGE, the page that the request names.

    The campaign has its totals.
    """
    page = steps_page(request, campaign)
    shown = list(page or campaign.steps.order_by("position"))
    part = _part(campaign, page.number, shown) if page else WHOLE
    place = place_of(campaign, part)
    return {"steps": shown, "page": page, "part": part, "place": place, "timeline": draw(drawn(shown), place)}


def steps_page(request: HttpRequest, campaign: Any) -> "Page[CampaignStep] | None":
    """The page that the request names by its number, or by a position; None where all steps are on one."""
    if campaign.totals.step_count <= MAX_ON_ONE_PAGE:
        return None
    number = page_number(request)
    if (position := parse_number(request.GET.get(AT, ""), POSITION_DIGITS)) is not None:
        number = campaign.steps.filter(position__lt=position).count() // STEPS_PER_PAGE + 1
    paginator = Paginator(campaign.steps.order_by("position"), STEPS_PER_PAGE)
    paginator.count = campaign.totals.step_count  # no need to count again
    return paginator.get_page(number)


def _part(campaign: Campaign, number: int, shown: Sequence[CampaignStep]) -> Part:
    """What a page holds: each position is on one page. The first begins at 0, the last ends at the highest."""
    if not shown:
        return WHOLE
    later = campaign.steps.filter(position__gt=shown[-1].position).order_by("position")
    stop = later.values_list("position", flat=True).first()
    return Part(shown[0].position if number > 1 else 0, WHOLE.stop if stop is None else stop)


def place_of(campaign: Any, part: Part) -> Place:
    """Where the steps of a part stand in the picture of the whole."""
    if part == WHOLE:
        return Place()
    earlier = campaign.steps.filter(position__lt=part.start).aggregate(total=Sum("delay_minutes")) if part.start else {}
    return Place(start=earlier.get("total") or 0, follows=part.start > 0, total=campaign.totals.step_count)


def found_steps(campaign: Campaign, term: str) -> list[CampaignStep]:
    """Those with a part of the term in a template or version id, or at this position; one more than MAX_FOUND at most.

    They have no variables.
    """
    matches = Q(template_id__icontains=term) | Q(template_version_id__icontains=term)
    if (position := parse_number(term, POSITION_DIGITS)) is not None:
        matches |= Q(position=position)
    return list(campaign.steps.filter(matches).defer("variables").order_by("position")[: MAX_FOUND + 1])


def drawn(steps: Sequence[CampaignStep]) -> list[DrawnStep]:
    return [DrawnStep(step.delay_minutes, step.template_id, step.template_version_id, step.position) for step in steps]
