"""What the domain refuses, as data; as text a sentence for operators and other apps.

Remedies are elsewhere: campaigns.http.refusals has their words for the API, campaigns.admin.refusals for staff.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from campaigns.statuses import why_not


class CampaignsError(Exception):
    """The domain refuses a call, by its rules."""


@dataclass(eq=False)
class NotFound(CampaignsError):
    """No such `resource` ("campaign", "step" or "revision") exists."""

    resource: str
    id: UUID | str

    def __str__(self) -> str:
        return f"There is no {self.resource} {self.id}."


@dataclass(eq=False)
class ExternalIdTaken(CampaignsError):
    """Another campaign has this external id: `campaign_id`, or None where it has gone since."""

    external_id: str
    campaign_id: UUID | None

    def __str__(self) -> str:
        return f"Another campaign has the external id {self.external_id!r}."


@dataclass(eq=False)
class StepSetMismatch(CampaignsError):
    """The given step ids are not the campaign's: `missing` ones, and `unknown` and `repeated` ones by index.

    Of each kind the first MAX_LISTED_FAULTS; `total` counts all.
    """

    missing: list[str]
    unknown: dict[int, str]
    repeated: dict[int, str]
    total: int

    def __str__(self) -> str:
        return "The steps that were named are not those of the campaign."


@dataclass(eq=False)
class VersionMismatch(CampaignsError):
    """The caller's copy is older than what is stored; `etag` is the current one, without quotes."""

    etag: str

    def __str__(self) -> str:
        return "It was changed since it was read."


class Contention(CampaignsError):
    """Other writers kept getting in the way. Nothing was written; the same call may succeed now."""

    def __str__(self) -> str:
        return "Other changes to the same campaign kept getting in the way: try again."


class CursorPruned(CampaignsError):
    """Changes after this cursor of the feed are gone: deleted with the history, or lost by a restore."""

    def __str__(self) -> str:
        return "Changes after this cursor are gone: begin anew."


# --- The campaign's state forbids it ---------------------------------------------------------------------------------


class BadState(CampaignsError):
    """The campaign's state forbids it."""


@dataclass(eq=False)
class CampaignNotEditable(BadState):
    """The steps of a campaign with this status can't be changed."""

    campaign_id: UUID
    status: str

    def __str__(self) -> str:
        return f"The steps of a campaign that is {self.status} can't be changed."


@dataclass(eq=False)
class PositionTaken(BadState):
    """A position holds another step. `next_position` is the smallest free one above it, or None."""

    position: int
    step_id: UUID
    next_position: int | None

    def __str__(self) -> str:
        return f"Position {self.position} holds another step."


@dataclass(eq=False)
class NoRoom(BadState):
    """The steps from this position on reach the highest one, so they can't move up."""

    position: int

    def __str__(self) -> str:
        return f"There is no room at position {self.position}: the steps from there on reach the highest position."


@dataclass(eq=False)
class InvalidTransition(BadState):
    """A campaign with this status can't become `target`."""

    status: str
    target: str

    def __str__(self) -> str:
        return why_not(self.status, self.target)


@dataclass(eq=False)
class NotReady(BadState):
    """The campaign can't be activated; `errors` are the readiness errors."""

    errors: list[dict[str, Any]]

    def __str__(self) -> str:
        return "The campaign isn't ready to be activated: " + " ".join(error["message"] for error in self.errors)


@dataclass(eq=False)
class NotDeletable(BadState):
    """A campaign with this status can't be deleted."""

    campaign_id: UUID
    status: str

    def __str__(self) -> str:
        return f"Only a draft can be deleted; this campaign is {self.status}."
