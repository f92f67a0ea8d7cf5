"""Where rows come from: CSV or JSON Lines, plain or gzipped, from a file or standard input, in constant memory."""

import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from campaigns import rules
from campaigns.seeding import plain_json
from campaigns.seeding.rows import (
    CAMPAIGN_COLUMNS,
    COLUMNS,
    CSV_RULES,
    JSON_RULES,
    REQUIRED_STEP_COLUMNS,
    STEP_COLUMNS,
    WHOLE_ROW,
    Head,
    Remembered,
    Row,
    RowRefused,
    check_head,
    check_step,
    refuse_line,
    refused,
)
from messaging_project.strict_json import JSONError, loads

STDIN = "-"
FORMATS = ("csv", "jsonl")
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Variables of 64 KiB stay below this, however they are spelled. It bounds the memory that one row can take.
MAX_CELL_LENGTH = 1024 * 1024
MAX_LINE_LENGTH = 2 * MAX_CELL_LENGTH

Refuse = Callable[[RowRefused], None]


class UnusableInput(Exception):
    """The input can't be read on, or its header makes no sense: no row of it is to be trusted."""


class Source(Protocol):
    """Rows, once, in order. Each row that breaks a rule goes to `refuse` instead."""

    name: str
    size: int | None  # bytes to read, if known

    def rows(self, refuse: Refuse) -> Iterator[Row]: ...

    def position(self) -> int:
        """Bytes read so far."""

    def digest(self) -> str:
        """What was read, as SHA-256 in hex; known once all rows were."""


def format_of(path: str) -> str | None:
    """What the suffix says: "csv", "jsonl", or None. A trailing .gz doesn't count."""
    return SUFFIXES.get(Path(path.removesuffix(".gz")).suffix.lower())


class CountingReader(io.RawIOBase):
    """Passes bytes on; counts and digests them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self.count += len(chunk)
        self.sha256.update(chunk)
        return len(chunk)

    def drain(self) -> None:
        """Read to the end: what follows the last row belongs to the digest too."""
        while self.readinto(bytearray(64 * 1024)):
            pass


class FileSource:
    """A seed file, or standard input for "-". Raises UnusableInput."""

    def __init__(self, path: str, format: str | None = None, stream: BinaryIO | None = None) -> None:
        self.name = "<stdin>" if path == STDIN else path
        chosen = format or format_of(path)
        if chosen is None:
            raise UnusableInput(f"{self.name}: choose --format csv or --format jsonl: the name doesn't say which.")
        self._read = read_csv if chosen == "csv" else read_json_lines
        self._must_be_gzip = path.endswith(".gz")
        self._stream, self.size = (stream, None) if stream else _open(path)
        self._raw = CountingReader(self._stream)

    def rows(self, refuse: Refuse) -> Iterator[Row]:
        try:
            buffered = io.BufferedReader(self._raw, 256 * 1024)
            yield from self._read(self._unzipped(buffered), refuse)
            self._raw.drain()
        except UnusableInput as error:
            raise UnusableInput(f"{self.name}:{error}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnusableInput(f"{self.name}: the gzip data is damaged or cut short: {error}") from error
        except OSError as error:
            raise UnusableInput(f"{self.name}: {error.strerror or error}") from error
        finally:
            self._stream.close()

    def _unzipped(self, buffered: Any) -> Any:
        if self._must_be_gzip or buffered.peek(2)[:2] == GZIP_MAGIC:
            buffered = io.BufferedReader(gzip.GzipFile(fileobj=buffered), 256 * 1024)
        if buffered.peek(3)[:3] == BYTE_ORDER_MARK:
            buffered.read(3)
        return buffered

    def position(self) -> int:
        return self._raw.count

    def digest(self) -> str:
        return self._raw.sha256.hexdigest()


def _open(path: str) -> tuple[BinaryIO, int | None]:
    if path == STDIN:
        return sys.stdin.buffer, None
    try:
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed when its rows have been read
    except OSError as error:
        raise UnusableInput(f"{path}: {error.strerror}") from error
    size = Path(path).stat().st_size
    return file, size or None


# --- CSV -------------------------------------------------------------------------------------------------------------


def read_csv(stream: io.BufferedReader, refuse: Refuse) -> Iterator[Row]:
    """RFC 4180 with a header, in any order of columns; line ends may be mixed, blank lines don't count."""
    csv.field_size_limit(MAX_CELL_LENGTH)
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    lines = iter(partial(text.readline, MAX_LINE_LENGTH), "")
    reader = csv.reader(lines, strict=True)
    check = CsvChecker(_header(reader)).check
    for line, cells in _records(lines, reader.line_num, refuse):
        try:
            yield check(line, cells)
        except RowRefused as row:
            refuse(row)


def _records(lines: Iterator[str], line: int, refuse: Refuse) -> Iterator[tuple[int, list[str]]]:
    # The csv module takes twice as long as split_simple(): it reads only the records that need it.
    for text in lines:
        line += 1
        cells, more_lines = split_simple(text), 0
        if cells is None:
            reader = csv.reader(chain((text,), lines), strict=True)
            try:
                cells = next(reader)
            except csv.Error as error:
                refuse(refused(line, WHOLE_ROW, "malformed", f"It isn't CSV: {error}."))
            more_lines = reader.line_num - 1
        if cells:
            yield line, cells
        line += more_lines


