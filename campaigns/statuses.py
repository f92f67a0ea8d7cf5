"""The statuses of a campaign. Each has a row: where it leads, what it allows, and what people read about it."""

from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db.models import TextChoices
from django.utils.text import get_text_list


class Status(TextChoices):
    """Where a campaign stands in its life. A test holds the arrows to those of STATUSES.

    draft     ──> active, archived
    active    ──> paused, completed
    paused    ──> active, completed, archived
    completed ──> archived
    """

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """All that depends on one status.

    `targets`: the statuses that may follow. `is_editable`: whether steps may be changed. `is_deletable`: whether the
    campaign may be deleted. `has_run`: whether its steps are sent, or surely were. The rest describes the change that
    leads to it, and is empty where none does: `verb` and `done` name it on a button and in a message; `consequences` is
    what a person reads before confirming it, for one campaign or for many; `is_final`: there is no way back; `action`:
    its name in the history (a value of models.Action).
    """

    targets: tuple[Status, ...]
    is_editable: bool = False
    is_deletable: bool = False
    has_run: bool = False
    verb: str = ""
    done: str = ""
    consequences: tuple[str, ...] = ()
    is_final: bool = False
    action: str = ""


STATUSES: dict[str, StatusRow] = {
    Status.DRAFT: StatusRow(targets=(Status.ACTIVE, Status.ARCHIVED), is_editable=True, is_deletable=True),
    Status.ACTIVE: StatusRow(
        targets=(Status.PAUSED, Status.COMPLETED),
        has_run=True,
        verb="Activate",
        done="activated",
        consequences=(
            "The steps are sent from now on.",
            "They can't be changed unless their campaign is paused first.",
        ),
        action="campaign.activated",
    ),
    Status.PAUSED: StatusRow(
        targets=(Status.ACTIVE, Status.COMPLETED, Status.ARCHIVED),
        is_editable=True,
        has_run=True,
        verb="Pause",
        done="paused",
        consequences=("No step is sent until its campaign is resumed.", "Until then the steps can be changed."),
        action="campaign.paused",
    ),
    Status.COMPLETED: StatusRow(
        targets=(Status.ARCHIVED,),
        has_run=True,
        verb="Complete",
        done="completed",
        consequences=(
            "No further step is sent.",
            "A completed campaign can't be resumed; it can be archived or duplicated.",
        ),
        is_final=True,
        action="campaign.completed",
    ),
    Status.ARCHIVED: StatusRow(
        targets=(),
        verb="Archive",
        done="archived",
        consequences=(
            "An archived campaign is put away for good: nothing of it is sent, and its status can't change again.",
            "It stays readable, and can be duplicated.",
        ),
        is_final=True,
        action="campaign.archived",
    ),
}
if missing := [status.name for status in Status if status not in STATUSES]:
    raise ImproperlyConfigured(f"campaigns.statuses.STATUSES has no row for {', '.join(missing)}.")

EDITABLE = tuple(status for status, row in STATUSES.items() if row.is_editable)
DELETABLE = tuple(status for status, row in STATUSES.items() if row.is_deletable)
HAS_RUN = tuple(status for status, row in STATUSES.items() if row.has_run)


def sources(target: str) -> list[str]:
    """The statuses that lead to `target`."""
    return [str(status) for status, row in STATUSES.items() if target in row.targets]


def why_not(status: str, target: str) -> str:
    """Why a campaign can't go from `status` to `target`, and where it can go."""
    if status == target:
        reason = f"The campaign is already {status}."
    else:
        reason = f"{'An' if status[0] in 'aeiou' else 'A'} {status} campaign can't become {target}."
    targets = get_text_list([*map(str, STATUSES[status].targets)])
    return f"{reason} From here it can become {targets}." if targets else f"{reason} This status is final."
