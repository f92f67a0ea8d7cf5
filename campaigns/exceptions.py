"""The domain's refusals. Each has a `message` that says the remedy and `details` for programs; none knows of HTTP."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID


class CampaignsError(Exception):
    """Something the domain refuses, by its rules."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NotFound(CampaignsError):
    """There is no such `resource` ("campaign" or "step")."""

    def __init__(self, resource: str, id: UUID | str) -> None:
        super().__init__(f"There is no {resource} with this id.", resource=resource, id=str(id)[:64])


class ExternalIdTaken(CampaignsError):
    """Another campaign has this external id."""

    def __init__(self, external_id: str) -> None:
        super().__init__("Another campaign has this external id.", external_id=external_id)


class StepSetMismatch(CampaignsError):
    """Ids of steps that are not what they have to be: `missing` ones, and `unknown` and `repeated` ones by index."""

    def __init__(self, *, missing: list[str], unknown: dict[int, str], repeated: dict[int, str]) -> None:
        super().__init__(
            "The step ids are not those of the campaign.", missing=missing, unknown=unknown, repeated=repeated
        )


class BadState(CampaignsError):
    """The campaign's state forbids it. `details["reason"]` says which rule."""


class CampaignNotEditable(BadState):
    def __init__(self, campaign_id: UUID, status: str, editable_statuses: Iterable[str]) -> None:
        if status == "active":
            remedy = f"Pause the campaign first: POST /v1/messaging/campaigns/{campaign_id}/pause"
        else:
            remedy = f"Duplicate the campaign to go on from it: POST /v1/messaging/campaigns/{campaign_id}/duplicate"
        super().__init__(
            f"The steps of a campaign that is {status} can't be changed. {remedy}",
            reason="campaign_not_editable",
            status=status,
            editable_statuses=list(editable_statuses),
        )


class PositionTaken(BadState):
    """A position holds another step. `can_shift`: the call that wanted it could make room instead."""

    def __init__(self, position: int, step_id: UUID, next_position: int | None, *, can_shift: bool = False) -> None:
        free = "No higher position is free" if next_position is None else f"The next free position is {next_position}"
        remedy = "; ?on_conflict=shift makes room instead." if can_shift else "."
        super().__init__(
            f"Position {position} holds another step. {free}{remedy}",
            reason="position_taken",
            position=position,
            step_id=str(step_id),
            next_position=next_position,
        )


class NoRoom(BadState):
    def __init__(self, position: int) -> None:
        super().__init__(
            f"There is no room at position {position}: the steps from there on reach the highest position. "
            "Choose a lower position, or reorder the steps first.",
            reason="no_room",
            position=position,
        )


class InvalidTransition(BadState):
    def __init__(self, status: str, target: str, allowed_targets: Iterable[str]) -> None:
        allowed = list(allowed_targets)
        remedy = f"From here it can become {' or '.join(allowed)}." if allowed else "This status is final."
        super().__init__(
            f"A campaign that is {status} can't become {target}. {remedy}",
            reason="invalid_transition",
            status=status,
            target=target,
            allowed_targets=allowed,
        )


class NotReady(BadState):
    """Activation of a campaign that would not run; `errors` are the readiness errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(
            "The campaign isn't ready to be activated: " + " ".join(error["message"] for error in errors),
            reason="not_ready",
            errors=errors,
        )


class NotDeletable(BadState):
    def __init__(self, campaign_id: UUID, status: str) -> None:
        remedy = {
            "active": f"Pause and archive it instead: POST /v1/messaging/campaigns/{campaign_id}/pause",
            "archived": "An archived campaign stays.",
        }.get(status, f"Archive it instead: POST /v1/messaging/campaigns/{campaign_id}/archive")
        super().__init__(
            f"Only a draft can be deleted; this campaign is {status}. {remedy}", reason="not_deletable", status=status
        )


class VersionMismatch(CampaignsError):
    """The caller's copy is older than what is stored; `etag` is the current one."""

    def __init__(self, etag: str) -> None:
        super().__init__(
            "It was changed since you read it: get it again and repeat the change on what you find.", etag=etag
        )


class Contention(CampaignsError):
    """Others kept changing the same thing at that moment; nothing was written, and the same call may succeed now."""

    def __init__(self) -> None:
        super().__init__("Other changes to the same campaign kept getting in the way: try again.")


class ReadOnly(CampaignsError):
    """The database takes no writes at the moment; nothing was written."""

    def __init__(self) -> None:
        super().__init__("The database takes no changes right now, and nothing was saved: try again later.")