def split_simple(line: str) -> list[str] | None:
    """The cells of a line in which at most the last cell is quoted, and that quote ends; else None."""
    if len(line) > MAX_CELL_LENGTH:
        return None
    line = line.rstrip("\r\n")
    if '"' not in line:
        return line.split(",") if line else []
    left, _, right = line.partition(',"')
    inside = right[:-1]
    if '"' in left or right[-1:] != '"' or inside.count('"') != 2 * inside.count('""'):
        return None
    return [*left.split(","), inside.replace('""', '"')]


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
    """Turns cells into rows. The common row takes the short way; what it can't prove valid goes the long way."""

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

    def check(self, line: int, cells: list[str]) -> Row:
        """Raises RowRefused."""
        if len(cells) != len(self._columns):
            refuse_line(line, "cells", f"It has {len(cells)} cells; the header has {len(self._columns)}.")
        cells.append("")
        head_cells = self._campaign_cells(cells)
        if head_cells != self._head_cells or self._head is None:
            self._head, self._head_cells = self._check_head(line, cells), head_cells
        position, template_id, version_id, delay, variables = self._step_cells(cells)
        if not variables:
            variables = "{}"
        elif not plain_json.is_plain(variables):
            return self._check_step(line, cells)
        try:
            return (
                line,
                self._head,
                self._integers[position],
                self._ids[template_id],
                self._ids[version_id],
                self._delays[delay],
                variables,
            )
        except ValueError:
            return self._check_step(line, cells)

    def _check_head(self, line: int, cells: list[str]) -> Head:
        self._head = None
        return check_head(line, self._given(cells), CSV_RULES)

    def _check_step(self, line: int, cells: list[str]) -> Row:
        assert self._head  # noqa: S101 - check() has just made it
        return check_step(line, self._head, self._given(cells), CSV_RULES)

    def _given(self, cells: list[str]) -> dict[str, object]:
        return {column: cell for column, cell in zip(self._columns, cells, strict=False) if cell}


# --- JSON Lines ------------------------------------------------------------------------------------------------------


def read_json_lines(stream: io.BufferedReader, refuse: Refuse) -> Iterator[Row]:
    """One JSON object per line; blank lines don't count."""
    checker = JsonChecker()
    check = checker.check
    for line, text in enumerate(_lines(stream), 1):
        try:
            if text:
                yield check(line, text)
        except RowRefused as row:
            refuse(row)


def _lines(stream: io.BufferedReader) -> Iterator[bytes]:
    for text in iter(partial(stream.readline, MAX_LINE_LENGTH), b""):
        if len(text) == MAX_LINE_LENGTH and not text.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_LENGTH)) and not rest.endswith(b"\n"):
                pass
        yield text.strip()


class JsonChecker:
    """Turns lines into rows, the common ones the short way."""

    def __init__(self) -> None:
        self._ids = Remembered(JSON_RULES["template_id"])
        self._head: Head | None = None
        self._head_values: tuple[object, ...] | None = None

    def check(self, line: int, text: bytes) -> Row:
        """Raises RowRefused."""
        plain = plain_json.plain_record(text)
        record = _record(line, text) if plain is None else plain
        if not COLUMNS_SET.issuperset(record):
            unknown = ", ".join(ascii(name[:64]) for name in record if name not in COLUMNS_SET)
            refuse_line(line, "unknown", f"It has unknown keys {unknown}; known are {', '.join(COLUMNS)}.")
        head_values = tuple(map(record.get, CAMPAIGN_COLUMNS, ABSENT))
        if head_values != self._head_values or self._head is None:
            self._head = None
            self._head = check_head(line, record, JSON_RULES)
            self._head_values = head_values
        short = plain and self._short(line, self._head, plain)
        return short or check_step(line, self._head, record, JSON_RULES)

    def _short(self, line: int, head: Head, record: dict[str, Any]) -> Row | None:
        variables = record.get("variables", {})
        if type(variables) is not dict:
            return None
        try:
            return (
                line,
                head,
                _integer(record["position"]),
                self._ids[record["template_id"]],
                self._ids[record["template_version_id"]],
                _integer(record.get("delay_minutes", 0)),
                plain_json.spell_plain(variables),
            )
        except (KeyError, TypeError, ValueError):  # TypeError: an object as an id, which no dict can look up
            return None


COLUMNS_SET = frozenset(COLUMNS)
ABSENT = (object(),) * len(CAMPAIGN_COLUMNS)


def _integer(value: object) -> int:
    return value if type(value) is int and 0 <= value <= rules.MAX_INTEGER else rules.integer(value)


def _record(line: int, text: bytes) -> dict[str, Any]:
    if len(text) >= MAX_LINE_LENGTH:
        refuse_line(line, "too_large", f"It is longer than {MAX_LINE_LENGTH:,} bytes.")
    try:
        record = loads(text.decode())
    except UnicodeDecodeError:
        refuse_line(line, "not_utf8", "Must be UTF-8.")
    except JSONError as error:
        refuse_line(line, "parse_error", str(error))
    if not isinstance(record, dict):
        refuse_line(line, "invalid_type", f"Must be an object, not {rules.kind(record)}.")
    return record
