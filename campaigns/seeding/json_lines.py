"""Reading JSON Lines: one object per line."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

from campaigns import rules
from campaigns.seeding import plain_json
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
