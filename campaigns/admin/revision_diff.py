"""What an activation would put into the next revision, in words, for the page that asks before it."""

from dataclasses import dataclass
from uuid import UUID

from campaigns.changes import step_changes

SHOWN = 20  # lines


@dataclass(frozen=True)
class RevisionDiff:
    """The first lines about what differs from revision `number`, and how many more there are."""

    number: int
    lines: list[str]
    more: int


def diff_from_latest(campaign_id: UUID) -> RevisionDiff | None:
    """None for a campaign without a revision, of which all steps are new."""
    found = step_changes(campaign_id)
    if found.revision is None:
        return None
    lines = [
        *(f"Added as step {it.ordinal + 1}: {it.template_version_id}" for it in found.added),
        *(f"Removed, was step {it.ordinal + 1}: {it.template_version_id}" for it in found.removed),
        *(f"Moved from step {it.before + 1} to step {it.after + 1}" for it in found.moved),
        *(
            f"Changed, step {it.ordinal + 1}: {', '.join(name.replace('_', ' ') for name in it.after)}"
            for it in found.changed
        ),
    ]
    return RevisionDiff(found.revision, lines[:SHOWN], max(0, len(lines) - SHOWN))
