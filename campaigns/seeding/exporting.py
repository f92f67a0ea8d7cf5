"""Campaigns and their steps as a seed file, from one consistent snapshot, in constant memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import starmap
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns.exceptions import NotFound
from campaigns.models import Campaign, Revision
from campaigns.revisions import LATEST, Latest
from campaigns.seeding.rows import COLUMNS, JSON_COLUMNS, STEP_COLUMNS
from campaigns.seeding.sqlite import respelled
from campaigns.seeding.writers import WRITERS, Cells
from messaging_project.ids import parse_uuid

CAMPAIGN_EXPRESSIONS = ("c.id", "c.external_id", "c.name", "NULLIF(c.description, '')", "c.status")
EXPRESSIONS = dict(zip(COLUMNS, (*CAMPAIGN_EXPRESSIONS, *(f"s.{column}" for column in STEP_COLUMNS)), strict=True))
CSV_COLUMNS = ", ".join(f"{expression} AS {column}" for column, expression in EXPRESSIONS.items())


def _json_member(column: str, expression: str) -> str:
    """Put together by hand: an object built by PostgreSQL's functions would hold nulls, or lose those in variables."""
    value = f"{expression}::text" if column in JSON_COLUMNS else f"to_json({expression})::text"
    return f"""COALESCE(',"{column}":' || {value}, '')"""


# Each member begins with a comma; the first one is that of the id, which is always there.
JSON_COLUMN = f"'{{' || substr({' || '.join(starmap(_json_member, EXPRESSIONS.items()))}, 2) || '}}'"
NOW = "LEFT JOIN campaigns_campaignstep s ON s.campaign_id = c.id"
# A revision's steps, at their ordinals. Campaigns without it are left out.
FROZEN = """JOIN campaigns_revision r ON r.campaign_id = c.id AND r.number = {number}
LEFT JOIN (SELECT f.*, f.ordinal AS position FROM campaigns_revisionstep f) s ON s.revision_id = r.id"""
LATEST_NUMBER = "(SELECT MAX(latest.number) FROM campaigns_revision latest WHERE latest.campaign_id = c.id)"
SELECT = """
SELECT {columns}
FROM campaigns_campaign c {steps}
WHERE {condition}
ORDER BY c.id, s.position
"""
# JSON texts hold neither line ends nor control characters: with these for quote and delimiter, COPY changes nothing.
COPY = {
    "csv": (CSV_COLUMNS, "COPY ({}) TO STDOUT (FORMAT csv, HEADER)"),
    "jsonl": (JSON_COLUMN, r"COPY ({}) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"),
}


def find_campaigns(names: Sequence[str]) -> dict[UUID, str]:
    """The campaigns that have these ids or external ids, and under which of the names. Raises NotFound."""
    found: dict[UUID, str] = {}
    for name in names:
        ids = list(Campaign.objects.filter(Q(pk=parse_uuid(name)) | Q(external_id=name)).values_list("id", flat=True))
        if not ids:
            raise NotFound("campaign", name)
        found |= dict.fromkeys(ids, name)
    return found


def without_revision(
    revision: int | Latest, *, statuses: Sequence[str] = (), campaigns: Collection[UUID] | None = None
) -> QuerySet[Campaign]:
    """Those that export() leaves out because they lack the revision. A campaign never loses one."""
    revisions = Revision.objects.filter(campaign_id=OuterRef("pk"))
    if revision != LATEST:
        revisions = revisions.filter(number=revision)
    lacking = Campaign.objects.filter(~Exists(revisions))
    if statuses:
        lacking = lacking.filter(status__in=statuses)
    return lacking if campaigns is None else lacking.filter(pk__in=campaigns)


def export(
    write: Callable[[bytes], Any],
    format: str,
    *,
    statuses: Sequence[str] = (),
    campaigns: Collection[UUID] | None = None,
    revision: int | Latest | None = None,
) -> None:
    """Write the campaigns with one of `statuses` that are among `campaigns` (none given: all), with their steps.

    They come in the order of their ids, and steps by position: the same data gives the same bytes. With `revision`, the
    campaigns that have it come with its steps, whose positions are their ordinals.
    """
    steps = NOW if revision is None else FROZEN.format(number=LATEST_NUMBER if revision == LATEST else int(revision))
    condition, parameters = _condition(statuses, campaigns)
    if connection.vendor == "postgresql":
        columns, copy_statement = COPY[format]
        statement = copy_statement.format(SELECT.format(columns=columns, steps=steps, condition=condition))
        with connection.cursor() as cursor, connection.wrap_database_errors:
            statement = cursor.mogrify(statement, parameters)  # with DEBUG on, copy() takes no parameters
            with cursor.copy(statement) as copy:
                for data in copy:
                    write(data)
        return
    with connection.cursor() as cursor:
        cursor.execute(SELECT.format(columns=CSV_COLUMNS, steps=steps, condition=condition), parameters)
        WRITERS[format](_cells(cursor), write)


def _condition(statuses: Sequence[str], campaigns: Collection[UUID] | None) -> tuple[str, list[Any]]:
    conditions, parameters = ["1 = 1"], list[Any]()
    if statuses:
        conditions.append(f"c.status IN ({', '.join(['%s'] * len(statuses))})")
        parameters += statuses
    if campaigns is not None:
        conditions.append(f"c.id IN ({', '.join(['%s'] * len(campaigns))})" if campaigns else "1 = 0")
        parameters += [one if connection.features.has_native_uuid_field else one.hex for one in campaigns]
    return " AND ".join(conditions), parameters


def _cells(cursor: Any) -> Iterator[Cells]:
    """Rows of SQLite in the spelling of the file: that of PostgreSQL."""
    json_indexes = [COLUMNS.index(column) for column in JSON_COLUMNS]
    for found in iter(lambda: cursor.fetchmany(1_000), []):
        for row in map(list, found):
            row[0] = str(UUID(row[0]))
            for index in json_indexes:
                row[index] = row[index] and respelled(row[index])
            yield tuple(row)
