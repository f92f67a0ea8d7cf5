"""The domain's refusals as error answers of the API, with the remedy in its words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from rest_framework.exceptions import ErrorDetail, ValidationError

from campaigns import exceptions
from campaigns.statuses import EDITABLE, STATUSES, Status
from campaigns.versions import kind_of
from messaging_project.api import errors
from messaging_project.api.errors import RETRY_AFTER_SECONDS, APIError, validation_error
from messaging_project.api.etags import TAG, is_list, is_weak, quoted
from messaging_project.field_paths import echoed


class Reason(TextChoices):
    """The rules by which a campaign's state forbids a call: `details.reason` of a 412 `bad_state`."""

    CAMPAIGN_NOT_EDITABLE = "campaign_not_editable", "its status doesn't let steps be changed"
    POSITION_TAKEN = "position_taken", "the position holds another step"
    NO_ROOM = "no_room", "a shift would go beyond the highest position"
    INVALID_TRANSITION = "invalid_transition", "its status can't become the one that was asked for"
    NOT_READY = "not_ready", "readiness has errors"
    NOT_DELETABLE = "not_deletable", "only a draft can be deleted"


CHANGED_MEANWHILE = "It was changed since you read it: get it again and repeat your change."
CURSOR_PRUNED = (
    "Events after this cursor were deleted with the old history, or the database was restored from before it. To begin "
    "anew, take a cursor by ?cursor=latest, read the campaigns as they are now, and go on from that cursor; without a "
    "cursor come the events that are kept."
)


def as_http(exc: Exception, *, offers_shift: bool = False, if_match: str | None = None) -> Exception:
    """A refusal of the domain as an error answer of the API; any other exception unchanged.

    `offers_shift`: the operation takes `?on_conflict=shift`, so that is the remedy for a taken position.
    `if_match`: the header that a version was judged by, if it is known.
    """
    match exc:
        case exceptions.NotFound():
            return errors.not_found(exc.resource, str(exc.id))
        case exceptions.VersionMismatch():
            return APIError(412, "precondition_failed", _why_no_match(exc.etag, if_match), {"etag": quoted(exc.etag)})
        case exceptions.ExternalIdTaken():
            return external_id_taken(exc)
        case exceptions.Contention():
            return APIError(503, "unavailable", str(exc), headers={"Retry-After": RETRY_AFTER_SECONDS})
        case exceptions.CursorPruned():
            return APIError(410, "cursor_pruned", CURSOR_PRUNED)
        case exceptions.PositionTaken():
            return _position_taken(exc, offers_shift=offers_shift)
        case exceptions.BadState():
            return BAD_STATES[type(exc)](exc)
    return exc


def _why_no_match(etag: str, if_match: str | None) -> str:
    """What is wrong with the tags of an If-Match: those that can never match must not be read again, and again."""
    if if_match is None:
        return CHANGED_MEANWHILE
    if not is_list(if_match):
        return 'If-Match must be * or entity tags in double quotes, as ETag headers have them: "1".'
    tags = TAG.findall(if_match)
    if all(map(is_weak, tags)):
        return "A weak tag never matches: send it without W/, which a proxy on the way may have put there."
    sent, wanted = {kind_of(tag.strip('"')) for tag in tags}, kind_of(etag)
    if sent & {wanted, None}:
        return CHANGED_MEANWHILE
    return f"The tag is of {' and of '.join(sorted(map(str, sent)))}: send the ETag of {wanted}, as you have read it."


def external_id_taken(exc: exceptions.ExternalIdTaken, others: Mapping[str, Any] | None = None) -> APIError:
    """The refusal of an external id, and of `others`: the faults of other fields."""
    if exc.campaign_id is None:
        return validation_error(("external_id", "unique", "Another campaign had this external id: try again."))
    message = f"The campaign {exc.campaign_id} has this external id: change that one, or choose another external id."
    faults = {"external_id": [ErrorDetail(message, "unique")], **(others or {})}
    refusal = errors.as_api_error(ValidationError(faults))
    assert refusal.details is not None  # noqa: S101 - tells mypy what a ValidationError becomes
    refusal.details["campaign_id"] = str(exc.campaign_id)
    return refusal


