"""Reading JSON Lines: one object per line."""

import io
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import UNSET

from campaigns import rules
from campaigns.seeding import plain_json
from campaigns.seeding.plain_json import PlainRecord
from campaigns.seeding.rows import (
    CAMPAIGN_COLUMNS,
    COLUMNS,
    JSON_RULES,
    MAX_LINE_LENGTH,
    Head,
    Refuse,
    Remembered,
    Row,
    RowRefused,
    check_head,
    check_step,
    refuse_line,
)
from messaging_project.strict_json import JSONError, loads

BLOCK_LENGTH = 16 * 1024  # bytes: small enough for the processor's cache


def read_json_lines(stream: io.BufferedReader, refuse: Refuse) -> Iterator[list[Row]]:
    """One JSON object per line; blank lines don't count."""
    checker = JsonChecker()
    first = 1
    for block in _blocks(stream):
        rows = checker.check_block(first, block)
        yield list(_one_by_one(checker, first, block, refuse)) if rows is None else rows
        first += len(block)


def _blocks(stream: io.BufferedReader) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    length = 0
    for text in iter(partial(stream.readline, MAX_LINE_LENGTH), b""):
        if len(text) == MAX_LINE_LENGTH and not text.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_LENGTH)) and not rest.endswith(b"\n"):
                pass
        block.append(text.strip())
        length += len(text)
        if length >= BLOCK_LENGTH:
            yield block
            block, length = [], 0
    if block:
        yield block


def _one_by_one(checker: "JsonChecker", first: int, block: list[bytes], refuse: Refuse) -> Iterator[Row]:
    for line, text in enumerate(block, first):
        try:
            if text:
                yield checker.check(line, text)
        except RowRefused as row:
            refuse(row)


class JsonChecker:
    """Turns lines into rows. Common rows take the short way; what it can't prove valid goes the long way."""

    def __init__(self) -> None:
        self._ids = Remembered(JSON_RULES["template_id"])
        self._head: Head | None = None
        self._head_values: tuple[object, ...] | None = None

    def check_block(self, line: int, block: list[bytes]) -> list[Row] | None:
        """The rows of lines, the first of them with the number `line`; None if that isn't for sure."""
        records = plain_json.plain_records(block)
        if records is None:
            return None
        try:
            template_ids = [self._ids[record.template_id] for record in records]
            version_ids = [self._ids[record.template_version_id] for record in records]
            heads = self._heads(line, records)
        except ValueError:
            return None
        lines = range(line, line + len(records))
        positions = [record.position for record in records]
        delays = [0 if record.delay_minutes is UNSET else record.delay_minutes for record in records]
        variables = [{} if record.variables is UNSET else record.variables for record in records]
        spelled = plain_json.spell_all(variables)
        return list(zip(lines, heads, positions, template_ids, version_ids, delays, spelled, strict=True))

    def _heads(self, line: int, records: list[PlainRecord]) -> list[Head]:
        heads: list[Head] = []
        last, last_values = self._head, self._head_values
        for values, same in groupby(records, key=CAMPAIGN_VALUES):
            if values != last_values or last is None:
                last, last_values = _check_head(line + len(heads), values), values
            heads += [last for _ in same]
        self._head, self._head_values = last, last_values
        return heads

    def check(self, line: int, text: bytes) -> Row:
        """Raises RowRefused."""
        record = _record(line, text)
        if not COLUMNS_SET.issuperset(record):
            unknown = ", ".join(ascii(name[:64]) for name in record if name not in COLUMNS_SET)
            refuse_line(line, "unknown", f"It has unknown keys {unknown}; known are {', '.join(COLUMNS)}.")
        values = tuple(record.get(column, UNSET) for column in CAMPAIGN_COLUMNS)
        if values != self._head_values or self._head is None:
            self._head = None
            self._head, self._head_values = _check_head(line, values), values
        return check_step(line, self._head, record, JSON_RULES)


COLUMNS_SET = frozenset(COLUMNS)
CAMPAIGN_VALUES = attrgetter(*CAMPAIGN_COLUMNS)


def _check_head(line: int, values: tuple[object, ...]) -> Head:
    given = {column: value for column, value in zip(CAMPAIGN_COLUMNS, values, strict=True) if value is not UNSET}
    return check_head(line, given, JSON_RULES)


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
