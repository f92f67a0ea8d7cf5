"""Steps that are written while the rest of the file is read; on PostgreSQL only.

The campaigns of each batch of rows that nobody has are inserted first. Those that are stored are locked, if their new
steps stand above all that they have. Both are ours until the transaction ends, and their steps go straight to where
they stay. merging.py judges what the file says of them like anything else, and takes back the steps of each campaign
that turns out to be other than it was taken for.

Whoever creates a campaign with the same external id, or changes one that is locked, waits for us. Two such loads could
wait for each other for ever, so only the holder of the load lock writes early, and who meets it waits for that lock
with nothing else in hand.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import errors

from campaigns.seeding import merge_sql
from campaigns.seeding.rows import IDS
from campaigns.seeding.staging import BATCH_ROWS, Ascent, Section

# It conflicts with itself only: on the table of checkpoints it is in nobody's way.
LOAD_LOCK = "LOCK TABLE campaigns_seedmark IN SHARE UPDATE EXCLUSIVE MODE"
# Names of campaigns that later rows may go on with. Those of two batches at least: when one is begun, the steps of the
# one before aren't there yet.
MAX_KNOWN = 2 * BATCH_ROWS * (len(IDS) + 1)

ADD_CAMPAIGNS = """
INSERT INTO campaigns_campaign (id, external_id, name, description, status, version)
SELECT c.campaign_id, c.external_id, c.name, COALESCE(c.description, ''), {new_status}, 1
FROM json_to_recordset(%(campaigns)s)
    AS c (campaign_id uuid, external_id text, name text, description text, status text)
WHERE c.name IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING id
"""
# Subqueries, which an index answers each: joins might read all steps for each batch, since a database whose statistics
# are of before the load doesn't know better.
EXTENDABLE = """
SELECT c.campaign_id, s.id
FROM json_to_recordset(%(campaigns)s) AS c (campaign_id uuid, external_id text, position bigint)
    JOIN campaigns_campaign s ON s.id = COALESCE(
        (SELECT i.id FROM campaigns_campaign i WHERE i.id = c.campaign_id),
        (SELECT e.id FROM campaigns_campaign e WHERE e.external_id = c.external_id)
    )
