"""The SQL of merging.py. {words} are filled in by filled(): the columns of a step, which come from the
table of fields, names of statuses, and what differs between the databases.
"""

from django.db import connection

from campaigns import history, readiness
from campaigns.seeding.rows import JSON_COLUMNS, STEP_COLUMNS
from campaigns.statuses import EDITABLE, HAS_RUN, STATUSES, Status

DIALECTS = {
    "postgresql": {
        "clock": history.CLOCK,
        "entry_id": history.ENTRY_ID.format(random=history.RANDOM),
        "on_commit_drop": "ON COMMIT DROP",
        "json_object": "jsonb_build_object",
        "same_json": "s.{column} = r.{column}",
        "text": "::text",
    },
    "sqlite": {
        "clock": "history_clock()",
        "entry_id": "history_entry_id(at)",
        "on_commit_drop": "",
        "json_object": "canonical_object",
        "same_json": "same_json(s.{column}, r.{column})",
        "text": "",
    },
}
CONTENT_COLUMNS = tuple(column for column in STEP_COLUMNS if column != "position")


def filled(statement: str) -> str:
    """The statement with its words."""
    dialect = DIALECTS[connection.vendor]
    same = [
        (dialect["same_json"] if column in JSON_COLUMNS else "s.{column} = r.{column}").format(column=column)
        for column in CONTENT_COLUMNS
    ]
    return statement.format(**WORDS, **dialect, same_step=" AND ".join(same))


