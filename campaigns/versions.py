"""Entity tags of what the API shows, and the check that a caller's copy is current."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from campaigns.exceptions import NotFound, VersionMismatch
from campaigns.models import Campaign, CampaignStep

# Accepted entity tags, without quotes; None means no condition.
IfMatch = tuple[str, ...] | None


def match_version(etag: str, if_match: IfMatch) -> None:
    """Raises VersionMismatch. The answer stays true only under the campaign's lock."""
    if if_match is not None and etag not in if_match:
        raise VersionMismatch(etag)


def list_etag(versions: Iterable[tuple[UUID, int]]) -> str:
    """The entity tag of a whole step list: a digest of the (id, version) of every step, in order."""
    digest = hashlib.sha256()
    for step_id, version in versions:
        digest.update(step_id.bytes + version.to_bytes(8, "big"))
    return digest.hexdigest()[:32]


def step_list_etag(campaign_id: UUID) -> str:
    """The entity tag of a campaign's step list as it is stored."""
    steps = CampaignStep.objects.filter(campaign_id=campaign_id).order_by("position")
    return list_etag(steps.values_list("id", "version"))


def current_campaign(campaign_id: UUID) -> Campaign:
    """A campaign with its totals, which its entity tag needs. Raises NotFound."""
    campaign = Campaign.objects.with_totals().filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("campaign", campaign_id)
    return campaign
