"""What the first page shows: what was worked on last, what is live, and what waits on a fault."""

from dataclasses import dataclass
from typing import Any

from campaigns.admin.campaign_list import annotated
from campaigns.models import Campaign, HistoryEntry
from campaigns.readiness import hindrances

SHOWN = 5  # campaigns of each kind
# The history is read back so far, whatever its length: a bulk load may have written all of that.
ENTRIES, TOUCHED = 1_000, 100
COUNTED = 100


@dataclass(frozen=True)
class Overview:
    """Campaigns with the list's annotations; `faulty` ones with what stands in the way of their activation."""

    drafts: list[Any]
    active: list[Any]
    active_count: str
    faulty: list[tuple[Any, str]]


def overview() -> Overview:
    touched = _last_touched()
    faults = [(campaign, hindrances(*campaign.totals)) for campaign in touched]
    live = Campaign.objects.filter(status=Campaign.Status.ACTIVE)
    count = live.order_by()[: COUNTED + 1].count()
    return Overview(
        drafts=[campaign for campaign in touched if campaign.status == Campaign.Status.DRAFT][:SHOWN],
        active=list(annotated().filter(status=Campaign.Status.ACTIVE).order_by("-id")[:SHOWN]),
        active_count=f"more than {COUNTED}" if count > COUNTED else str(count),
        faulty=[(campaign, errors[0]["message"]) for campaign, errors in faults if errors][:SHOWN],
    )


def _last_touched() -> list[Any]:
    """The campaigns that can be edited, in the order in which they were last changed, the newest first."""
    entries = HistoryEntry.objects.order_by("-id").values_list("campaign_id", flat=True)[:ENTRIES]
    ids = list(dict.fromkeys(entries))[:TOUCHED]
    campaigns = annotated().filter(pk__in=ids, status__in=Campaign.EDITABLE)
    return sorted(campaigns, key=lambda campaign: ids.index(campaign.pk))
