"""Checked rows on their way to the database: in batches, and divided into sections."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter, lt
from typing import Any

import uuid_utils

from campaigns.models import CampaignStep
from campaigns.seeding.rows import JSON_COLUMNS, NO_STEP, STEP_COLUMNS, Row, RowCampaign

BATCH_ROWS = 10_000
BATCH_LENGTH = 2 * 1024 * 1024  # characters of JSON; this bounds the memory

POSITION = STEP_COLUMNS.index("position")
DELAY = STEP_COLUMNS.index("delay_minutes")
JSON_INDEXES = [STEP_COLUMNS.index(column) for column in JSON_COLUMNS]

# The temporary tables that rows wait in, with the type of each column. Nothing else sees them, and filling them locks
# nothing. A section is what neighbouring rows say of their campaign, a fresh id for it if it has to be made, how many
# rows and steps it has, and how long these take together.
TYPES = {"BigIntegerField": "bigint", "IntegerField": "integer", "CharField": "text", "JSONField": "jsonb"}
STEP_TYPES = {column: TYPES[CampaignStep._meta.get_field(column).get_internal_type()] for column in STEP_COLUMNS}
ROW_TYPES = {"line": "bigint", "section": "integer", "id": "uuid", **STEP_TYPES}
SECTION_TYPES = {"section": "integer", "line": "bigint", "given_id": "uuid", "external_id": "text", "name": "text"}
SECTION_TYPES |= {"description": "text", "status": "text", "new_id": "uuid"}
SECTION_TYPES |= {"rows": "bigint", "steps": "bigint", "minutes": "bigint"}
TABLES = (
    f"CREATE TEMPORARY TABLE seed_row ({', '.join(map(' '.join, ROW_TYPES.items()))})",
    f"CREATE TEMPORARY TABLE seed_section ({', '.join(map(' '.join, SECTION_TYPES.items()))})",
)
STAGED = ("seed_row", "seed_section")
# What merging.py makes of them.
JUDGEMENTS = ("seed_group", "seed_campaign", "seed_taken", "seed_fault", "seed_change", "seed_entry")


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, many at a time."""
    batch: list[Row] = []
    length = 0
    for row in rows:
        batch.append(row)
        if step := row[2]:
            length += sum([len(step[index]) for index in JSON_INDEXES])
        if len(batch) >= BATCH_ROWS or length >= BATCH_LENGTH:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


@dataclass(slots=True)
class Section:
    """Neighbouring rows of a batch that say the same of their campaign."""

    number: int
    campaign: RowCampaign
    rows: list[Row]
    new_id: Any = field(default_factory=uuid_utils.uuid7)

    @property
    def steps(self) -> list[tuple[Any, ...]]:
        return [step for _, _, step in self.rows if step]

    def values(self) -> tuple[Any, ...]:
        """In the order of SECTION_TYPES."""
        steps = self.steps
        counts = len(self.rows), len(steps), sum([step[DELAY] for step in steps])
        return self.number, self.rows[0][0], *self.campaign, self.new_id, *counts


class Stage:
    """What is staged: how many rows, and whether positions ascend in each stretch of rows of one campaign.

    Where they do, and no campaign has two stretches, no position can occur twice.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_line = 0
        self.stretches = 0
        self.ascending = True
        self._sections = 0
        self._last: tuple[RowCampaign | None, int] = None, -1

    def divide(self, batch: list[Row]) -> list[Section]:
        sections = []
        for campaign, rows in groupby(batch, key=itemgetter(1)):
            self._sections += 1
            sections.append(Section(self._sections, campaign, list(rows)))
            self._take(sections[-1])
        self.rows += len(batch)
        self.last_line = batch[-1][0]
        return sections

    def _take(self, section: Section) -> None:
        last_campaign, last_position = self._last
        goes_on = section.campaign == last_campaign
        self.stretches += not goes_on
        positions = [last_position if goes_on else -1, *(step[POSITION] for step in section.steps)]
        self.ascending = self.ascending and all(map(lt, positions, positions[1:]))
        self._last = section.campaign, positions[-1]


def row_values(section: Section) -> Iterator[tuple[Any, ...]]:
    """The rows of a section, each in the order of ROW_TYPES."""
    new_id, number = uuid_utils.uuid7, section.number
    for line, _, step in section.rows:
        yield (line, number, new_id(), *(step or NO_STEP))
