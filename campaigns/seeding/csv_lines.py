"""Reading CSV (RFC 4180) with a header. Each physical line becomes part of a row, or is refused with its number."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from functools import partial
from operator import itemgetter

from campaigns.seeding import rows
from campaigns.seeding.rows import COLUMNS, STEP_COLUMNS, Refuse, Row, RowRefused, UnusableInput, refused

# Stands for a line that is too long. It is malformed, wherever it stands: at the start of a record or inside quotes.
CUT = '"x"x\n'


def read_csv(stream: io.BufferedReader, refuse: Refuse) -> Iterator[Row]:
    """Columns in any order; line ends may be mixed. Blank lines, and Excel's of commas, don't count. An empty input has
    no rows."""
    csv.field_size_limit(rows.MAX_CELL_LENGTH)
    lines = Lines(io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=""))
    columns = _header(lines)
    if columns is None:
        return
    checker = CsvChecker(columns)
    reader = lines.records()
    while True:
        line = lines.start_record()
        cells: list[str] = []
        try:
            found = next(reader, None)
            if found is None:
                return
            cells = found
            if any(cells):
                yield checker.check(line, cells)
        except (csv.Error, RowRefused) as error:
            row = error if isinstance(error, RowRefused) else _malformed(line, lines, error)
            refuse(row)
            if checker.is_doubtful(row, cells):
                lines.give_back()
                reader = lines.records()
            else:
                yield from row.rest


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

    def is_cut(self) -> bool:
        return self._record[0] == CUT

    def give_back(self) -> None:
        """Let the record's lines but the first be read again."""
        self._number -= len(self._record) - 1
        self._given_back.extendleft(reversed(self._record[1:]))

    def _lines(self) -> Iterator[str]:
        while self._given_back:
            yield self._taken(self._given_back.popleft())
        for text in iter(partial(self._text.readline, rows.MAX_LINE_LENGTH), ""):
            yield self._taken(self._cut() if len(text) == rows.MAX_LINE_LENGTH and not _is_ended(text) else text)

    def _taken(self, text: str) -> str:
        self._number += 1
        self._record.append(text)
        return text

    def _cut(self) -> str:
        while (rest := self._text.readline(rows.MAX_LINE_LENGTH)) and not _is_ended(rest):
            pass
        return CUT


def _is_ended(text: str) -> bool:
    return text.endswith(("\n", "\r"))


def _malformed(line: int, lines: Lines, error: Exception) -> RowRefused:
    if lines.is_cut():
        return refused(line, "too_large", f"It is longer than {rows.MAX_LINE_LENGTH:,} characters.")
    return refused(line, "malformed", f"It is not valid CSV: {error}.")


# --- The header ------------------------------------------------------------------------------------------------------


def _header(lines: Lines) -> list[str] | None:
    """The columns; None if there is nothing at all. Raises UnusableInput."""
    try:
        columns = next(lines.records(), None)
    except csv.Error as error:
        raise UnusableInput(f"1: header: {_malformed(1, lines, error).faults[0].message}") from error
    if columns is None:
        return None
    if unknown := [column for column in columns if column not in COLUMNS]:
        hint = f" {rows.SAVE_AS}" if any(";" in column or "\t" in column for column in unknown) else ""
        shown = ", ".join(ascii(column[:64]) for column in unknown[:10])
        raise UnusableInput(f"1: unknown columns {shown}; known are {', '.join(COLUMNS)}.{hint}")
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise UnusableInput(f"1: the header names {', '.join(repeated)} more than once.")
    if not set(rows.IDS) & set(columns):
        raise UnusableInput(f"1: the header needs {' or '.join(rows.IDS)}.")
    missing = [column for column in rows.REQUIRED_STEP_COLUMNS if column not in columns]
    if missing and set(STEP_COLUMNS) & set(columns):
        raise UnusableInput(f"1: the header lacks {', '.join(missing)}.")
    return columns


# --- Rows ------------------------------------------------------------------------------------------------------------


class CsvChecker:
    """Turns the cells of one header into rows."""

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        index = {column: number for number, column in enumerate(columns)}
        nowhere = len(columns)  # each row gets one empty cell more, for the columns that aren't there
        self._campaign_cells = itemgetter(*(index.get(column, nowhere) for column in rows.CAMPAIGN_COLUMNS))
        self._step_cells = itemgetter(*(index.get(column, nowhere) for column in STEP_COLUMNS))
        self._check = rows.RowChecker(rows.csv_check, "").check

    def check(self, line: int, cells: list[str]) -> Row:
        """Raises RowRefused."""
        if len(cells) != len(self._columns):
            raise refused(line, "cells", f"It has {len(cells)} cells; the header has {len(self._columns)}.")
        cells.append("")
        return self._check(line, self._campaign_cells(cells), self._step_cells(cells))

    def is_doubtful(self, row: RowRefused, cells: list[str]) -> bool:
        """Whether the later lines of a refused record are probably records of their own: a quote wasn't closed.

        It has another shape than the header, or a line break in a cell that is at fault.
        """
        given = dict(zip(self._columns, cells, strict=False))
        return any(
            fault.field == rows.WHOLE_ROW or not {"\n", "\r"}.isdisjoint(given.get(fault.field, ""))
            for fault in row.faults
        )
