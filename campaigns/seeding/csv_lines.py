"""Reading CSV (RFC 4180) with a header: a block of lines at a time, and line by line where a block isn't simple."""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter

from campaigns.seeding import plain_json
from campaigns.seeding.rows import (
    CAMPAIGN_COLUMNS,
    COLUMNS,
    CSV_RULES,
    MAX_CELL_LENGTH,
    MAX_LINE_LENGTH,
    REQUIRED_STEP_COLUMNS,
    STEP_COLUMNS,
    WHOLE_ROW,
    Head,
    Refuse,
    Remembered,
    Row,
    RowRefused,
    UnusableInput,
    check_head,
    check_step,
    refuse_line,
    refused,
)

BLOCK_LENGTH = 16 * 1024  # characters: small enough for the processor's cache


def read_csv(stream: io.BufferedReader, refuse: Refuse) -> Iterator[list[Row]]:
    """Columns in any order; line ends may be mixed, blank lines don't count."""
    csv.field_size_limit(MAX_CELL_LENGTH)
    lines = Lines(io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=""))
    reader = csv.reader(lines, strict=True)
    checker = CsvChecker(_header(reader))
    while block := lines.block():
        first = lines.number - len(block) + 1
        rows = checker.check_block(first, block)
        if rows is None:
            lines.give_back(block)
            rows = list(_one_by_one(reader, lines, first + len(block), checker, refuse))
        yield rows


class Lines:
    """The lines of a text; `number` is that of the last one taken."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.number = 0
        self._given_back: deque[str] = deque()
        self._readline = partial(text.readline, MAX_LINE_LENGTH)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        text = self._given_back.popleft() if self._given_back else self._readline()
        if not text:
            raise StopIteration
        self.number += 1
        return text

    def block(self) -> list[str]:
        """Some lines; none at the end."""
        block: list[str] = []
        length = 0
        for text in iter(self._readline, ""):
            block.append(text)
            length += len(text)
            if length >= BLOCK_LENGTH:
                break
        self.number += len(block)
        return block

    def give_back(self, block: list[str]) -> None:
        """The last block, to be taken line by line."""
        self.number -= len(block)
        self._given_back.extend(block)


def _one_by_one(
    reader: Iterator[list[str]], lines: Lines, end: int, checker: "CsvChecker", refuse: Refuse
) -> Iterator[Row]:
    """The rows of the records that start before the line `end`; the last may go on behind it."""
    while lines.number + 1 < end:
        line = lines.number + 1
        try:
            if cells := next(reader, None):
                yield checker.check(line, cells)
        except csv.Error as error:
            refuse(refused(line, WHOLE_ROW, "malformed", f"It isn't CSV: {error}."))
        except RowRefused as row:
            refuse(row)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        columns = next(reader, [])
    except csv.Error as error:
        raise UnusableInput(f"1: the header isn't CSV: {error}.") from error
    if unknown := [column for column in columns if column not in COLUMNS]:
        shown = ", ".join(ascii(column[:64]) for column in unknown[:10])
        raise UnusableInput(f"1: unknown columns {shown}; known are {', '.join(COLUMNS)}.")
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise UnusableInput(f"1: the header names {', '.join(repeated)} more than once.")
    if "campaign_id" not in columns and "external_id" not in columns:
        raise UnusableInput("1: the header needs campaign_id or external_id.")
    if not set(STEP_COLUMNS).isdisjoint(columns) and (
        missing := [column for column in REQUIRED_STEP_COLUMNS if column not in columns]
    ):
        raise UnusableInput(f"1: the header lacks {', '.join(missing)}.")
    return columns


class CsvChecker:
    """Turns cells into rows. Common rows take the short way; what it can't prove valid goes the long way."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        index = {column: number for number, column in enumerate(columns)}
        nowhere = len(columns)  # each row gets one empty cell more, for the columns that aren't there
        self._step_cells = itemgetter(*(index.get(column, nowhere) for column in STEP_COLUMNS))
        self._campaign_cells = itemgetter(*(index.get(column, nowhere) for column in CAMPAIGN_COLUMNS))
        self._integers = Remembered(CSV_RULES["position"])
        self._delays = Remembered(CSV_RULES["delay_minutes"], {"": 0})
        self._ids = Remembered(CSV_RULES["template_id"])
        self._head: Head | None = None
        self._head_cells: tuple[str, ...] | None = None

    def check_block(self, line: int, block: list[str]) -> list[Row] | None:
        """The rows of whole lines, the first of them with the number `line`; None if that isn't for sure."""
        columns = _columns(block, len(self._columns))
        if columns is None:
            return None
        count = len(block)
        columns.append([""] * count)
        positions, template_ids, version_ids, delays, variables = self._step_cells(columns)
        variables = [cell or "{}" for cell in variables]
        if not plain_json.are_plain(variables):
            return None
        try:
            steps = (
                list(map(self._integers.__getitem__, positions)),
                list(map(self._ids.__getitem__, template_ids)),
                list(map(self._ids.__getitem__, version_ids)),
                list(map(self._delays.__getitem__, delays)),
                variables,
            )
            heads = self._heads(line, zip(*self._campaign_cells(columns), strict=True))
        except ValueError:
            return None
        return list(zip(range(line, line + count), heads, *steps, strict=True))

    def _heads(self, line: int, head_cells: Iterable[tuple[str, ...]]) -> list[Head]:
        heads: list[Head] = []
        last, last_cells = self._head, self._head_cells
        for cells, same in groupby(head_cells):
            if cells != last_cells or last is None:
                last, last_cells = _check_head(line + len(heads), cells), cells
            heads += [last for _ in same]
        self._head, self._head_cells = last, last_cells
        return heads

    def check(self, line: int, cells: list[str]) -> Row:
        """Raises RowRefused."""
        if len(cells) != len(self._columns):
            refuse_line(line, "cells", f"It has {len(cells)} cells; the header has {len(self._columns)}.")
        head_cells = self._campaign_cells([*cells, ""])
        if head_cells != self._head_cells or self._head is None:
            self._head = None
            self._head, self._head_cells = _check_head(line, head_cells), head_cells
        position, template_id, version_id, delay, variables = self._step_cells([*cells, ""])
        try:
            return (
                line,
                self._head,
                self._integers[position],
                self._ids[template_id],
                self._ids[version_id],
                self._delays[delay],
                plain_json.spell(CSV_RULES["variables"](variables)) if variables else "{}",
            )
        except ValueError:  # to name every fault, or because it has no step
            given = {column: cell for column, cell in zip(self._columns, cells, strict=True) if cell}
            return check_step(line, self._head, given, CSV_RULES)


def _check_head(line: int, cells: tuple[str, ...]) -> Head:
    given = {column: cell for column, cell in zip(CAMPAIGN_COLUMNS, cells, strict=True) if cell}
    return check_head(line, given, CSV_RULES)


def _columns(block: list[str], width: int) -> list[list[str]] | None:
    """The columns of a block in which each line is a record of `width` cells; else None."""
    try:
        records = list(csv.reader(block, strict=True))
    except csv.Error:
        return None
    if len(records) != len(block) or {width} != set(map(len, records)):
        return None
    return [list(column) for column in zip(*records, strict=True)]
