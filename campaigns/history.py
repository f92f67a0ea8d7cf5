"""Who changed what, in the order in which it happened: one append-only table, written in the change's transaction."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from django.db import connection
from uuid_utils import uuid4

from campaigns.canonical_json import as_json, canonical
from campaigns.models import Action, ActorType, HistoryEntry


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
    changed = [name for name in new if canonical(old[name]) != canonical(new[name])]
    return {name: old[name] for name in changed}, {name: new[name] for name in changed}


# --- Writing ---------------------------------------------------------------------------------------------------------

# An entry's id and time are one instant, read when the campaign's lock is held: so entries stand in the order of what
# they tell of. On PostgreSQL it is the server's clock: those of two processes differ, and now() is the start of the
# transaction, from before the lock was waited for. Elsewhere writers run one after the other, and the clock is ours.
CLOCK = "clock_timestamp()"
# A UUIDv7 (RFC 9562, 5.7) of the instant `at`: the 12 bits after the milliseconds are their fraction (6.2, method 3).
# Few functions, since the database looks each up anew for each statement. Until the year 2527 the first digit is 0.
ENTRY_ID = """(
    '0' || overlay(to_hex((extract(epoch FROM at) * 4096000)::bigint) placing '7' from 12 for 0) || {random}
)::uuid"""
RANDOM = "substr(gen_random_uuid()::text, 20)"
FIELDS = (
    *("actor_type", "actor_issuer", "actor_id", "actor_name"),
    *("action", "campaign_id", "step_id", "revision", "before", "after"),
)
# Goes after a `moment` with the instant `at`, of one row or none. Takes parameters().
ADD_ENTRY = f"""
INSERT INTO campaigns_historyentry (id, created_at, {", ".join(FIELDS)})
SELECT {ENTRY_ID.format(random="%(random)s")}, at, {", ".join(f"%({name})s" for name in FIELDS)} FROM moment
"""  # noqa: S608 - put together from this module's own words
RECORD = f"WITH moment AS MATERIALIZED (SELECT {CLOCK} AS at) {ADD_ENTRY}"


def record(actor: Actor, action: Action, campaign_id: UUID, **what: Any) -> None:
    """Write one entry; `what` are its `step_id`, `revision`, `before` and `after`.

    The caller's transaction has made the change, and so holds the campaign's lock.
    """
    values = entry_values(actor, action, campaign_id, **what)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(RECORD, parameters(values))
    else:
        _entry(values).save(force_insert=True)


def record_each(actor: Actor, campaign_id: UUID, changes: Iterable[dict[str, Any]]) -> None:
    """Write one entry for each of `changes`, in their order: its `action`, and what record() takes of it."""
    entries = [entry_values(actor, campaign_id=campaign_id, **change) for change in changes]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.executemany(RECORD, [parameters(values) for values in entries])
    else:
        HistoryEntry.objects.bulk_create([_entry(values) for values in entries])


def _entry(values: dict[str, Any]) -> HistoryEntry:
    at = next_instant()
    return HistoryEntry(id=entry_id(at), created_at=at, **values)


def entry_values(
    actor: Actor,
    action: Action,
    campaign_id: UUID,
    *,
    step_id: UUID | None = None,
    revision: int | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The values of FIELDS."""
    by = (actor.type, actor.issuer, actor.id, actor.name)
    values = (*by, action, campaign_id, step_id, revision, before, after)
    return dict(zip(FIELDS, values, strict=True))


def parameters(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of ADD_ENTRY for the values of FIELDS.

    psycopg adapts texts with the least work: its way with enumerations and JSON takes longer than all others.
    """
    words = {name: str(values[name]) for name in ("actor_type", "action")}
    documents = {name: None if values[name] is None else as_json(values[name]) for name in ("before", "after")}
    return {**values, **words, **documents, "random": str(uuid4())[19:]}


class _Clock:
    """The time in microseconds since 1970, and each time later than before."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0

    def __call__(self) -> int:
        with self._lock:
            self._last = max(time.time_ns() // 1_000, self._last + 1)
            return self._last


_clock = _Clock()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_instant() -> datetime:
    """What CLOCK is, on other databases than PostgreSQL."""
    return _EPOCH + timedelta(microseconds=_clock())


def entry_id(at: datetime) -> UUID:
    """What ENTRY_ID is, on other databases than PostgreSQL."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    milliseconds, fraction = divmod((microseconds * 512 + 62) // 125, 4_096)  # rounded, as PostgreSQL does it
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62))
