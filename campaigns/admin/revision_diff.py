"""What an activation would put into the next revision, in words, for the page that asks before it."""

from dataclasses import dataclass
from typing import Any

from campaigns.admin.words import label
from campaigns.changes import step_changes

SHOWN = 20  # lines


@dataclass(frozen=True)
class RevisionDiff:
    """The first lines about what differs from revision `number`, and how many more there are."""

    number: int
    lines: list[str]
    more: int


def diff_from_latest(campaign: Any) -> RevisionDiff | None:
    """Of a campaign with_totals(). None without a revision: all its steps are new."""
    if campaign.revision is None:
        return None
    found = step_changes(campaign.pk)
    lines = [
        *(f"Added as step {it.ordinal + 1}: {it.template_version_id}" for it in found.added),
        *(f"Removed, was step {it.ordinal + 1}: {it.template_version_id}" for it in found.removed),
        *(f"Moved from step {it.before + 1} to step {it.after + 1}" for it in found.moved),
        *(f"Changed, step {it.ordinal + 1}: {', '.join(map(label, it.after))}" for it in found.changed),
    ]
    return RevisionDiff(campaign.revision, lines[:SHOWN], max(0, len(lines) - SHOWN))
