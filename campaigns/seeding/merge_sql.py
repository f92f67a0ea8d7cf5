"""The SQL of merging.py. {words} differ between the databases, and are filled in from DIALECTS."""

from campaigns import history

DIALECTS = {
    "postgresql": {
        "clock": history.CLOCK,
        "entry_id": history.ENTRY_ID.format(random=history.RANDOM),
        "on_commit_drop": "ON COMMIT DROP",
        "json_object": "jsonb_build_object",
        "same_variables": "s.variables = r.variables",
        "text": "::text",
    },
    "sqlite": {
        "clock": "history_clock()",
        "entry_id": "history_entry_id(at)",
        "on_commit_drop": "",
        "json_object": "canonical_object",
        "same_variables": "same_json(s.variables, r.variables)",
        "text": "",
    },
}


# Of a campaign `c` with the counts `ch`.
CHANGED = "(ch.added > 0 OR (%(update)s = 1 AND ch.differing > 0))"

# --- Which campaigns the rows belong to ------------------------------------------------------------------------------

GROUPS = """
SELECT r.grp, r.line, r.given_id, r.external_id, r.name, r.description, r.status, r.new_id, r.entry_id, r.steps,
    r.minutes,
    COALESCE(r.given_id, s.id, FIRST_VALUE(r.given_id) OVER same, FIRST_VALUE(r.new_id) OVER same) AS campaign_id
FROM seed_run r LEFT JOIN campaigns_campaign s ON s.external_id = r.external_id
WINDOW same AS (PARTITION BY r.external_id ORDER BY r.given_id IS NULL, r.line)
"""
# Of a new campaign, the first row that says something counts. One with a fresh id can only be there ahead: not stored.
CAMPAIGNS = """
SELECT DISTINCT g.campaign_id AS id, s.id IS NOT NULL AS stored,
    CASE WHEN s.id IS NULL THEN FIRST_VALUE(g.external_id) OVER by_external_id ELSE s.external_id END AS external_id,
    COALESCE(s.name, FIRST_VALUE(g.name) OVER by_name) AS name,
    COALESCE(s.description, FIRST_VALUE(g.description) OVER by_description, '') AS description,
    COALESCE(s.status, FIRST_VALUE(g.status) OVER by_status, 'draft') AS status,
    FIRST_VALUE(g.entry_id) OVER by_line AS entry_id
FROM seed_group g LEFT JOIN campaigns_campaign s ON s.id = g.campaign_id AND s.id <> g.new_id
WINDOW
    by_external_id AS (PARTITION BY g.campaign_id ORDER BY g.external_id IS NULL, g.line),
    by_name AS (PARTITION BY g.campaign_id ORDER BY g.name IS NULL, g.line),
    by_description AS (PARTITION BY g.campaign_id ORDER BY g.description IS NULL, g.line),
    by_status AS (PARTITION BY g.campaign_id ORDER BY g.status IS NULL, g.line),
    by_line AS (PARTITION BY g.campaign_id ORDER BY g.line)
"""

# --- Steps that were written ahead, and must wait in seed_row like the others ----------------------------------------

# Their campaign is stored after all, or has other rows, too.
MISPLACED = """
UPDATE seed_run SET ahead = 2 WHERE ahead = 1 AND grp IN (
    SELECT g.grp FROM seed_group g WHERE g.campaign_id <> g.new_id OR g.campaign_id IN (
        SELECT campaign_id FROM seed_group GROUP BY campaign_id HAVING COUNT(*) > 1
    )
)
"""
FAULTY = "UPDATE seed_run SET ahead = 2 WHERE ahead = 1 AND grp IN (SELECT grp FROM seed_run_fault)"
TAKE_BACK = (
    """
    WITH back AS (
        DELETE FROM campaigns_campaignstep s USING seed_run r WHERE r.ahead = 2 AND s.campaign_id = r.new_id
        RETURNING r.line AS first_line, r.grp, s.id, s.position, s.delay_minutes, s.template_id,
            s.template_version_id, s.variables
    )
    INSERT INTO seed_row (line, grp, id, position, delay_minutes, template_id, template_version_id, variables)
    SELECT first_line + ROW_NUMBER() OVER (PARTITION BY grp ORDER BY position) - 1, grp, id, position, delay_minutes,
        template_id, template_version_id, variables
    FROM back
    """,
    "DELETE FROM campaigns_campaign WHERE id IN (SELECT new_id FROM seed_run WHERE ahead = 2)",
    "UPDATE seed_run SET ahead = 0 WHERE ahead = 2",
    "ANALYZE seed_row (line, grp, position)",
)

