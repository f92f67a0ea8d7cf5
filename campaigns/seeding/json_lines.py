"""Reading JSON Lines: one object per line."""

import io
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from campaigns import rules
from campaigns.rules import STEP_FIELDS
from campaigns.seeding import rows
from campaigns.seeding.rows import COLUMNS, STEP_COLUMNS, Refuse, Row, RowRefused, refused
from messaging_project.strict_json import JSONError, loads, loads_finite

NO_CELLS = dict.fromkeys(COLUMNS, rows.ABSENT)
CAMPAIGN_CELLS, STEP_CELLS = itemgetter(*rows.CAMPAIGN_COLUMNS), itemgetter(*STEP_COLUMNS)
OBJECT_RULES: list[Any] = [STEP_FIELDS[column].rule for column in rows.JSON_COLUMNS]


def read_json_lines(stream: io.BufferedReader, refuse: Refuse) -> Iterator[Row]:
    """One JSON object per line; blank lines don't count."""
    check = JsonChecker().check
    for line, text in enumerate(_lines(stream), 1):
        if text:
            try:
                yield check(line, text)
            except RowRefused as row:
                refuse(row)
                yield from row.rest


def _lines(stream: io.BufferedReader) -> Iterator[bytes]:
    while text := stream.readline(rows.MAX_LINE_LENGTH):
        if len(text) == rows.MAX_LINE_LENGTH and not text.endswith(b"\n"):
            while (rest := stream.readline(rows.MAX_LINE_LENGTH)) and not rest.endswith(b"\n"):
                pass
            yield text
        else:
            yield text.strip()


class JsonChecker:
    """Turns lines into rows."""

    def __init__(self) -> None:
        self._check = rows.RowChecker(rows.json_check, rows.ABSENT).check
        self._check_harmless = rows.RowChecker(partial(rows.json_check, harmless=True), rows.ABSENT).check

    def check(self, line: int, text: bytes) -> Row:
        """Raises RowRefused."""
        record, harmless = _record(line, text)
        cells = NO_CELLS | record
        if len(cells) > len(COLUMNS):
            unknown = ", ".join(ascii(name[:64]) for name in record if name not in NO_CELLS)
            raise refused(line, "unknown", f"It has unknown keys {unknown}; known are {', '.join(COLUMNS)}.")
        return (self._check_harmless if harmless else self._check)(line, CAMPAIGN_CELLS(cells), STEP_CELLS(cells))


def _record(line: int, text: bytes) -> tuple[dict[str, Any], bool]:
    """The object in a line, and whether its variables can't break their rule."""
    if len(text) >= rows.MAX_LINE_LENGTH:
        raise refused(line, "too_large", f"It is longer than {rows.MAX_LINE_LENGTH:,} bytes.")
    try:
        decoded = text.decode()
        record, harmless = _loaded(decoded)
    except UnicodeDecodeError:
        raise refused(line, "not_utf8", "Must be UTF-8.") from None
    except JSONError as error:
        raise refused(line, "parse_error", str(error)) from error
    if not isinstance(record, dict):
        raise refused(line, "invalid_type", f"Must be an object, not {rules.kind(record)}.")
    return record, harmless


def _loaded(text: str) -> tuple[Any, bool]:
    if all(rows.is_harmless(text, rule) for rule in OBJECT_RULES):
        try:
            return loads_finite(text), True
        except JSONError:
            pass
    return loads(text), False
