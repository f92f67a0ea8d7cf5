"""Entity tags of what the API shows, and the check that a caller's copy is current."""

import hashlib
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from campaigns.exceptions import NotFound, VersionMismatch
from campaigns.models import Campaign, CampaignStep
from campaigns.parts import WHOLE, Part
from campaigns.rules import STEP_FIELDS
from messaging_project import compiled
from messaging_project.snapshots import snapshot

STEP_COLUMNS = ("id", "campaign_id", *STEP_FIELDS, "version")  # what is written of a step, and read for answers
# Accepted entity tags, without quotes; None means no condition.
IfMatch = tuple[str, ...] | None
DIGEST = re.compile(r"[0-9a-f]{32}")
# What an entity tag is of, by its form.
KINDS = {
    "the whole step list": DIGEST,
    "the step": re.compile(r"\d+"),
    "the campaign": re.compile(r"\d+-\d+-\d+"),
    "the campaign with include=steps": re.compile(r"\d+-\d+-\d+-[0-9a-f]{32}"),
    "a page of the step list": re.compile(r"page[01]{2}[0-9a-f]{32}"),
}


def match_version(etag: str, if_match: IfMatch) -> None:
    """Raises VersionMismatch. The answer stays true only under the campaign's lock."""
    if if_match is not None and etag not in if_match:
        raise VersionMismatch(etag)


def kind_of(tag: str) -> str | None:
    """Which of KINDS an entity tag without quotes is; None for one that nothing has."""
    return next((kind for kind, form in KINDS.items() if form.fullmatch(tag)), None)


def list_etag(versions: Iterable[tuple[UUID, int]]) -> str:
    """The entity tag of a whole step list: a digest of the (id, version) of every step, in order."""
    digest = hashlib.sha256()
    for step_id, version in versions:
        digest.update(step_id.bytes + version.to_bytes(8, "big"))
    return digest.hexdigest()[:32]


def step_list_etag(campaign_id: UUID, part: Part = WHOLE) -> str:
    """The entity tag of a campaign's step list as it is stored, or of a part of it."""
    if part != WHOLE:
        return list_etag(part.steps(campaign_id).values_list("id", "version"))
    return list_etag(compiled.rows(_versions, campaign_id))


def _versions(campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position").values_list("id", "version")


def page_etag(versions: Iterable[tuple[UUID, int]], *, has_previous: bool, has_next: bool) -> str:
    """The entity tag of a page of a step list that isn't the whole list: no condition on the list takes it."""
    return f"page{has_previous:d}{has_next:d}{list_etag(versions)}"


def campaign_with_steps_etag(campaign_tag: str, list_tag: str) -> str:
    """The entity tag of a campaign that is shown with its steps."""
    return f"{campaign_tag}-{list_tag}"


def match_list(campaign_id: UUID, if_match: IfMatch) -> None:
    """Raises VersionMismatch where the whole step list's entity tag is another."""
    if if_match is not None:
        match_version(step_list_etag(campaign_id), if_match)


def match_campaign(campaign_id: UUID, if_match: IfMatch) -> None:
    """Raises VersionMismatch where the campaign's own entity tag is another."""
    # Read under the lock, and not with it: a query that waited for the lock counts steps as they were before it waited.
    if if_match is not None:
        match_version(current_campaign(campaign_id).etag, if_match)


def match_campaign_or_steps(campaign_id: UUID, if_match: IfMatch) -> None:
    """Raises VersionMismatch unless the tag of the campaign, of its step list or of both together is the caller's.

    The campaign's tag doesn't change with a step's content; whoever has read the steps sends one that does. The
    refusal names the current tag of the kind that was sent: one of another kind would let the same call through.
    """
    if if_match is None:
        return
    campaign_tag = current_campaign(campaign_id).etag
    if campaign_tag in if_match:
        return
    list_tag = step_list_etag(campaign_id)
    current = (list_tag, campaign_with_steps_etag(campaign_tag, list_tag), campaign_tag)
    if set(current).isdisjoint(if_match):
        sent = {_kind(tag) for tag in if_match}
        raise VersionMismatch(next((tag for tag in current if _kind(tag) in sent), campaign_tag))


def _kind(tag: str) -> tuple[bool, bool]:
    return "-" in tag, DIGEST.search(tag) is not None


def current_campaign(campaign_id: UUID) -> Campaign:
    """A campaign with its totals, which its entity tag needs. Raises NotFound."""
    found = compiled.instances(Campaign, _with_totals, campaign_id)
    if not found:
        raise NotFound("campaign", campaign_id)
    return found[0]


def _with_totals(campaign_id: UUID) -> QuerySet[Campaign, Any]:
    return Campaign.objects.with_totals().filter(pk=campaign_id).order_by()


def _first_steps(count: int, campaign_id: UUID) -> QuerySet[CampaignStep, Any]:
    return CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position").values_list(*STEP_COLUMNS)[:count]


def require_campaign(campaign_id: UUID) -> None:
    """Raises NotFound."""
    if not compiled.rows(_id, campaign_id):
        raise NotFound("campaign", campaign_id)


def _id(campaign_id: UUID) -> QuerySet[Campaign, Any]:
    return Campaign.objects.filter(pk=campaign_id).order_by().values_list("id")


class CampaignWithSteps(NamedTuple):
    """A campaign, the rows of its first steps by position, whether there are more, and the entity tag of it all."""

    campaign: Campaign
    steps: list[Any]
    has_more: bool
    etag: str


def campaign_with_steps(campaign_id: UUID, count: int) -> CampaignWithSteps:
    """A campaign and its first `count` steps as they were at one moment. Raises NotFound."""
    with snapshot():
        campaign = current_campaign(campaign_id)
        steps = compiled.rows(partial(_first_steps, count + 1), campaign_id)
        etag = campaign_with_steps_etag(campaign.etag, step_list_etag(campaign_id))
    return CampaignWithSteps(campaign, steps[:count], len(steps) > count, etag)