# --- Positions that are taken ----------------------------------------------------------------------------------------

HITS = """
SELECT r.line, g.campaign_id, s.id AS step_id,
    s.template_id = r.template_id AND s.template_version_id = r.template_version_id
    AND s.delay_minutes = r.delay_minutes AND {same_variables} AS same
FROM seed_row r JOIN seed_group g ON g.grp = r.grp
    JOIN campaigns_campaignstep s ON s.campaign_id = g.campaign_id AND s.position = r.position
"""
NO_HITS = "SELECT r.line, r.id AS campaign_id, r.id AS step_id, 1 = 1 AS same FROM seed_row r WHERE 1 = 0"

# --- Rows that can't be loaded ---------------------------------------------------------------------------------------

FAULTS = """
CREATE TEMPORARY TABLE seed_fault (line bigint, field text, code text, message text) {on_commit_drop}
"""


# Faults of whole runs come first: they are few, and usually none, while rows are many.
RUN_FAULTS = "CREATE TEMPORARY TABLE seed_run_fault (grp integer, field text, code text, message text) {on_commit_drop}"
RUN_FAULTS_TO_ROWS = """
INSERT INTO seed_fault (line, field, code, message)
SELECT r.line, f.field, f.code, f.message FROM seed_run_fault f JOIN seed_row r ON r.grp = f.grp
"""


def _run_fault(field: str, code: str, message: str, condition: str) -> str:
    """The runs `g` of the campaign `c` where the condition holds are at fault."""
    return f"""
    INSERT INTO seed_run_fault (grp, field, code, message)
    SELECT g.grp, '{field}', '{code}', {message}
    FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id
    WHERE {condition}
    """  # noqa: S608 - put together from this module's own words


def _differs(field: str, column: str, condition: str = "1 = 1") -> str:
    return _run_fault(
        field,
        "differs",
        "CASE WHEN c.stored THEN 'The stored campaign has another one; this command never changes it.' "
        "ELSE 'Another row of the same campaign says otherwise.' END",
        f"g.{column} IS NOT NULL AND COALESCE(c.{column}, '') <> g.{column} AND {condition}",
    )


# A campaign that has its external id only from the file, or is there itself by now, appeared while rows were judged:
# no fault, but a lost race.
FAULTS_OF_RUNS = (
    _run_fault(
        "campaign_name",
        "required",
        "'There is no such campaign yet: a new one needs a name.'",
        "NOT c.stored AND c.name IS NULL",
    ),
    _run_fault(
        "external_id",
        "unique",
        "'Another campaign has this external id.'",
        """NOT c.stored AND c.external_id IS NOT NULL AND (
            c.id IN (SELECT given_id FROM seed_run) AND EXISTS (
                SELECT 1 FROM campaigns_campaign o WHERE o.external_id = c.external_id AND o.id <> c.id
            )
            OR c.external_id IN (
                SELECT o.external_id FROM seed_campaign o WHERE o.external_id IS NOT NULL
                GROUP BY o.external_id HAVING COUNT(*) > 1
            )
        )""",
    ),
    _differs("external_id", "external_id"),
    _differs("campaign_name", "name"),
    _differs("campaign_description", "description"),
    _differs("campaign_status", "status", "NOT c.stored AND %(restore_status)s = 1"),
)
REPEATED_POSITIONS = """
INSERT INTO seed_fault (line, field, code, message)
SELECT line, 'position', 'repeated', 'Line ' || first_line || ' has this position of the campaign already.'
FROM (
    SELECT r.line, MIN(r.line) OVER (PARTITION BY g.campaign_id, r.position) AS first_line
    FROM seed_row r JOIN seed_group g ON g.grp = r.grp WHERE r.position IS NOT NULL
) repeated
WHERE line > first_line
"""
TAKEN_POSITIONS = """
INSERT INTO seed_fault (line, field, code, message)
SELECT line, 'position', 'position_taken',
    'The position holds another step; --on-conflict skip keeps that one, --on-conflict update replaces it.'
FROM seed_hit WHERE NOT same
"""
NOT_EDITABLE = """
INSERT INTO seed_fault (line, field, code, message)
SELECT r.line, 'campaign_id', 'campaign_not_editable',
    'The steps of a campaign that is ' || c.status || ' can''t be changed'
    || CASE WHEN c.status = 'active' THEN ': pause the campaign first.' ELSE '.' END
FROM seed_campaign c JOIN seed_group g ON g.campaign_id = c.id JOIN seed_row r ON r.grp = g.grp
    LEFT JOIN seed_hit h ON h.line = r.line
WHERE c.stored AND c.status NOT IN ({editable}) AND r.position IS NOT NULL
    AND (h.line IS NULL OR (%(update)s = 1 AND NOT h.same))
"""

