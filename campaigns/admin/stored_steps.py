"""The steps of a campaign as they are stored, for pages that show them and don't edit them."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest

from campaigns.admin.paging import BoundedPaginator, page_number
from campaigns.admin.timeline_svg import DrawnStep, draw
from campaigns.models import Campaign, CampaignStep

STEPS_PER_PAGE = 100
MAX_ON_ONE_PAGE = 300


def stored_steps(request: HttpRequest, campaign: Any) -> dict[str, Any]:
    """The steps and their picture, as a template's context; above MAX_ON_ONE_PAGE, the page that the request names.

    The campaign has its totals.
    """
    steps, page, start = campaign.steps.order_by("position"), None, 0
    if campaign.step_count > MAX_ON_ONE_PAGE:
        number = page_number(request)
        page = BoundedPaginator(steps, STEPS_PER_PAGE, page=number).get_page(number)
        start = minutes_before(campaign, page[0])
    shown = list(page or steps)
    first = page.start_index() if page else 1
    picture = draw(drawn(shown), first_number=first, start=start)
    return {"steps": shown, "page": page, "step_total": campaign.step_count, "timeline": picture}


def minutes_before(campaign: Campaign, step: CampaignStep) -> int:
    """The delays of the steps before a step, in minutes."""
    earlier = campaign.steps.filter(position__lt=step.position).aggregate(total=Sum("delay_minutes"))
    return earlier["total"] or 0


def drawn(steps: Sequence[CampaignStep]) -> list[DrawnStep]:
    return [DrawnStep(step.delay_minutes, step.template_id, step.template_version_id) for step in steps]
