"""New campaigns, and their steps, written while the rest of the file is read; on PostgreSQL only.

The campaigns of each batch of rows are inserted first. Those that nobody has are ours until the transaction ends, and
their steps go straight to where they stay. merging.py judges what the file says of them like anything else, and takes
back each campaign that turns out to be other than it was written.

Whoever creates a campaign with the same external id waits for us. Two such loads could wait for each other for ever,
so only the holder of the load lock writes early, and who meets it waits for that lock with nothing else in hand.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import errors

from campaigns.seeding import merge_sql
from campaigns.seeding.rows import IDS
from campaigns.seeding.staging import Ascent, Section

# It conflicts with itself only: on the table of checkpoints it is in nobody's way.
LOAD_LOCK = "LOCK TABLE campaigns_seedmark IN SHARE UPDATE EXCLUSIVE MODE"
MAX_KNOWN = 20_000  # ids of campaigns that later rows may go on with

ADD_CAMPAIGNS = """
INSERT INTO campaigns_campaign (id, external_id, name, description, status, version)
SELECT c.campaign_id, c.external_id, c.name, COALESCE(c.description, ''), {new_status}, 1
FROM json_to_recordset(%(campaigns)s)
    AS c (campaign_id uuid, external_id text, name text, description text, status text)
ON CONFLICT DO NOTHING
RETURNING id
"""
# Campaigns of which any row is staged, is at fault, or says what wasn't written.
UNDONE = f"""
SELECT DISTINCT created_id AS id FROM seed_group WHERE created_id IS NOT NULL AND campaign_id IN (
    SELECT c.id FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id
        JOIN ({merge_sql.SUMS}) ch ON ch.campaign_id = c.id
        LEFT JOIN campaigns_campaign s ON s.id = g.created_id
    WHERE (s.id, s.external_id, s.name, s.description, s.status)
            IS DISTINCT FROM (c.id, c.external_id, c.name, c.description, {{new_status}})
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
        JOIN campaigns_campaignstep s ON s.campaign_id = g.created_id AND s.position = l.place
    WHERE g.created_id IN (SELECT id FROM seed_undone)
    """,
    "ANALYZE seed_row (line, section, position)",
    "DELETE FROM campaigns_campaignstep WHERE campaign_id IN (SELECT id FROM seed_undone)",
    "DELETE FROM campaigns_campaign WHERE id IN (SELECT id FROM seed_undone)",
    "UPDATE seed_section SET created_id = NULL WHERE created_id IN (SELECT id FROM seed_undone)",
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
    """Finds which sections of the file can be written early, batch by batch."""

    def __init__(self, cursor: Any, is_allowed: Callable[[], bool], *, restore_status: bool) -> None:
        self._cursor = cursor
        self._is_allowed = is_allowed
        self._statement = merge_sql.filled(ADD_CAMPAIGNS)
        self._flags = {"restore_status": int(restore_status)}
        self._written: dict[UUID | str, tuple[UUID, Ascent]] = {}
        self._is_open = is_allowed() and _take_load_lock(cursor)

    def candidates(self, sections: list[Section]) -> str:
        """The campaigns that may be new, as JSON; empty if there are none."""
        found: dict[UUID | str, dict[str, Any]] = {}
        if self._is_open and self._is_allowed():
            for section in sections:
                if section.campaign.name and section.key not in self._written and Ascent().goes_on(section):
                    found.setdefault(section.key, {**section.campaign._asdict(), "campaign_id": str(section.new_id)})
        return json.dumps(list(found.values())) if found else ""

    def insert(self, campaigns: str) -> set[UUID]:
        """Insert these campaigns, and return the ids of those that nobody has or is creating."""
        if not campaigns:
            return set()
        try:
            # Together, because each answer that is waited for costs a turn of Python's lock.
            statements = f"SAVEPOINT early; {self._statement}; RELEASE early"
            self._cursor.execute(statements, self._flags | {"campaigns": campaigns})
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            self._cursor.execute("ROLLBACK TO early; RELEASE early")
            return set()
        self._cursor.nextset()
        return {campaign_id for (campaign_id,) in self._cursor.fetchall()}

    def assign(self, sections: list[Section], inserted: set[UUID]) -> None:
        """Say of each section whose steps can be written which campaign they belong to.

        Of a campaign whose positions don't ascend, the rest is staged. No other one is begun then.
        """
        for section in sections:
            if section.new_id in inserted:
                inserted.remove(section.new_id)
                self._remember(section)
            if section.key in self._written:
                campaign_id, ascent = self._written[section.key]
                if ascent.goes_on(section):
                    section.created_id = campaign_id
                else:
                    self._is_open = False

    def _remember(self, section: Section) -> None:
        written = section.new_id, Ascent()
        self._written |= {key: written for key in section.campaign[: len(IDS)] if key is not None}
        while len(self._written) > MAX_KNOWN:  # the one that came first is the least likely to go on
            del self._written[next(iter(self._written))]