WHERE s.status IN ({editable}) AND COALESCE(
    (SELECT MAX(t.position) FROM campaigns_campaignstep t WHERE t.campaign_id = s.id), -1
) < c.position
"""
# Together, because each answer that is waited for costs a turn of Python's lock. What is locked is looked at once more:
# a step may have been committed after the first statement began, and before it took the lock.
BEGIN = f"""
{EXTENDABLE} AND %(locks_stored)s FOR NO KEY UPDATE OF s SKIP LOCKED;
SAVEPOINT early; {ADD_CAMPAIGNS}; RELEASE early;
{EXTENDABLE}
"""
# Campaigns of which any row is staged, is at fault, or says what wasn't written.
UNDONE = f"""
SELECT DISTINCT early_id AS id FROM seed_group WHERE early_id IS NOT NULL AND campaign_id IN (
    SELECT c.id FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id
        JOIN ({merge_sql.SUMS}) ch ON ch.campaign_id = c.id
        LEFT JOIN campaigns_campaign s ON s.id = g.early_id
    WHERE (s.id, s.external_id, s.name, s.description, s.status) IS DISTINCT FROM (
            c.id, c.external_id, c.name, c.description, CASE WHEN c.stored THEN c.status ELSE {{new_status}} END
        )
        OR {merge_sql.IS_FAULTY} OR ({merge_sql.IS_NOT_READY} AND %(restore_status)s = 1)
)
"""  # noqa: S608 - put together from this package's own words
UNDO = (
    """
    INSERT INTO seed_row (line, section, id, {step_columns})
    SELECT l.line, g.section, s.id, {step_columns}
    FROM seed_section g
        CROSS JOIN unnest(string_to_array(g.lines, ',')::bigint[], string_to_array(g.positions, ',')::bigint[])
            AS l (line, place)
        JOIN campaigns_campaignstep s ON s.campaign_id = g.early_id AND s.position = l.place
    WHERE g.early_id IN (SELECT id FROM seed_undone)
    """,
    "ANALYZE seed_row (line, section, position)",
    "DELETE FROM campaigns_campaignstep s USING seed_row r WHERE s.id = r.id",
    "DELETE FROM campaigns_campaign WHERE id IN (SELECT id FROM seed_undone INTERSECT SELECT id FROM seed_created)",
    "UPDATE seed_section SET early_id = NULL WHERE early_id IN (SELECT id FROM seed_undone)",
)


def _take_load_lock(cursor: Any) -> bool:
    """Whether no other load has it."""
    try:
        with cursor.connection.transaction():
            cursor.execute(f"{LOAD_LOCK} NOWAIT")
    except errors.LockNotAvailable:
        return False
    return True


class EarlyCampaigns:
    """Finds which sections of the file can be written early, batch by batch.

    Stored campaigns are locked with `locks_stored` only: not for a pipe, since nobody knows how long that takes.
    """

    def __init__(
        self, cursor: Any, is_allowed: Callable[[], bool], *, restore_status: bool, locks_stored: bool
    ) -> None:
        self.locked_at: float | None = None
        self._cursor = cursor
        self._is_allowed = is_allowed
        self._statements = merge_sql.filled(BEGIN)
        self._flags = {"restore_status": int(restore_status), "locks_stored": locks_stored}
        self._known: OrderedDict[UUID | str, Ascent | None] = OrderedDict()  # None: the campaign's rows are staged
        self._is_open = is_allowed() and _take_load_lock(cursor)

    def candidates(self, sections: list[Section]) -> str:
        """The campaigns that may be begun, as JSON; empty if there are none."""
        found: dict[UUID | str, dict[str, Any] | None] = {}
        for section in sections if self._is_open and self._is_allowed() else ():
            if section.key not in self._known and section.key not in found:
                position = min(section.positions, default=0)
                campaign = {**section.campaign._asdict(), "campaign_id": str(section.new_id), "position": position}
                found[section.key] = campaign if section.rows and Ascent().goes_on(section) else None
        return json.dumps(list(filter(None, found.values()))) if any(found.values()) else ""

    def begin(self, campaigns: str) -> dict[UUID, Ascent]:
        """Insert or lock these campaigns. Return those that are ours, by the ids that are given here."""
        if not campaigns:
            return {}
        asked_at = time.monotonic()
        try:
            self._cursor.execute(self._statements, self._flags | {"campaigns": campaigns})
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            self._cursor.execute("ROLLBACK TO early; RELEASE early")
            return {}
        results = [set(self._cursor.fetchall()) for _ in self._cursor.results() if self._cursor.description]
        locked, inserted, extendable = results
        if locked and self.locked_at is None:
            self.locked_at = asked_at
        begun = {given_id: Ascent(campaign_id) for given_id, campaign_id in locked & extendable}
        return begun | {campaign_id: Ascent(campaign_id, is_new=True) for (campaign_id,) in inserted}

    def assign(self, sections: list[Section], begun: dict[UUID, Ascent]) -> None:
        """Say of each section whose steps can be written which campaign they belong to.

        Of a campaign whose positions don't ascend, the rest is staged. No other one is begun then.
        """
        for section in sections:
            if section.key not in self._known:
                self._remember(section, begun.get(section.new_id))
            if early := self._known[section.key]:
                if early.goes_on(section):
                    section.early = early
                else:
                    self._is_open = False

    def _remember(self, section: Section, begun: Ascent | None) -> None:
        """Under all names of the campaign: other rows may call it otherwise."""
        early = begun and (self._known.get(begun.id) or begun)
        names = (*section.campaign[: len(IDS)], early.id) if early else (section.key,)
        self._known.update({name: early for name in names if name is not None})
        while len(self._known) > MAX_KNOWN:  # the one that came first is the least likely to go on
            self._known.popitem(last=False)
