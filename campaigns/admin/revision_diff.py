"""What an activation would put into the next revision, in words, for the page that asks before it."""

from dataclasses import dataclass
from typing import Any

from campaigns.admin.words import label
from campaigns.changes import PlacedStep, step_changes
from campaigns.models import CampaignStep
from messaging_project.snapshots import snapshot

SHOWN = 20  # lines


@dataclass(frozen=True)
class RevisionDiff:
    """The first lines about what differs from revision `number`, and how many more there are.

    They name steps as the page does, by position and template; only a revision's own order is counted.
    """

    number: int
    lines: list[str]
    more: int


def diff_from_latest(campaign: Any) -> RevisionDiff | None:
    """Of a campaign with_totals(). None without a revision: all its steps are new."""
    if campaign.revision is None:
        return None
    with snapshot():
        found = step_changes(campaign.pk)
        added, moved, changed = found.added[:SHOWN], found.moved[:SHOWN], found.changed[:SHOWN]
        ids = [*(it.step_id for it in added), *(it.id for it in moved), *(it.id for it in changed)]
        stored = {step.pk: step for step in campaign.steps.filter(pk__in=ids).defer("variables")}
    lines = [
        *(f"Added {_at(stored[it.step_id])}" for it in added),
        *(f"Removed: {_named(it)}, {_place(it.ordinal)}" for it in found.removed[:SHOWN]),
        *(f"Moved, now {_at(stored[it.id])}, {_place(it.before)}" for it in moved),
        *(f"Changed {_at(stored[it.id])}: {', '.join(map(label, it.after))}" for it in changed),
    ][:SHOWN]
    count = len(found.added) + len(found.removed) + len(found.moved) + len(found.changed)
    return RevisionDiff(campaign.revision, lines, count - len(lines))


def _at(step: CampaignStep) -> str:
    return f"at position {step.position}: {_named(step)}"


def _named(step: CampaignStep | PlacedStep) -> str:
    return f"{step.template_id} · {step.template_version_id}"


def _place(ordinal: int) -> str:
    return f"place {ordinal} in the frozen order"
