"""The feed of all changes of all campaigns: every history entry once, in an order that is legal for each campaign.

Entries are numbered at reading, by one transaction at a time. Whatever shows an entry also shows every earlier one that
it depends on, since the later writer waited for the earlier one's commit; and `seq` was filled while it held the lock.
So numbers dealt out in the order of `seq`, from what is committed, never need another one below them. They have no
gaps. Neither times nor ids would do: they aren't in the order of commits.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Min, QuerySet

from campaigns.exceptions import CursorPruned
from campaigns.models import Feed, HistoryEntry
from messaging_project import compiled
from messaging_project.database_errors import is_busy, is_read_only
from messaging_project.snapshots import snapshot

BATCH = 10_000  # entries that one transaction numbers, prunes or looks through
DEFAULT_LIMIT = 100
COLUMNS = tuple(field.attname for field in HistoryEntry._meta.concrete_fields if field.name != "seq")
# On SQLite, where writers run one after the other, rowids are in the order of commits. The plus has it use the index.
ORDER = {"postgresql": "seq, id", "sqlite": "+rowid"}
IS_DUE = "SELECT 1 FROM campaigns_historyentry WHERE number IS NULL ORDER BY seq LIMIT 1"
NUMBER = """
UPDATE campaigns_historyentry AS entry SET number = %s + due.place
FROM (
    SELECT id, row_number() OVER (ORDER BY {order}) AS place
    FROM campaigns_historyentry WHERE number IS NULL ORDER BY {order} LIMIT %s
) AS due
WHERE entry.id = due.id AND entry.number IS NULL
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the feed: its entries, as rows of a HistoryEntry's columns, and the cursor to go on from.

    `has_more`: there is more to read at once.
    """

    entries: list[Any]
    cursor: int
    has_more: bool


def changes_since(
    cursor: int | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    types: Iterable[str] = (),
    load_json: Callable[[str], Any] = json.loads,
) -> Changes:
    """The next `limit` changes after a cursor, or the first that are kept; of some `types` (Action), or of all.

    Whoever follows the answers' cursors misses none and gets none twice, in an order that is legal for each campaign.
    A cursor moves past entries of other types, too. Raises CursorPruned if entries after it were deleted, or it is
    beyond the last: then the database was restored from before it. Not to be called inside a transaction: it commits
    what it numbers. A database that takes no writes gives what was numbered; it may be a copy that lags behind. So does
    SQLite while a transaction of another keeps this one from writing for too long.
    """
    is_behind = False
    with _unless(is_read_only, is_busy):
        is_behind = number_entries()
    with snapshot():
        last, pruned = bounds()
        start = pruned if cursor is None else cursor
        if start < pruned:
            raise CursorPruned
        stop = max(start, min(last, start + BATCH))
        build = partial(_entries, limit + 1)
        rows = compiled.rows(build, sorted(types), start, stop, load_json=load_json)
    if start > last:
        with _unless(is_read_only), transaction.atomic():
            _locked_last(wait=True)
            raise CursorPruned
    if len(rows) > limit:
        return Changes(rows[:limit], rows[limit - 1].number, has_more=True)
    return Changes(rows, stop, has_more=is_behind or stop < last)


def latest_cursor() -> int:
    """The cursor after which come only changes that aren't committed yet. Not to be called inside a transaction."""
    with _unless(is_read_only):
        number_all()
    return bounds()[0]


def bounds() -> tuple[int, int]:
    """The highest number that was dealt out, and the highest that was pruned."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last, pruned FROM campaigns_feed")
        return cursor.fetchone() or (0, 0)


def _entries(count: int, types: list[str], start: int, stop: int) -> QuerySet[HistoryEntry, Any]:
    entries = HistoryEntry.objects.filter(number__gt=start, number__lte=stop)
    if types:
        entries = entries.filter(action__in=types)
    return entries.order_by("number").values_list(*COLUMNS)[:count]


# --- Numbering -------------------------------------------------------------------------------------------------------


@contextmanager
def _unless(*conditions: Callable[[Exception], bool]) -> Iterator[None]:
    """Leave the block at its first write if the database doesn't take it for one of these reasons."""
    try:
        yield
    except DatabaseError as error:
        if not any(condition(error) for condition in conditions):
            raise


def number_all() -> None:
    """Number all that is committed. Each batch is a transaction of its own."""
    while number_entries(wait=True):
        pass


def number_entries(*, wait: bool = False) -> bool:
    """Number up to BATCH committed entries; whether there may be more. Unless it may wait, not while another does it.

    It needs READ COMMITTED: its second statement sees all that was committed before it had the lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(IS_DUE)
        if cursor.fetchone() is None:
            return False
        with transaction.atomic(durable=True):
            last = _locked_last(wait=wait)
            if last is None:
                return False
            cursor.execute(NUMBER.format(order=ORDER[connection.vendor]), [last, BATCH])
            count: int = cursor.rowcount
            cursor.execute("UPDATE campaigns_feed SET last = last + %s", [count])
    return count == BATCH


def _locked_last(*, wait: bool) -> int | None:
    """The highest number so far, with the feed locked; None where another holds it."""
    feed = Feed.objects.select_for_update(skip_locked=not wait)
    locked = feed.first()
    if locked is None and not Feed.objects.exists():  # of a new database, or of one that was emptied
        Feed.objects.bulk_create([Feed(pk=1)], ignore_conflicts=True)
        locked = feed.first()
    return None if locked is None else locked.last


# --- Pruning ---------------------------------------------------------------------------------------------------------


def prune(before: datetime) -> int:
    """Delete the entries of changes before that time, and return how many. Commits after each BATCH.

    They go in the order of the feed, up to the first that is kept: so the feed knows by one number what it lacks.
    """
    number_all()
    last, pruned = bounds()
    first_kept = UUID(int=int(before.timestamp() * 1_000) << 80)  # UUIDv7 begins with its time: RFC 9562, 5.7
    kept = HistoryEntry.objects.filter(id__gte=first_kept).aggregate(number=Min("number"))["number"]
    end = last if kept is None else kept - 1
    count = 0
    while pruned < end:
        pruned = min(pruned + BATCH, end)
        count += _prune_up_to(pruned)
    return count


def _prune_up_to(number: int) -> int:
    with transaction.atomic():
        Feed.objects.filter(pruned__lt=number).update(pruned=number)
        return HistoryEntry.objects.filter(number__lte=number).delete()[0]
