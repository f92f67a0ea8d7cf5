"""Which version of a campaign a page shows, as the page remembers it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from campaigns.admin.history_page import last_entry
from campaigns.exceptions import VersionMismatch
from campaigns.models import CampaignStep
from campaigns.parts import WHOLE, Part
from campaigns.versions import list_etag, step_list_etag

POSITIONS = re.compile(r"(\d{1,10})-(\d{1,10})", re.ASCII)


@dataclass(frozen=True)
class PageVersion:
    """The campaign's version, the entity tag of the steps that the page shows, and the last change in the history."""

    campaign: str
    steps: str
    last_entry: str
    part: Part = WHOLE

    @classmethod
    def current(cls, campaign_id: UUID, version: int, part: Part = WHOLE) -> "PageVersion":
        """Call it before the steps are read: a page that is newer than its version is refused at worst, never lost."""
        return cls(str(version), step_list_etag(campaign_id, part), last_entry(campaign_id), part)

    @classmethod
    def current_of(cls, campaigns: Iterable[Any]) -> dict[UUID, str]:
        """Those of many, by one query; `last_entry` was read with the campaigns, before their steps are read here."""
        found = {campaign.pk: (campaign, list[tuple[UUID, int]]()) for campaign in campaigns}
        steps = CampaignStep.objects.filter(campaign_id__in=list(found)).order_by("position")
        for campaign_id, step_id, version in steps.values_list("campaign_id", "id", "version"):
            found[campaign_id][1].append((step_id, version))
        return {
            pk: str(cls(str(campaign.version), list_etag(versions), str(campaign.last_entry or "")))
            for pk, (campaign, versions) in found.items()
        }

    @classmethod
    def parse(cls, text: str, ids: frozenset[UUID] = frozenset()) -> "PageVersion":
        """`ids` are those of the page's rows: a step that was moved elsewhere meanwhile is one of its part still."""
        campaign, steps, last, *positions = text.split(":") if text.count(":") > 1 else ("", "", "")
        if not positions:
            return cls(campaign, steps, last)
        found = POSITIONS.fullmatch(":".join(positions))
        return cls(campaign, steps, last, Part(int(found[1]), int(found[2]), ids)) if found else cls("", "", "")

    def __str__(self) -> str:
        positions = "" if self.part == WHOLE else f":{self.part.start}-{self.part.stop}"
        return f"{self.campaign}:{self.steps}:{self.last_entry}{positions}"

    def of_part(self, part: Part, steps: Iterable[CampaignStep]) -> "PageVersion":
        """The version of a page that shows these steps, which are a part of the campaign's."""
        return replace(self, steps=list_etag((step.pk, step.version) for step in steps), part=part)

    def is_current(self, campaign_id: UUID, version: int) -> bool:
        """Whether the campaign still has what the page shows."""
        return (self.campaign, self.steps) == (str(version), step_list_etag(campaign_id, self.part))

    def match(self, campaign_id: UUID, version: int) -> None:
        """Raises VersionMismatch unless the campaign, which must be locked, still has what the page shows."""
        if not self.is_current(campaign_id, version):
            raise VersionMismatch(str(PageVersion.current(campaign_id, version, self.part)))
