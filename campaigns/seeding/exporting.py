"""Campaigns and their steps as a seed file, from one consistent snapshot, in constant memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from campaigns.exceptions import NotFound
from campaigns.models import Campaign
from campaigns.seeding.rows import CANONICAL_UUID
from campaigns.seeding.writers import WRITERS, Cells

CSV_COLUMNS = """
c.id AS campaign_id, c.external_id, c.name AS campaign_name, NULLIF(c.description, '') AS campaign_description,
c.status AS campaign_status, s.position, s.template_id, s.template_version_id, s.delay_minutes, s.variables
"""
# Put together by hand: an object built by PostgreSQL's functions would hold nulls, or lose those inside variables.
JSON_COLUMN = """
'{"campaign_id":"' || c.id || '"'
|| COALESCE(',"external_id":' || to_json(c.external_id)::text, '')
|| ',"campaign_name":' || to_json(c.name)::text
|| COALESCE(',"campaign_description":' || to_json(NULLIF(c.description, ''))::text, '')
|| ',"campaign_status":"' || c.status || '"'
|| CASE WHEN s.position IS NULL THEN '' ELSE
    ',"position":' || s.position || ',"template_id":' || to_json(s.template_id)::text
    || ',"template_version_id":' || to_json(s.template_version_id)::text
    || ',"delay_minutes":' || s.delay_minutes || ',"variables":' || s.variables::text
END || '}'
"""
SELECT = """
SELECT {columns}
FROM campaigns_campaign c LEFT JOIN campaigns_campaignstep s ON s.campaign_id = c.id
WHERE {condition}
ORDER BY c.id, s.position
"""
# JSON texts hold neither line ends nor control characters: with these for quote and delimiter, COPY changes nothing.
COPY = {
    "csv": (CSV_COLUMNS, "COPY ({}) TO STDOUT (FORMAT csv, HEADER)"),
    "jsonl": (JSON_COLUMN, r"COPY ({}) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"),
}


def find_campaigns(names: Sequence[str]) -> list[UUID]:
    """The campaigns that have these ids or external ids. Raises NotFound."""
    found = []
    for name in names:
        by_id = Q(pk=UUID(name)) if CANONICAL_UUID.fullmatch(name) else Q(pk__in=())
        ids = list(Campaign.objects.filter(by_id | Q(external_id=name)).values_list("id", flat=True))
        if not ids:
            raise NotFound("campaign", name)
        found += ids
    return found


def export(
    write: Callable[[bytes], Any], format: str, *, statuses: Sequence[str] = (), campaigns: Sequence[UUID] | None = None
) -> None:
    """Write the campaigns with one of `statuses` that are among `campaigns` (none given: all), with their steps.

    They come in the order of their ids, and steps by position: the same data gives the same bytes.
    """
    condition, parameters = _condition(statuses, campaigns)
    if connection.vendor == "postgresql":
        columns, copy_statement = COPY[format]
        statement = copy_statement.format(SELECT.format(columns=columns, condition=condition))
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement, parameters) as copy:
            for data in copy:
                write(data)
        return
    with connection.cursor() as cursor:
        cursor.execute(SELECT.format(columns=CSV_COLUMNS, condition=condition), parameters)
        WRITERS[format](_cells(cursor), write)


def _condition(statuses: Sequence[str], campaigns: Sequence[UUID] | None) -> tuple[str, list[Any]]:
    conditions, parameters = ["1 = 1"], list[Any]()
    if statuses:
        conditions.append(f"c.status IN ({', '.join(['%s'] * len(statuses))})")
        parameters += statuses
    if campaigns is not None:
        conditions.append(f"c.id IN ({', '.join(['%s'] * len(campaigns))})" if campaigns else "1 = 0")
        parameters += [one if connection.features.has_native_uuid_field else one.hex for one in campaigns]
    return " AND ".join(conditions), parameters


def _cells(cursor: Any) -> Iterator[Cells]:
    last_hex, last_id = "", ""
    for rows in iter(lambda: cursor.fetchmany(1_000), []):
        for hex_id, *cells in rows:
            if hex_id != last_hex:
                last_hex, last_id = hex_id, str(UUID(hex_id))
            yield (last_id, *cells)
