"""What the domain refuses, as staff are told it: the API's remedies name URLs, a page's name its buttons."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

from campaigns import exceptions
from campaigns.models import Campaign
from messaging_project.api.errors import is_unavailable


def staff_message(error: exceptions.CampaignsError) -> str:
    """The refusal in a sentence or two that say the remedy."""
    match error:
        case exceptions.CampaignNotEditable():
            return not_editable(str(error.details["status"]))
        case exceptions.PositionTaken(details={"position": position, "next_position": free}):
            remedy = f"The next free position is {free}." if free is not None else "No higher position is free."
            return f"Position {position} holds another step. {remedy}"
        case exceptions.NotDeletable():
            status = error.details["status"]
            return f"Only a draft can be deleted; this campaign is {status}. A campaign that has run can be archived."
        case exceptions.VersionMismatch():
            return "It was changed while you had it open. Nothing of yours has been saved yet."
        case exceptions.StepSetMismatch():
            return "The steps on this page are not those of the campaign any more. Nothing has been saved yet."
        case _:
            return error.message


def not_editable(status: str) -> str:
    """Why the steps of a campaign with this status can't be changed, and what to do instead."""
    if status == Campaign.Status.ACTIVE:
        return "The campaign is active: its steps can't be changed until it is paused."
    return f"The campaign is {status}: its steps can't be changed any more. Duplicate it to go on from it."


@contextmanager
def busy_as_refusal() -> Iterator[None]:
    """A lock that others held for too long, or a lost deadlock, is a refusal that can be tried again, and no crash."""
    try:
        yield
    except OperationalError as error:
        if not is_unavailable(error):
            raise
        raise exceptions.Contention from error
