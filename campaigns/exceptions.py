"""What the domain refuses, as data. Each door has words of its own for it: campaigns.http.refusals for the API,
campaigns.admin.refusals for staff, the commands for operators.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


class CampaignsError(Exception):
    """Something the domain refuses, by its rules."""


@dataclass(eq=False)
class NotFound(CampaignsError):
    """There is no such `resource` ("campaign" or "step")."""

    resource: str
    id: UUID | str


@dataclass(eq=False)
class ExternalIdTaken(CampaignsError):
    """Another campaign has this external id: `campaign_id`, or None where it has gone since."""

    external_id: str
    campaign_id: UUID | None


@dataclass(eq=False)
class StepSetMismatch(CampaignsError):
    """Ids of steps that are not what they have to be: `missing` ones, and `unknown` and `repeated` ones by index."""

    missing: list[str]
    unknown: dict[int, str]
    repeated: dict[int, str]


@dataclass(eq=False)
class VersionMismatch(CampaignsError):
    """The caller's copy is older than what is stored; `etag` is the current one, without quotes."""

    etag: str


class Contention(CampaignsError):
    """Others kept changing the same thing at that moment; nothing was written, and the same call may succeed now."""


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
    """A position holds another step. `next_position` is the smallest free one above it, None where there is none."""

    position: int
    step_id: UUID
    next_position: int | None


@dataclass(eq=False)
class NoRoom(BadState):
    """The steps from this position on reach the highest one, and so can't move up."""

    position: int


@dataclass(eq=False)
class InvalidTransition(BadState):
    """A campaign with this status can't become `target`."""

    status: str
    target: str


@dataclass(eq=False)
class NotReady(BadState):
    """Activation of a campaign that would not run; `errors` are the readiness errors."""

    errors: list[dict[str, Any]]


@dataclass(eq=False)
class NotDeletable(BadState):
    """A campaign with this status can't be deleted."""

    campaign_id: UUID
    status: str
