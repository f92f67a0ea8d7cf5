"""What the domain refuses, as staff are told it: the API's remedies name URLs, a page's name its buttons."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error as DatabaseError

from campaigns import exceptions
from campaigns.models import Campaign
from campaigns.statuses import STATUSES
from messaging_project.database_errors import (
    discard_connections,
    is_contention,
    is_outcome_unknown,
    is_unavailable,
)


def staff_message(error: exceptions.CampaignsError) -> str:
    """The refusal in a sentence or two that say the remedy."""
    words = WORDS[type(error)]
    return words if isinstance(words, str) else words(error)


def not_editable(status: str) -> str:
    """Why the steps of a campaign with this status can't be changed, and what to do instead."""
    if status == Campaign.Status.ACTIVE:
        return "The campaign is active: its steps can't be changed until it is paused."
    return f"The campaign is {status}: its steps can't be changed any more. Duplicate it to go on from it."


def _position_taken(error: exceptions.PositionTaken) -> str:
    free = error.next_position
    remedy = f"The next free position is {free}." if free is not None else "No higher position is free."
    return f"{error} {remedy}"


def _not_deletable(error: exceptions.NotDeletable) -> str:
    remedy = " A campaign that has run can be archived." if STATUSES[error.status].targets else ""
    return f"{error}{remedy}"


class ReadOnly(exceptions.CampaignsError):
    """The database takes no writes at the moment; nothing was written."""


WORDS: dict[type[exceptions.CampaignsError], str | Callable[[Any], str]] = {
    exceptions.CampaignNotEditable: lambda error: not_editable(error.status),
    exceptions.Contention: str,
    exceptions.ExternalIdTaken: "Another campaign has this external id.",
    exceptions.InvalidTransition: str,
    exceptions.NoRoom: "There is no room: the steps from there on reach the highest position. Choose a lower one.",
    exceptions.NotDeletable: _not_deletable,
    exceptions.NotFound: lambda error: f"This {error.resource} has been deleted meanwhile.",
    exceptions.NotReady: str,
    exceptions.PositionTaken: _position_taken,
    ReadOnly: "The database takes no changes right now, and nothing was saved: try again later.",
    exceptions.StepSetMismatch: (
        "The steps on this page are not those of the campaign any more. Nothing has been saved yet."
    ),
    exceptions.VersionMismatch: "It was changed while you had it open. Nothing of yours has been saved yet.",
}


@contextmanager
def busy_as_refusal() -> Iterator[None]:
    """A database that can't do it now is a refusal that can be tried again, and no crash: it takes no writes, or others
    were in the way. Where nobody knows whether it was saved, the error passes: its page says to look first."""
    try:
        yield
    except DatabaseError as error:
        if not is_unavailable(error) or is_outcome_unknown(error):
            raise
        discard_connections(error)
        raise (exceptions.Contention if is_contention(error) else ReadOnly) from error