def _bad_state(reason: Reason, message: str, **details: Any) -> APIError:
    return APIError(412, "bad_state", message, {"reason": reason.value, **details})


def _not_editable(exc: exceptions.CampaignNotEditable) -> APIError:
    if Status.PAUSED in STATUSES[exc.status].targets:
        remedy = f"Pause the campaign first: {_post(exc.campaign_id, 'pause')}"
    else:
        remedy = f"Duplicate it and change the copy: {_post(exc.campaign_id, 'duplicate')}"
    return _bad_state(
        Reason.CAMPAIGN_NOT_EDITABLE, f"{exc} {remedy}", status=exc.status, editable_statuses=list(EDITABLE)
    )


def _position_taken(exc: exceptions.PositionTaken, *, offers_shift: bool) -> APIError:
    free = exc.next_position
    if free is None:  # nor could the steps from there on move
        way_out = "No higher position is free: choose a lower one, or reorder the steps first."
    else:
        shift = "; ?on_conflict=shift makes room instead" if offers_shift else ""
        way_out = f"The next free position is {free}{shift}."
    details = {"position": exc.position, "step_id": str(exc.step_id), "next_position": free}
    return _bad_state(Reason.POSITION_TAKEN, f"{exc} {way_out}", **details)


def _no_room(exc: exceptions.NoRoom) -> APIError:
    remedy = "Choose a lower position, or reorder the steps first."
    return _bad_state(Reason.NO_ROOM, f"{exc} {remedy}", position=exc.position)


def _invalid_transition(exc: exceptions.InvalidTransition) -> APIError:
    details = {"status": exc.status, "target": exc.target, "allowed_targets": list(STATUSES[exc.status].targets)}
    return _bad_state(Reason.INVALID_TRANSITION, str(exc), **details)


def _not_ready(exc: exceptions.NotReady) -> APIError:
    return _bad_state(Reason.NOT_READY, str(exc), errors=exc.errors)


def _not_deletable(exc: exceptions.NotDeletable) -> APIError:
    targets = STATUSES[exc.status].targets
    if Status.ARCHIVED in targets:
        remedy = f"Archive it instead: {_post(exc.campaign_id, 'archive')}"
    elif Status.PAUSED in targets:
        remedy = f"Pause and archive it instead: {_post(exc.campaign_id, 'pause')}"
    else:
        remedy = f"A campaign that is {exc.status} is kept."
    return _bad_state(Reason.NOT_DELETABLE, f"{exc} {remedy}", status=exc.status)


BAD_STATES: dict[type[exceptions.BadState], Callable[[Any], APIError]] = {
    exceptions.CampaignNotEditable: _not_editable,
    exceptions.NoRoom: _no_room,
    exceptions.InvalidTransition: _invalid_transition,
    exceptions.NotReady: _not_ready,
    exceptions.NotDeletable: _not_deletable,
}


def _post(campaign_id: UUID, action: str) -> str:
    return f"POST /v1/messaging/campaigns/{campaign_id}/{action}"


@contextmanager
def step_ids_at(place: str) -> Iterator[None]:
    """Report step ids that don't fit as faults of the body, at the path `place` ({} takes the index)."""
    try:
        yield
    except exceptions.StepSetMismatch as mismatch:
        raise step_set_mismatch(mismatch, place) from mismatch


def step_set_mismatch(mismatch: exceptions.StepSetMismatch, place: str) -> APIError:
    faults = []
    for code, problem, found in (
        ("unknown", "is not a step of this campaign", mismatch.unknown),
        ("repeated", "is listed twice", mismatch.repeated),
    ):
        faults += [(place.format(index), code, f"{echoed(step_id)} {problem}.") for index, step_id in found.items()]
    whole = place.partition("[")[0]
    faults += [(whole, "missing", f"{step_id} must be listed too.") for step_id in mismatch.missing]
    return validation_error(*faults, more=mismatch.total - len(faults))
