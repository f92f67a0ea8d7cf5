"""Reading CSV (RFC 4180) with a header. Each physical line becomes part of a row, or is refused with its number."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from functools import partial
from operator import itemgetter

from campaigns.seeding.rows import (
    CAMPAIGN_COLUMNS,
    COLUMNS,
    IDS,
    MAX_CELL_LENGTH,
    MAX_LINE_LENGTH,
    REQUIRED_STEP_COLUMNS,
    STEP_COLUMNS,
    Refuse,
    Row,
    RowChecker,
    RowRefused,
    UnusableInput,
    csv_checks,
    refused,
)

# Stands for a line that is too long. It is malformed, wherever it stands: at the start of a record or inside quotes.
CUT = '"x"x\n'


def read_csv(stream: io.BufferedReader, refuse: Refuse) -> Iterator[Row]:
    """Columns in any order; line ends may be mixed, blank lines don't count. An empty input has no rows."""
    csv.field_size_limit(MAX_CELL_LENGTH)
    lines = Lines(io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=""))
    columns = _header(lines)
    if columns is None:
        return
    check = CsvChecker(columns).check
    reader = lines.records()
    while True:
        line = lines.start_record()
        try:
            cells = next(reader, None)
            if cells:
                yield check(line, cells)
            elif cells is None:
                return
        except RowRefused as row:
            refuse(row)
        except (csv.Error, Swallowed) as error:
            refuse(error.row if isinstance(error, Swallowed) else _malformed(line, lines, error))
            lines.give_back()
            reader = lines.records()


class Swallowed(Exception):
    """A refused record whose later lines are probably records of their own: a quote was opened and not closed."""

    def __init__(self, row: RowRefused) -> None:
        super().__init__()
        self.row = row


class Lines:
    """The physical lines of a text. Those of the current record can be given back, except the first."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._number = 0
        self._record: list[str] = []
        self._given_back: deque[str] = deque()

    def records(self) -> Iterator[list[str]]:
        """A new reader from the next line on."""
        return csv.reader(self._lines(), strict=True)

    def start_record(self) -> int:
        """The number of the line that is read next."""
        self._record.clear()
        return self._number + 1

    @property
    def is_cut(self) -> bool:
        return self._record[0] == CUT

    def give_back(self) -> None:
        """Let the record's lines but the first be read again."""
        self._number -= len(self._record) - 1
        self._given_back.extendleft(reversed(self._record[1:]))

    def _lines(self) -> Iterator[str]:
        while self._given_back:
            yield self._taken(self._given_back.popleft())
        for text in iter(partial(self._text.readline, MAX_LINE_LENGTH), ""):
            yield self._taken(self._cut() if len(text) == MAX_LINE_LENGTH and not _is_ended(text) else text)

    def _taken(self, text: str) -> str:
        self._number += 1
        self._record.append(text)
        return text

    def _cut(self) -> str:
        while (rest := self._text.readline(MAX_LINE_LENGTH)) and not _is_ended(rest):
            pass
        return CUT


def _is_ended(text: str) -> bool:
    return text.endswith(("\n", "\r"))


def _malformed(line: int, lines: Lines, error: Exception) -> RowRefused:
    if lines.is_cut:
        return refused(line, "too_large", f"It is longer than {MAX_LINE_LENGTH:,} characters.")
    return refused(line, "malformed", f"It isn't CSV: {error}.")


# --- The header ------------------------------------------------------------------------------------------------------


def _header(lines: Lines) -> list[str] | None:
    try:
        columns = next(lines.records(), None)
    except csv.Error as error:
        raise UnusableInput(f"1: the header isn't CSV: {error}.") from error
    if columns is not None:
        _check_header(columns)
    return columns


def _check_header(columns: list[str]) -> None:
    """Raises UnusableInput."""
    if unknown := [column for column in columns if column not in COLUMNS]:
        shown = ", ".join(ascii(column[:64]) for column in unknown[:10])
        raise UnusableInput(f"1: unknown columns {shown}; known are {', '.join(COLUMNS)}.{_hint(unknown)}")
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise UnusableInput(f"1: the header names {', '.join(repeated)} more than once.")
    if not set(IDS) & set(columns):
        raise UnusableInput(f"1: the header needs {' or '.join(IDS)}.")
    if set(STEP_COLUMNS) & set(columns) and (
        missing := [column for column in REQUIRED_STEP_COLUMNS if column not in columns]
    ):
        raise UnusableInput(f"1: the header lacks {', '.join(missing)}.")


def _hint(unknown: list[str]) -> str:
    wrong = any(character in column for column in unknown for character in ";\t\0")
    return " Save it as CSV UTF-8 with commas between the cells." if wrong else ""


# --- Rows ------------------------------------------------------------------------------------------------------------


class CsvChecker:
    """Turns the cells of one header into rows."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        index = {column: number for number, column in enumerate(columns)}
        nowhere = len(columns)  # each row gets one empty cell more, for the columns that aren't there
        self._campaign_cells = itemgetter(*(index.get(column, nowhere) for column in CAMPAIGN_COLUMNS))
        self._step_cells = itemgetter(*(index.get(column, nowhere) for column in STEP_COLUMNS))
        self._check = RowChecker(csv_checks(), "").check

    def check(self, line: int, cells: list[str]) -> Row:
        """Raises RowRefused, or Swallowed."""
        width = len(cells)
        cells.append("")
        try:
            if width != len(self._columns):
                raise refused(line, "cells", f"It has {width} cells; the header has {len(self._columns)}.")
            return self._check(line, self._campaign_cells(cells), self._step_cells(cells))
        except RowRefused as row:
            if self._has_swallowed(row, cells):
                raise Swallowed(row) from row
            raise

    def _has_swallowed(self, row: RowRefused, cells: list[str]) -> bool:
        """Whether a cell at fault, or any cell of a wrong number of them, holds a line break."""
        faulty = {fault.field for fault in row.faults}
        broken = {column for column, cell in zip(self._columns, cells, strict=False) if "\n" in cell or "\r" in cell}
        return bool(broken & faulty) or (len(cells) - 1 != len(self._columns) and _has_break(cells))


def _has_break(cells: list[str]) -> bool:
    return any("\n" in cell or "\r" in cell for cell in cells)
