"""Revisions: what a campaign's steps were when it was activated, frozen for whoever sends them.

The database copies and digests steps itself: their variables don't pass through here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from campaigns.exceptions import NotFound
from campaigns.history import Actor
from campaigns.models import ActorType, Campaign, Revision, RevisionStep
from campaigns.rules import STEP_FIELDS, Text
from campaigns.statuses import HAS_RUN
from campaigns.versions import require_campaign
from messaging_project import compiled
from messaging_project.strict_json import StoredJSON

CONTENT = tuple(name for name in STEP_FIELDS if name != "position")
HEAD_COLUMNS = tuple(field.attname for field in Revision._meta.concrete_fields)
MIGRATION = Actor(ActorType.COMMAND, "migration", "migration")
Latest = Literal["latest"]
LATEST: Latest = "latest"  # in place of a revision's number
NUMBER = re.compile(r"[1-9][0-9]{0,8}")
BATCH = 100  # campaigns that one transaction freezes

# --- Freezing --------------------------------------------------------------------------------------------------------


def _parts(name: str) -> tuple[str, ...]:
    return (f"length(s.{name})", f"s.{name}") if isinstance(STEP_FIELDS[name].rule, Text) else (f"s.{name}",)


# What a digest is of, for one step: its ordinal, id and content. Texts have their lengths before them, so that no two
# contents have the same line. To change the parts changes every digest.
PARTS = ("s.ordinal", "{step_id}", *(part for name in CONTENT for part in _parts(name)))
HYPHENATED = "||'-'||".join(
    f"substr(s.id, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
# SHA-256 over the SHA-256 of each line in order: the texts of a long campaign needn't be in memory together.
DIGESTS = {
    "postgresql": f"""encode(sha256(COALESCE(string_agg(
        sha256(convert_to(concat_ws(':', {", ".join(PARTS)}), 'UTF8')), ''::bytea ORDER BY s.ordinal
    ) FILTER (WHERE s.id IS NOT NULL), ''::bytea)), 'hex')""".replace("{step_id}", "s.id"),
    "sqlite": "digest_in_order(s.ordinal, {})".format(" || ':' || ".join(PARTS)).replace("{step_id}", HYPHENATED),
}
STEPS = f"""
SELECT id, campaign_id, {", ".join(CONTENT)},
    row_number() OVER (PARTITION BY campaign_id ORDER BY position) - 1 AS ordinal
FROM campaigns_campaignstep WHERE campaign_id IN ({{chosen}})
"""  # noqa: S608 - put together from names that stand in the code
ADD_REVISIONS = f"""
INSERT INTO campaigns_revision
    (campaign_id, number, digest, step_count, actor_type, actor_issuer, actor_id, actor_name)
SELECT present.campaign_id, COALESCE(latest.number, 0) + 1, present.digest, present.step_count,
    %(actor_type)s, %(actor_issuer)s, %(actor_id)s, %(actor_name)s
