"""What the project's other apps may call; all else in this app may change.

Every function keeps the rules and raises refusals, as the API does; the text of each is a sentence. Signals aren't
offered: whoever must know of changes follows changes_since(), which misses none and survives a restart. It isn't to be
called inside a transaction.

change_status() may be: then, with a strict template catalogue, call ask_before_activation(campaign_id) before the
transaction begins, because nothing waits for a catalogue while it holds a lock.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns import revisions
from campaigns.catalogue.findings import ask_before_activation
from campaigns.changes import StepChanges, step_changes
from campaigns.exceptions import (
    BadState,
    CampaignNotEditable,
    CampaignsError,
    Contention,
    CursorPruned,
    InvalidTransition,
    NoRoom,
    NotFound,
    NotReady,
    PositionTaken,
    VersionMismatch,
)
from campaigns.feed import Changes, changes_since, latest_cursor
from campaigns.history import Actor
from campaigns.lifecycle import change_status
from campaigns.models import ActorType
from campaigns.rules import StepFields
from campaigns.statuses import Status
from campaigns.steps import add_step

__all__ = [
    "Actor",
    "ActorType",
    "BadState",
    "CampaignNotEditable",
    "CampaignsError",
    "Changes",
    "Contention",
    "CursorPruned",
    "FrozenRevision",
    "FrozenStep",
    "InvalidTransition",
    "NoRoom",
    "NotFound",
    "NotReady",
    "PositionTaken",
    "Status",
    "StepChanges",
    "StepFields",
    "VersionMismatch",
    "add_step",
    "ask_before_activation",
    "change_status",
    "changes_since",
    "get_latest_revision",
    "get_revision",
    "latest_cursor",
    "step_changes",
]


@dataclass(frozen=True, slots=True)
class FrozenStep:
    """A step as an activation froze it; `delay_minutes` after the one before it."""

    ordinal: int
    id: UUID
    template_id: str
    template_version_id: str
    delay_minutes: int
    variables: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FrozenRevision:
    """A revision, which never changes: it may be kept by (campaign_id, number)."""

    campaign_id: UUID
    number: int
    digest: str
    created_at: datetime
    created_by: Actor
    steps: tuple[FrozenStep, ...]


def get_revision(campaign_id: UUID, number: int) -> FrozenRevision:
    """A revision with its steps. Raises NotFound."""
    return _with_steps(revisions.find_revision(campaign_id, number))


def get_latest_revision(campaign_id: UUID) -> FrozenRevision:
    """The latest revision with its steps: what an active campaign runs on. Raises NotFound."""
    return _with_steps(revisions.find_revision(campaign_id, None))


def _with_steps(row: Any) -> FrozenRevision:
    steps = (FrozenStep(*step) for step in revisions.revision_steps(row.id, load_json=json.loads))
    by = Actor(ActorType(row.actor_type), row.actor_id, row.actor_name, row.actor_issuer)
    return FrozenRevision(row.campaign_id, row.number, row.digest, row.created_at, by, tuple(steps))