def _listed(statuses: list[str]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


WORDS = {
    "step_columns": ", ".join(STEP_COLUMNS),
    "row_columns": ", ".join(f"r.{column}" for column in STEP_COLUMNS),
    "stored_columns": ", ".join(f"s.{column}" for column in CONTENT_COLUMNS),
    "given_columns": ", ".join(f"r.{column}" for column in CONTENT_COLUMNS),
    "set_columns": ", ".join(f"{column} = r.{column}" for column in CONTENT_COLUMNS),
    "editable": _listed(list(EDITABLE)),
    "can_be_paused": _listed([status for status, row in STATUSES.items() if Status.PAUSED in row.targets]),
    "has_run": _listed(list(HAS_RUN)),
    "draft": Status.DRAFT.value,
    "active": Status.ACTIVE.value,
    "max_total_minutes": str(readiness.MAX_TOTAL_MINUTES),
    "no_steps": readiness.NO_STEPS.replace("'", "''"),
    "too_long": readiness.TOO_LONG.replace("'", "''").replace(
        "{days}", f"' || ch.minutes / {readiness.MINUTES_PER_DAY} || '"
    ),
    # Of a campaign `c`, the status that it gets if it is made.
    "new_status": f"COALESCE(CASE WHEN %(restore_status)s = 1 THEN c.status END, '{Status.DRAFT}')",
    # Of a campaign `c` with the counts `ch`: whether it changes.
    "changed": "(ch.added > 0 OR (%(update)s = 1 AND ch.differing > 0))",
}

# --- Which campaigns the rows belong to ------------------------------------------------------------------------------

# Campaigns that were created early aren't stored yet: what the file says of them counts.
CREATED = "SELECT DISTINCT early_id AS id FROM seed_section WHERE is_new AND early_id IS NOT NULL"
GROUPS = """
SELECT g.*, COALESCE(
    g.given_id, CASE WHEN n.id IS NULL THEN s.id END, FIRST_VALUE(g.given_id) OVER same, s.id,
    FIRST_VALUE(g.new_id) OVER same
) AS campaign_id
FROM seed_section g LEFT JOIN campaigns_campaign s ON s.external_id = g.external_id
    LEFT JOIN seed_created n ON n.id = s.id
WINDOW same AS (PARTITION BY g.external_id ORDER BY g.given_id IS NULL, g.line)
"""
# Of a new campaign, the first row that says something counts.
CAMPAIGNS = """
SELECT DISTINCT g.campaign_id AS id, s.id IS NOT NULL AS stored,
    CASE WHEN s.id IS NULL THEN FIRST_VALUE(g.external_id) OVER by_external_id ELSE s.external_id END AS external_id,
    COALESCE(s.name, FIRST_VALUE(g.name) OVER by_name) AS name,
    COALESCE(s.description, FIRST_VALUE(g.description) OVER by_description, '') AS description,
    COALESCE(s.status, FIRST_VALUE(g.status) OVER by_status, '{draft}') AS status,
    FIRST_VALUE(g.status) OVER by_status AS said_status,
    FIRST_VALUE(g.line) OVER by_line AS line
FROM seed_group g LEFT JOIN campaigns_campaign s
    ON s.id = g.campaign_id AND NOT EXISTS (SELECT 1 FROM seed_created n WHERE n.id = s.id)
WINDOW
    by_external_id AS (PARTITION BY g.campaign_id ORDER BY g.external_id IS NULL, g.line),
    by_name AS (PARTITION BY g.campaign_id ORDER BY g.name IS NULL, g.line),
    by_description AS (PARTITION BY g.campaign_id ORDER BY g.description IS NULL, g.line),
    by_status AS (PARTITION BY g.campaign_id ORDER BY g.status IS NULL, g.line),
    by_line AS (PARTITION BY g.campaign_id ORDER BY g.line)
"""

# The stored campaigns that have rows which weren't written early.
STORED = "seed_campaign WHERE stored AND id IN (SELECT campaign_id FROM seed_group WHERE early_id IS NULL)"

# --- Positions that are taken ----------------------------------------------------------------------------------------

TAKEN = """
SELECT r.line, g.campaign_id, s.id AS step_id, {same_step} AS same
FROM seed_row r JOIN seed_group g ON g.section = r.section
    JOIN seed_campaign c ON c.id = g.campaign_id AND c.stored
    JOIN campaigns_campaignstep s ON s.campaign_id = g.campaign_id AND s.position = r.position
"""

# --- Rows that can't be loaded ---------------------------------------------------------------------------------------

FAULTS = """
CREATE TEMPORARY TABLE seed_fault (line bigint, field text, code text, message text) {on_commit_drop}
"""


def _section_fault(field: str, code: str, message: str, condition: str, join: str = "") -> str:
    """All rows of the sections `g` of the campaign `c` where the condition holds are at fault. See IS_FAULTY."""
    return f"""
    INSERT INTO seed_fault (line, field, code, message)
    SELECT r.line, '{field}', '{code}', {message}
    FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id JOIN seed_row r ON r.section = g.section {join}
    WHERE {condition}
    """  # noqa: S608 - put together from this module's own words


SAYS_OTHERWISE = "'Another row of the same campaign says otherwise.'"
DIFFERS = f"""CASE WHEN c.stored THEN 'The stored campaign has another value, which this command never changes.'
    ELSE {SAYS_OTHERWISE} END"""
# A campaign that has its external id only from the file, or is there itself by now, appeared while rows were judged:
# no fault, but a lost race.
NOT_UNIQUE = """NOT c.stored AND c.external_id IS NOT NULL AND (
    c.id IN (SELECT given_id FROM seed_section) AND EXISTS (
        SELECT 1 FROM campaigns_campaign o WHERE o.external_id = c.external_id AND o.id <> c.id
    )
    OR c.external_id IN (
        SELECT o.external_id FROM seed_campaign o WHERE o.external_id IS NOT NULL
        GROUP BY o.external_id HAVING COUNT(*) > 1
    )
)"""
FAULTY_SECTIONS = (
    (
        "campaign_name", "required",
        "'There is no such campaign yet: a new one needs a name, in a row without faults in its campaign columns.'",
        "NOT c.stored AND c.name IS NULL",
    ),
    ("external_id", "unique", "'Another campaign has this external id.'", NOT_UNIQUE),
    *(
        (field, "differs", DIFFERS, f"COALESCE(c.{column}, '') <> g.{column}")
        for field, column in (
            ("external_id", "external_id"), ("campaign_name", "name"), ("campaign_description", "description"),
        )
    ),
    # Rows that contradict each other do so when the campaign is stored, too: a second run changes nothing.
    ("campaign_status", "differs", SAYS_OTHERWISE, "g.status <> c.said_status AND %(restore_status)s = 1"),
)  # fmt: skip
SECTION_FAULTS = tuple(_section_fault(*fault) for fault in FAULTY_SECTIONS)
IS_FAULTY = " OR ".join(f"({condition})" for *_, condition in FAULTY_SECTIONS)
# A campaign that is loaded as active must be one that could be activated.
IS_NOT_READY = "NOT c.stored AND c.status = '{active}' AND (ch.added = 0 OR ch.minutes > {max_total_minutes})"
NOT_READY = _section_fault(
    "campaign_status",
    "not_ready",
    "CASE WHEN ch.added = 0 THEN '{no_steps}' ELSE '{too_long}' END",
    IS_NOT_READY,
    "JOIN seed_change ch ON ch.campaign_id = c.id",
)
REPEATED_POSITIONS = """
INSERT INTO seed_fault (line, field, code, message)
SELECT line, 'position', 'repeated', 'Line ' || first_line || ' already has this position of the campaign.'
FROM (
    SELECT r.line, MIN(r.line) OVER (PARTITION BY g.campaign_id, r.position) AS first_line
    FROM seed_row r JOIN seed_group g ON g.section = r.section WHERE r.position IS NOT NULL
) repeated
WHERE line > first_line
"""
DIFFERING_STEPS = """
INSERT INTO seed_fault (line, field, code, message)
SELECT line, 'position', 'position_taken',
    'The position holds another step; --on-conflict skip keeps that one, --on-conflict update replaces it.'
FROM seed_taken WHERE NOT same
"""
CLOSED = "seed_campaign WHERE stored AND status NOT IN ({editable})"
NOT_EDITABLE = """
INSERT INTO seed_fault (line, field, code, message)
SELECT r.line, 'campaign_id', 'campaign_not_editable',
    'The steps of a campaign that is ' || c.status || ' can''t be changed'
    || CASE WHEN c.status IN ({can_be_paused}) THEN ': pause the campaign first.' ELSE '.' END
FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id JOIN seed_row r ON r.section = g.section
    LEFT JOIN seed_taken t ON t.line = r.line
WHERE c.stored AND c.status NOT IN ({editable}) AND r.position IS NOT NULL
    AND (t.line IS NULL OR (%(update)s = 1 AND NOT t.same))
"""

# --- What would change -----------------------------------------------------------------------------------------------

SUMS = """
SELECT campaign_id, SUM(rows) AS rows, SUM(steps) AS added, CAST(SUM(minutes) AS bigint) AS minutes
FROM seed_group GROUP BY campaign_id
"""
# Counted from the sections: faults are few, and of what is taken the campaign alone counts.
CHANGES = f"""
SELECT a.campaign_id, a.added - COALESCE(f.steps, 0) - COALESCE(t.taken, 0) AS added,
    COALESCE(t.same, 0) AS unchanged, COALESCE(t.taken - t.same, 0) AS differing,
    a.rows - a.added - COALESCE(f.rows - f.steps, 0) AS without_step, a.minutes - COALESCE(f.minutes, 0) AS minutes
FROM ({SUMS}) a LEFT JOIN (
    SELECT g.campaign_id, COUNT(*) AS rows, COUNT(r.position) AS steps, SUM(r.delay_minutes) AS minutes
    FROM seed_row r JOIN seed_group g ON g.section = r.section
    WHERE r.line IN (SELECT line FROM seed_fault) GROUP BY g.campaign_id
) f ON f.campaign_id = a.campaign_id LEFT JOIN (
    SELECT t.campaign_id, COUNT(*) AS taken, COUNT(CASE WHEN t.same THEN 1 END) AS same
    FROM seed_taken t WHERE NOT EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = t.line) GROUP BY t.campaign_id
) t ON t.campaign_id = a.campaign_id
WHERE a.rows > COALESCE(f.rows, 0)
"""  # noqa: S608 - put together from this module's own words
TOTALS = """
SELECT COUNT(CASE WHEN NOT c.stored THEN 1 END), COUNT(CASE WHEN c.stored AND {changed} THEN 1 END),
    SUM(ch.added), SUM(ch.differing), SUM(ch.unchanged), SUM(ch.without_step)
FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id
"""

# --- What an operator is shown before -------------------------------------------------------------------------------

CAMPAIGN_CHANGES = """
SELECT c.external_id, c.id{text}, c.stored, COALESCE(ch.added, 0), COALESCE(ch.differing, 0),
    COALESCE(ch.unchanged, 0), COALESCE(f.refused, 0)
FROM seed_campaign c LEFT JOIN seed_change ch ON ch.campaign_id = c.id LEFT JOIN (
    SELECT g.campaign_id, COUNT(DISTINCT f.line) AS refused
    FROM seed_fault f JOIN seed_row r ON r.line = f.line JOIN seed_group g ON g.section = r.section
    GROUP BY g.campaign_id
) f ON f.campaign_id = c.id
WHERE c.id IN (SELECT campaign_id FROM seed_group WHERE rows > 0)
ORDER BY c.line
"""
DIFFERENCES = """
SELECT r.line, c.external_id, c.id{text}, r.position, {stored_columns}, {given_columns},
    EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = r.line)
FROM seed_taken t JOIN seed_row r ON r.line = t.line JOIN seed_campaign c ON c.id = t.campaign_id
    JOIN campaigns_campaignstep s ON s.id = t.step_id AND s.campaign_id = t.campaign_id
WHERE NOT t.same
ORDER BY r.line
"""

# --- Writing ---------------------------------------------------------------------------------------------------------

LOCK = """
CREATE TEMPORARY TABLE seed_locked {on_commit_drop} AS
SELECT id FROM campaigns_campaign
WHERE id IN (
    SELECT c.id FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id WHERE c.stored AND {changed}
)
ORDER BY id FOR NO KEY UPDATE
"""
UNLOCKED = """
SELECT COUNT(*) FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id
WHERE c.stored AND {changed} AND NOT EXISTS (SELECT 1 FROM seed_locked l WHERE l.id = c.id)
"""
# In an order of their own, so that whoever creates some of the same waits and doesn't deadlock.
ADD_CAMPAIGNS = """
INSERT INTO campaigns_campaign (id, external_id, name, description, status, version)
SELECT c.id, c.external_id, c.name, c.description, {new_status}, 1
FROM seed_campaign c JOIN seed_change ch ON ch.campaign_id = c.id
WHERE NOT c.stored AND c.id NOT IN (SELECT id FROM seed_created)
ORDER BY c.external_id, c.id
"""
ADD_STEPS = """
INSERT INTO campaigns_campaignstep (id, campaign_id, {step_columns}, version)
SELECT r.id, g.campaign_id, {row_columns}, 1
FROM seed_row r JOIN seed_group g ON g.section = r.section
WHERE r.position IS NOT NULL AND r.line >= %(start)s AND r.line < %(end)s
"""
# The new campaigns that come with the status of one that has run.
RESTORED = """
SELECT c.id FROM seed_campaign c JOIN seed_change ch ON ch.campaign_id = c.id
WHERE NOT c.stored AND {new_status} IN ({has_run})
"""
STEPS_TO_ADD = "SELECT MIN(line), SUM(steps) FROM seed_group WHERE early_id IS NULL"
WITHOUT_FAULTS = " AND NOT EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = r.line)"
WITHOUT_TAKEN = " AND NOT EXISTS (SELECT 1 FROM seed_taken t WHERE t.line = r.line)"
UPDATE_STEPS = """
UPDATE campaigns_campaignstep AS s
SET {set_columns}, version = s.version + 1, updated_at = %(now)s
FROM seed_taken t JOIN seed_row r ON r.line = t.line
WHERE s.id = t.step_id AND s.campaign_id = t.campaign_id AND NOT t.same
    AND NOT EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = r.line)
"""
# A table of its own, so that the clock is read once for an entry, and not for each of the columns made from it.
ENTRIES = """
SELECT {clock} AS at, c.id AS campaign_id, CASE WHEN c.stored THEN 'extended' ELSE 'created' END AS campaign,
    ch.added AS steps_added, CASE WHEN %(update)s = 1 THEN ch.differing ELSE 0 END AS steps_updated
FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id
WHERE NOT c.stored OR {changed}
"""
ADD_HISTORY = """
INSERT INTO campaigns_historyentry (
    id, created_at, actor_type, actor_id, actor_name, action, campaign_id, revision, after
)
SELECT {entry_id}, at, %(actor_type)s, %(actor_id)s, %(actor_name)s, %(action)s, campaign_id,
    (SELECT r.number FROM campaigns_revision r WHERE r.campaign_id = e.campaign_id AND e.campaign = 'created'),
    {json_object}(
        'run_id', %(run_id)s{text}, 'source', %(source)s{text}, 'sha256', %(sha256)s{text},
        'operator', %(operator)s{text}, 'campaign', campaign,
        'steps_added', steps_added, 'steps_updated', steps_updated
    )
FROM seed_entry e
"""