FROM (
    SELECT c.id AS campaign_id, COUNT(s.id) AS step_count, {{digest}} AS digest
    FROM campaigns_campaign c LEFT JOIN ({STEPS}) s ON s.campaign_id = c.id
    WHERE c.id IN ({{chosen}}) GROUP BY c.id
) present LEFT JOIN campaigns_revision latest ON latest.campaign_id = present.campaign_id AND latest.number = (
    SELECT MAX(r.number) FROM campaigns_revision r WHERE r.campaign_id = present.campaign_id
)
WHERE latest.id IS NULL OR latest.digest <> present.digest
"""  # noqa: S608
# Under the campaigns' locks: a revision of theirs with a higher id than any before was made by the statement above.
ADD_STEPS = f"""
INSERT INTO campaigns_revisionstep (revision_id, ordinal, step_id, {", ".join(CONTENT)})
SELECT r.id, s.ordinal, s.id, {", ".join(f"s.{name}" for name in CONTENT)}
FROM campaigns_revision r JOIN ({STEPS}) s ON s.campaign_id = r.campaign_id WHERE r.id > %(last_id)s
"""  # noqa: S608


class _DigestInOrder:
    """The aggregate of SQLite that is what PostgreSQL makes of its own functions."""

    def __init__(self) -> None:
        self._digests: list[tuple[int, bytes]] = []

    def step(self, ordinal: int, line: str | None) -> None:
        if line is not None:
            self._digests.append((ordinal, sha256(line.encode()).digest()))

    def finalize(self) -> str:
        return sha256(b"".join(digest for _, digest in sorted(self._digests))).hexdigest()


def freeze(campaign_ids: Sequence[UUID], actor: Actor) -> int:
    """Make the next revision of each campaign whose steps differ from its latest one; return how many were made.

    The caller's transaction holds the campaigns' rows FOR NO KEY UPDATE.
    """
    native = connection.features.has_native_uuid_field
    ids = {f"id{index}": it if native else it.hex for index, it in enumerate(campaign_ids)}
    places = ", ".join(f"%({name})s" for name in ids)
    chosen = f"SELECT id FROM campaigns_campaign WHERE id IN ({places})"  # noqa: S608 - placeholders
    return freeze_chosen(chosen, ids, actor)


def freeze_chosen(chosen: str, parameters: Mapping[str, Any], actor: Actor) -> int:
    """As freeze(), of the campaigns whose ids the query `chosen` gives."""
    values = {f"actor_{name}": getattr(actor, name) for name in ("issuer", "id", "name")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(id), 0) FROM campaigns_revision")
        (last_id,) = cursor.fetchone()
        given = {**parameters, **values, "actor_type": actor.type.value, "last_id": last_id}
        if connection.vendor == "sqlite":
            connection.connection.create_aggregate("digest_in_order", 2, _DigestInOrder)
        cursor.execute(ADD_REVISIONS.format(chosen=chosen, digest=DIGESTS[connection.vendor]), given)
        count: int = cursor.rowcount
        if count:
            cursor.execute(ADD_STEPS.format(chosen=chosen), given)
    return count


def freeze_all() -> Iterator[list[str]]:
    """Make revision 1 of every campaign that has run and has none; the statuses of those, batch by batch.

    Each batch is a transaction, which locks its campaigns FOR NO KEY UPDATE. It may be repeated.
    """
    after = UUID(int=0)
    while True:
        with transaction.atomic():
            lacking = Campaign.objects.filter(~Exists(Revision.objects.filter(campaign_id=OuterRef("pk"))))
            due = lacking.filter(status__in=HAS_RUN, pk__gt=after).order_by("pk").select_for_update(no_key=True)
            found = list(due.values_list("pk", "status")[:BATCH])
            if not found:
                return
            freeze([campaign_id for campaign_id, _ in found], MIGRATION)
        yield [status for _, status in found]
        after = found[-1][0]


# --- Reading ---------------------------------------------------------------------------------------------------------


def latest_revision_or_none(campaign_id: UUID) -> Any | None:
    """The row of a campaign's latest revision, without its steps; None if it has none."""
    found = compiled.rows(_latest, campaign_id)
    return found[0] if found else None


def find_revision(campaign_id: UUID, number: int | None) -> Any:
    """The row of a revision, or of the latest one, without its steps. Raises NotFound: for the campaign first."""
    if number is None:
        found = latest_revision_or_none(campaign_id)
    else:
        found = next(iter(compiled.rows(_numbered, campaign_id, number)), None)
    if found is None:
        require_campaign(campaign_id)
        raise NotFound("revision", LATEST if number is None else str(number))
    return found


def revision_steps(revision_id: int, load_json: Callable[[str], Any] = StoredJSON) -> list[Any]:
    """The rows of a revision's steps, in order."""
    return compiled.rows(_steps, revision_id, load_json=load_json)


def _latest(campaign_id: UUID) -> QuerySet[Revision, Any]:
    return Revision.objects.filter(campaign_id=campaign_id).order_by("-number").values_list(*HEAD_COLUMNS)[:1]


def _numbered(campaign_id: UUID, number: int) -> QuerySet[Revision, Any]:
    found = Revision.objects.filter(campaign_id=campaign_id, number=number)
    return found.order_by().values_list(*HEAD_COLUMNS)


def _steps(revision_id: int) -> QuerySet[RevisionStep, Any]:
    steps = RevisionStep.objects.filter(revision_id=revision_id).order_by("ordinal")
    return steps.values_list("ordinal", "step_id", *CONTENT)
