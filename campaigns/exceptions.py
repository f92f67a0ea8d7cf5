"""What the domain refuses, as data.

The words are elsewhere: campaigns.http.refusals has them for the API, campaigns.admin.refusals for staff, the commands
for operators.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


class CampaignsError(Exception):
    """The domain refuses a call, by its rules."""


@dataclass(eq=False)
class NotFound(CampaignsError):
    """No such `resource` ("campaign" or "step") exists."""

    resource: str
    id: UUID | str


@dataclass(eq=False)
class ExternalIdTaken(CampaignsError):
    """Another campaign has this external id: `campaign_id`, or None where it has gone since."""

    external_id: str
    campaign_id: UUID | None


@dataclass(eq=False)
class StepSetMismatch(CampaignsError):
    """The given step ids are not the campaign's: `missing` ones, and `unknown` and `repeated` ones by index.

    Of each kind the first MAX_LISTED_FAULTS; `total` counts all.
    """

    missing: list[str]
    unknown: dict[int, str]
    repeated: dict[int, str]
    total: int


@dataclass(eq=False)
class VersionMismatch(CampaignsError):
    """The caller's copy is older than what is stored; `etag` is the current one, without quotes."""

    etag: str


class Contention(CampaignsError):
    """Other writers kept getting in the way. Nothing was written; the same call may succeed now."""


class CursorPruned(CampaignsError):
    """Changes after this cursor of the feed are gone: deleted with the history, or lost by a restore."""


class ReadOnly(CampaignsError):
    """The database takes no writes at the moment; nothing was written."""


# --- The campaign's state forbids it ---------------------------------------------------------------------------------


class BadState(CampaignsError):
    """The campaign's state forbids it."""


@dataclass(eq=False)
class CampaignNotEditable(BadState):
    """The steps of a campaign with this status can't be changed."""

    campaign_id: UUID
    status: str


@dataclass(eq=False)
class PositionTaken(BadState):
    """A position holds another step. `next_position` is the smallest free one above it, or None."""

    position: int
    step_id: UUID
    next_position: int | None


@dataclass(eq=False)
class NoRoom(BadState):
    """The steps from this position on reach the highest one, so they can't move up."""

    position: int


@dataclass(eq=False)
class InvalidTransition(BadState):
    """A campaign with this status can't become `target`."""

    status: str
    target: str


@dataclass(eq=False)
class NotReady(BadState):
    """The campaign can't be activated; `errors` are the readiness errors."""

    errors: list[dict[str, Any]]


@dataclass(eq=False)
class NotDeletable(BadState):
    """A campaign with this status can't be deleted."""

    campaign_id: UUID
    status: str
