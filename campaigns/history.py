"""Who changed what: one append-only table, written in the same transaction as the change it tells of."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns.models import Action, ActorType, HistoryEntry

PRUNED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the subject of an access token, a staff user, or a management command.

    `id` is the token's subject, the user's primary key, or the command's name; `issuer` is set for tokens only;
    `name` is what a person reads.
    """

    type: ActorType
    id: str
    name: str
    issuer: str = ""


def actor_of(user: Any) -> Actor:
    """Who makes a request: the principal of an access token (`issuer`, `subject`), or a Django user."""
    if issuer := getattr(user, "issuer", ""):
        return Actor(ActorType.TOKEN, user.subject, user.subject, issuer)
    return Actor(ActorType.USER, str(user.pk), user.get_username())


def difference(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that differ, before and after, of the fields in `new`. JSON tells 1 from true, and so does this."""
    changed = [name for name in new if json.dumps(old[name], sort_keys=True) != json.dumps(new[name], sort_keys=True)]
    return {name: old[name] for name in changed}, {name: new[name] for name in changed}


def entry(
    actor: Actor,
    action: Action,
    campaign_id: UUID,
    *,
    step_id: UUID | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> HistoryEntry:
    """An unsaved entry."""
    return HistoryEntry(
        actor_type=actor.type,
        actor_issuer=actor.issuer,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        campaign_id=campaign_id,
        step_id=step_id,
        before=before,
        after=after,
    )


def record(actor: Actor, action: Action, campaign_id: UUID, **what: Any) -> None:
    """Write one entry; the caller's transaction holds the change itself. Takes what entry() takes."""
    entry(actor, action, campaign_id, **what).save(force_insert=True)


def prune(before: datetime) -> int:
    """Delete the entries of changes before that time, and return how many. Commits after each PRUNED_AT_ONCE."""
    first_kept = UUID(int=int(before.timestamp() * 1_000) << 80)  # UUIDv7 begins with its time: RFC 9562, 5.7
    old = HistoryEntry.objects.filter(id__lt=first_kept).order_by("id")
    count = 0
    while ids := list(old.values_list("id", flat=True)[:PRUNED_AT_ONCE]):
        count += HistoryEntry.objects.filter(id__lte=ids[-1]).delete()[0]
    return count
