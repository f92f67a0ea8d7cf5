"""Steps of new campaigns, written while the rest of the file is being read; on PostgreSQL only.

The campaigns of each batch of rows are inserted first, where nobody has their id or external id. These are ours until
the transaction ends, and their steps go straight to where they stay. What is staged of such a row is all but its
texts: merging.py judges it like any other. Where it finds a campaign of ours to be other than it was
written, it is undone, and written again with those that weren't written early.

Whoever creates a campaign with the same external id waits for us. Two loads could so wait for each other for ever:
only the holder of the load lock writes early, or writes at all.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import errors

from campaigns.seeding.merge_sql import filled

# It conflicts with itself only: on the table of checkpoints it is in nobody's way.
LOAD_LOCK = "LOCK TABLE campaigns_seedmark IN SHARE UPDATE EXCLUSIVE MODE"

# Insert the campaigns of one batch of sections, and find which sections belong to ours.
ADD_CAMPAIGNS = (
    """
    WITH added AS (
        INSERT INTO campaigns_campaign (id, external_id, name, description, status, version)
        SELECT COALESCE(given_id, new_id), external_id, name, COALESCE(description, ''), {new_status}, 1
        FROM seed_section c WHERE section >= %(section)s AND name IS NOT NULL
        ORDER BY section
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO seed_created SELECT id FROM added
    """,
    """
    UPDATE seed_section g SET created_id = (
        SELECT id FROM seed_created
        WHERE id = COALESCE(g.given_id, (SELECT c.id FROM campaigns_campaign c WHERE c.external_id = g.external_id))
    )
    WHERE section >= %(section)s
    """,
    "SELECT section, created_id FROM seed_section WHERE section >= %(section)s AND created_id IS NOT NULL ORDER BY 1",
)
# What was written otherwise than it was judged.
UNDONE = """
CREATE TEMPORARY TABLE seed_undone ON COMMIT DROP AS
SELECT created_id AS id FROM seed_group WHERE created_id <> campaign_id
UNION SELECT g.created_id FROM seed_fault f JOIN seed_row r ON r.line = f.line
    JOIN seed_group g ON g.section = r.section
UNION SELECT c.id FROM seed_campaign c JOIN seed_created n ON n.id = c.id JOIN campaigns_campaign s ON s.id = c.id
    WHERE (s.external_id, s.name, s.description, s.status)
        IS DISTINCT FROM (c.external_id, c.name, c.description, {new_status})
"""
UNDO = (
    """
    UPDATE seed_row r SET {back_columns} FROM campaigns_campaignstep s
    WHERE s.id = r.id AND s.campaign_id IN (SELECT id FROM seed_undone)
    """,
    "DELETE FROM campaigns_campaignstep WHERE campaign_id IN (SELECT id FROM seed_undone)",
    "DELETE FROM campaigns_campaign WHERE id IN (SELECT id FROM seed_undone)",
    "DELETE FROM seed_created WHERE id IN (SELECT id FROM seed_undone)",
    "UPDATE seed_group SET created_id = NULL WHERE created_id IN (SELECT id FROM seed_undone)",
)


def take_load_lock(cursor: Any) -> bool:
    """Whether no other load has it."""
    try:
        with cursor.connection.transaction():
            cursor.execute(f"{LOAD_LOCK} NOWAIT")
    except errors.LockNotAvailable:
        return False
    return True


def write(cursor: Any, parameters: dict[str, int], add_steps: Callable[[dict[int, UUID]], None]) -> dict[int, UUID]:
    """The campaigns, by the numbers of their sections, whose steps `add_steps` has written.

    Nothing of the batch is written if somebody is creating one of its campaigns, or if it repeats a position: judging
    will name that.
    """
    try:
        with cursor.connection.transaction():
            for statement in ADD_CAMPAIGNS:
                cursor.execute(filled(statement), parameters)
            created = dict(cursor.fetchall())
            add_steps(created)
            return created
    except (errors.LockNotAvailable, errors.DeadlockDetected, errors.UniqueViolation):
        return {}
