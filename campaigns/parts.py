"""A part of a campaign's steps, which can be changed while the others stay as they are."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from campaigns.models import CampaignStep


@dataclass(frozen=True)
class Part:
    """The steps at the positions from `start` up to `stop`, and wherever they are those with one of `ids`."""

    start: int
    stop: int
    ids: frozenset[UUID] = frozenset()

    def steps(self, campaign_id: UUID) -> QuerySet[CampaignStep]:
        """The steps that are in the part now, by position."""
        inside = Q(position__gte=self.start, position__lt=self.stop) | Q(pk__in=self.ids)
        return CampaignStep.objects.filter(inside, campaign_id=campaign_id).order_by("position")

    @property
    def has_places(self) -> bool:
        """Whether it is more than the steps that it names."""
        return self.start < self.stop

    def has_place(self, position: int) -> bool:
        return self.start <= position < self.stop


WHOLE = Part(0, CampaignStep.PARKING)