# --- What would change -----------------------------------------------------------------------------------------------

CHANGES_WITHOUT_EXCEPTION = """
SELECT campaign_id, SUM(steps) AS added, 0 AS unchanged, 0 AS differing, SUM(minutes) AS minutes
FROM seed_group GROUP BY campaign_id
"""
CHANGES = """
SELECT g.campaign_id,
    COUNT(CASE WHEN r.position IS NOT NULL AND h.line IS NULL THEN 1 END) AS added,
    COUNT(CASE WHEN h.same THEN 1 END) AS unchanged,
    COUNT(CASE WHEN NOT h.same THEN 1 END) AS differing,
    SUM(r.delay_minutes) AS minutes
FROM seed_row r JOIN seed_group g ON g.grp = r.grp LEFT JOIN seed_hit h ON h.line = r.line
WHERE NOT EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = r.line)
GROUP BY g.campaign_id
UNION ALL SELECT new_id, steps, 0, 0, minutes FROM seed_run WHERE ahead = 1
"""
# A campaign that is loaded as active must be one that could be activated.
UNREADY = """
INSERT INTO seed_run_fault (grp, field, code, message)
SELECT g.grp, 'campaign_status', 'not_ready',
    CASE WHEN ch.added = 0 THEN 'An active campaign needs at least one step.'
    ELSE 'An active campaign lasts at most ten years: shorten its delays.' END
FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id JOIN seed_group g ON g.campaign_id = c.id
WHERE NOT c.stored AND c.status = 'active' AND (ch.added = 0 OR ch.minutes > %(limit)s)
"""
TOTALS = """
SELECT COUNT(CASE WHEN NOT c.stored THEN 1 END), COUNT(CASE WHEN c.stored AND {changed} THEN 1 END),
    SUM(ch.added), SUM(ch.differing), SUM(ch.unchanged)
FROM seed_change ch JOIN seed_campaign c ON c.id = ch.campaign_id
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
# In an order of their own, so that two loads of the same new campaigns wait for each other and don't deadlock.
ADD_CAMPAIGNS = """
INSERT INTO campaigns_campaign (id, external_id, name, description, status, version)
SELECT c.id, c.external_id, c.name, c.description, CASE WHEN %(restore_status)s = 1 THEN c.status ELSE 'draft' END, 1
FROM seed_campaign c JOIN seed_change ch ON ch.campaign_id = c.id
WHERE NOT c.stored AND c.id {ahead} (SELECT new_id FROM seed_run WHERE ahead = 1)
ORDER BY c.external_id, c.id
"""
COMPLETED = "ON CONFLICT (id) DO UPDATE SET external_id = EXCLUDED.external_id, status = EXCLUDED.status"
ADD_STEPS = """
INSERT INTO campaigns_campaignstep
    (id, campaign_id, position, template_id, template_version_id, delay_minutes, variables, version)
SELECT r.id, g.campaign_id, r.position, r.template_id, r.template_version_id, r.delay_minutes, r.variables, 1
FROM seed_row r JOIN seed_group g ON g.grp = r.grp
WHERE r.position IS NOT NULL AND r.line >= %(start)s AND r.line < %(end)s
"""
WITHOUT_FAULTS = " AND NOT EXISTS (SELECT 1 FROM seed_fault f WHERE f.line = r.line)"
WITHOUT_HITS = " AND NOT EXISTS (SELECT 1 FROM seed_hit h WHERE h.line = r.line)"
UPDATE_STEPS = """
UPDATE campaigns_campaignstep AS s
SET template_id = r.template_id, template_version_id = r.template_version_id, delay_minutes = r.delay_minutes,
    variables = r.variables, version = s.version + 1, updated_at = %(now)s
FROM seed_hit h JOIN seed_row r ON r.line = h.line
WHERE s.id = h.step_id AND s.campaign_id = h.campaign_id AND NOT h.same
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
INSERT INTO campaigns_historyentry (id, created_at, actor_type, actor_id, actor_name, action, campaign_id, after)
SELECT {entry_id}, at, %(actor_type)s, %(actor_id)s, %(actor_name)s, %(action)s, campaign_id,
    {json_object}(
        'run_id', %(run_id)s{text}, 'source', %(source)s{text}, 'sha256', %(sha256)s{text},
        'operator', %(operator)s{text}, 'campaign', campaign,
        'steps_added', steps_added, 'steps_updated', steps_updated
    )
FROM seed_entry
"""
