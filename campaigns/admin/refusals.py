"""What the domain refuses, as staff are told it: the API's remedies name URLs, a page's name its buttons."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from campaigns import exceptions
from campaigns.models import Campaign
from messaging_project.api.errors import discard_connections, is_read_only, is_unavailable


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
    """A database that can't do it now is a refusal that can be tried again, and no crash: it takes no writes, or others
    held a lock for too long or won a deadlock."""
    try:
        yield
    except DatabaseError as error:
        if not is_unavailable(error):
            raise
        discard_connections(error)
        raise (exceptions.ReadOnly if is_read_only(error) else exceptions.Contention) from error


class RefusalsOnThePage(admin.ModelAdmin):
    """An admin whose saving and deleting the domain may refuse; its form finds the refusal at `request.refusal`."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Save in one transaction; what is refused while it is written is rolled back and shown on the same page."""
        try:
            with busy_as_refusal():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except exceptions.CampaignsError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What is refused is said on the list, or on the page itself where that has to be looked at again."""
        try:
            with busy_as_refusal():
                response: HttpResponse = super().delete_view(request, object_id, extra_context)
                return response
        except exceptions.VersionMismatch:
            messages.error(request, "It was changed while you had it open, and is not deleted. Look at it again first.")
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", object_id)
        except exceptions.CampaignsError as refusal:
            messages.error(request, staff_message(refusal))
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
