"""Checked rows on their way to the database: in batches, and divided into sections."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter, lt
from typing import Any
from uuid import UUID

import uuid_utils

from campaigns.models import CampaignStep, new_id
from campaigns.seeding.rows import JSON_COLUMNS, NO_STEP, REFUSED, STEP_COLUMNS, Row, RowCampaign

BATCH_ROWS = 10_000
FEW = 50  # rows whose texts are measured together: one by one takes a tenth of the time of reading them
BATCH_LENGTH = 2 * 1024 * 1024  # characters of JSON; this bounds the memory

POSITION = STEP_COLUMNS.index("position")
DELAY = STEP_COLUMNS.index("delay_minutes")
UNKNOWN = UUID(int=0)
JSON_INDEXES = [STEP_COLUMNS.index(column) for column in JSON_COLUMNS]

# The temporary tables that rows wait in, with the type of each column. Nothing else sees them, and filling them locks
# nothing. A section is what neighbouring rows say of their campaign, a fresh id for it if it has to be made, how many
# rows and steps it has, how long these take together, and which lines were written early to which positions of what.
TYPES = {"BigIntegerField": "bigint", "IntegerField": "integer", "CharField": "text", "JSONField": "jsonb"}
STEP_TYPES = {column: TYPES[CampaignStep._meta.get_field(column).get_internal_type()] for column in STEP_COLUMNS}
ROW_TYPES = {"line": "bigint", "section": "integer", "id": "uuid", **STEP_TYPES}
STORED_TYPES = {"id": "uuid", "campaign_id": "uuid", **STEP_TYPES, "version": "bigint"}
SECTION_TYPES = {"section": "integer", "line": "bigint", "given_id": "uuid", "external_id": "text", "name": "text"}
SECTION_TYPES |= {"description": "text", "status": "text", "new_id": "uuid"}
SECTION_TYPES |= {"rows": "bigint", "steps": "bigint", "minutes": "bigint"}
SECTION_TYPES |= {"early_id": "uuid", "is_new": "boolean", "lines": "text", "positions": "text"}
TABLES = (
    f"CREATE TEMPORARY TABLE seed_row ({', '.join(map(' '.join, ROW_TYPES.items()))})",
    f"CREATE TEMPORARY TABLE seed_section ({', '.join(map(' '.join, SECTION_TYPES.items()))})",
)
STAGED = ("seed_row", "seed_section")
# What merging.py makes of them.
JUDGEMENTS = ("seed_created", "seed_group", "seed_campaign", "seed_taken", "seed_fault", "seed_change", "seed_entry")


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, many at a time."""
    rest = iter(rows)
    batch: list[Row] = []
    length = 0
    while few := list(islice(rest, min(FEW, BATCH_ROWS))):
        batch += few
        length += sum([len(step[index]) for _, _, step in few if step for index in JSON_INDEXES])
        if len(batch) >= BATCH_ROWS or length >= BATCH_LENGTH:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


class Section:
    """Neighbouring rows of a batch that say the same of their campaign; none, if all of them were refused."""

    def __init__(self, number: int, campaign: RowCampaign, rows: list[Row]) -> None:
        self.number, self.campaign, self.line = number, campaign, rows[0][0]
        self.rows = [row for row in rows if row[2] is not REFUSED]
        self.key = campaign.campaign_id or campaign.external_id or ""
        self.new_id = campaign.campaign_id or new_id()  # of the campaign, if it is made of this section
        self.early: Ascent | None = None  # the campaign that these steps are written to early
        self.steps = [step for _, _, step in self.rows if step]
        self.positions = [step[POSITION] for step in self.steps]

    def values(self) -> tuple[Any, ...]:
        """In the order of SECTION_TYPES."""
        counts = len(self.rows), len(self.steps), sum([step[DELAY] for step in self.steps])
        values = self.number, self.line, *self.campaign, self.new_id, *counts
        if self.early is None:
            return *values, None, None, None, None
        lines = [line for line, _, step in self.rows if step]
        texts = [",".join(map(str, numbers)) for numbers in (lines, self.positions)]
        return *values, self.early.id, self.early.is_new, *texts


class Ascent:
    """A campaign, as far as each of its sections goes on above the positions of those before."""

    __slots__ = ("_last", "id", "is_new")  # tens of thousands are known at a time

    def __init__(self, campaign_id: UUID = UNKNOWN, *, is_new: bool = False) -> None:
        self.id, self.is_new = campaign_id, is_new
        self._last = -1

    def goes_on(self, section: Section) -> bool:
        positions = [self._last, *section.positions]
        self._last = max(self._last, positions[-1])
        return all(map(lt, positions, positions[1:]))


class Stage:
    """What is staged: how many rows, and whether positions ascend in each stretch of rows of one campaign.

    Where they do, and no campaign has two stretches, no position can occur twice.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_line = 0
        self.locked_at: float | None = None  # when the first stored campaign was locked, if any was
        self.stretches = 0
        self.ascending = True
        self._sections = 0
        self._campaign: RowCampaign | None = None
        self._ascent = Ascent()

    def divide(self, batch: list[Row]) -> list[Section]:
        sections = []
        for campaign, rows in groupby(batch, key=itemgetter(1)):
            self._sections += 1
            sections.append(Section(self._sections, campaign, list(rows)))
            self._take(sections[-1])
            self.rows += len(sections[-1].rows)
        self.last_line = batch[-1][0]
        return sections

    def _take(self, section: Section) -> None:
        if section.campaign != self._campaign:
            self.stretches += 1
            self._campaign, self._ascent = section.campaign, Ascent()
        self.ascending = self._ascent.goes_on(section) and self.ascending


def row_values(section: Section) -> Iterator[tuple[Any, ...]]:
    """The rows of a section that are staged, each in the order of ROW_TYPES."""
    new_id, number, is_early = uuid_utils.uuid7, section.number, section.early is not None
    for line, _, step in section.rows:
        if not (is_early and step):
            yield (line, number, new_id(), *(step or NO_STEP))


def early_steps(section: Section) -> Iterator[tuple[Any, ...]]:
    """The steps of a section that are written early, each in the order of STORED_TYPES."""
    if section.early:
        new_id, campaign_id = uuid_utils.uuid7, uuid_utils.UUID(bytes=section.early.id.bytes)  # written faster
        for step in section.steps:
            yield (new_id(), campaign_id, *step, 1)
