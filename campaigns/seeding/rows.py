"""What a row of a seed file may hold, and its check by the rules."""

import json
import re
from collections.abc import Callable
from operator import call
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from campaigns import rules
from campaigns.rules import CAMPAIGN_FIELDS, STEP_FIELDS, Fault, RuleViolation
from campaigns.statuses import Status
from messaging_project.field_paths import place
from messaging_project.ids import parse_uuid
from messaging_project.strict_json import JSONError, loads, loads_finite

# Variables of 64 KiB stay below this, however they are spelled. It bounds the memory that one row can take.
MAX_CELL_LENGTH = 1024 * 1024
MAX_LINE_LENGTH = 2 * MAX_CELL_LENGTH
SAVE_AS = "Save it as CSV UTF-8 with commas between the cells."
WHOLE_ROW = "row"  # where a fault is of no single column

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
UNDECODED = re.compile(r"[\udc80-\udcff]")  # how Python's "surrogateescape" hands on bytes that aren't UTF-8
REFUSED_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class UnusableInput(Exception):
    """The input can't be read on, or its header makes no sense: no row of it is to be trusted."""


class RowFault(NamedTuple):
    """One thing that is wrong with the row that starts at `line`; `field` is a path such as `variables.name`."""

    line: int
    field: str
    code: str
    message: str


class RowRefused(Exception):
    """A row that breaks rules; `faults` has them all. `campaign` is what it calls its campaign, if it says it."""

    def __init__(self, line: int, faults: list[tuple[str, Fault]], campaign: object = None) -> None:
        super().__init__(f"line {line}")
        self.campaign = str(campaign or "")
        self.faults = [RowFault(line, place(field, fault.path), fault.code, fault.message) for field, fault in faults]


def refused(line: int, code: str, message: str) -> RowRefused:
    """A row that is wrong as a whole."""
    return RowRefused(line, [(WHOLE_ROW, Fault((), code, message))])


class RowCampaign(NamedTuple):
    """What a row says of its campaign; None where it says nothing. At least one of the two ids is there."""

    campaign_id: UUID | None
    external_id: str | None
    name: str | None
    description: str | None
    status: str | None


# Line, campaign, step. A step has its values in the order of STEP_FIELDS, JSON as text; a row that only names a
# campaign has None. A plain tuple: one is made per row of the file.
Step = tuple[Any, ...]
Row = tuple[int, RowCampaign, Step | None]
Refuse = Callable[[RowRefused], None]
Check = Callable[[Any], Any]  # the value, or RuleViolation


# --- Columns ---------------------------------------------------------------------------------------------------------


def _campaign_id(value: object) -> UUID:
    found = parse_uuid(value) if isinstance(value, str) else None
    if found is None:
        raise _violation("invalid", "Must be a UUID such as 0190f3c2-7d6e-7a60-8f3e-2f5b8a1c9d04.")
    return found


CAMPAIGN_RULES: dict[str, Check] = {
    "campaign_id": _campaign_id,
    "external_id": CAMPAIGN_FIELDS["external_id"].rule,
    "campaign_name": CAMPAIGN_FIELDS["name"].rule,
    "campaign_description": CAMPAIGN_FIELDS["description"].rule,
    "campaign_status": rules.OneOf(tuple(Status.values)),
}
CAMPAIGN_COLUMNS = tuple(CAMPAIGN_RULES)
IDS = CAMPAIGN_COLUMNS[:2]  # a row has one of these at least
STEP_COLUMNS = tuple(STEP_FIELDS)
NO_STEP = (None,) * len(STEP_COLUMNS)
RULES: dict[str, Check] = CAMPAIGN_RULES | {name: field.rule for name, field in STEP_FIELDS.items()}
COLUMNS = CAMPAIGN_COLUMNS + STEP_COLUMNS
REQUIRED_STEP_COLUMNS = tuple(name for name, field in STEP_FIELDS.items() if field.is_required)
JSON_COLUMNS = tuple(name for name, field in STEP_FIELDS.items() if isinstance(field.rule, rules.JSONObject))


def is_harmless(text: str, rule: rules.JSONObject) -> bool:
    """Whether no finite JSON in the text can break the rule, except by not being an object.

    It is too short to be too large: written out in full, a number takes at most 63 times its length (5e-324), and a
    character 4 bytes. It has too few brackets to be too deep, and neither spells U+0000 nor half of a surrogate pair.
    """
    return (
        len(text) * 64 <= rule.max_bytes
        and text.count("{") + text.count("[") <= rule.max_depth
        and not ("\\u" in text and REFUSED_ESCAPE.search(text))
        and (text.isascii() or not UNDECODED.search(text))
    )


def json_text(value: object) -> str:
    """A JSON value as compact text. Each database spells it anew: see canonical_json."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False)


class Remembered(dict[Any, Any]):
    """Short texts and integers that passed a check before: files repeat them. Forgets all when it grows large."""

    LIMIT = 20_000
    MAX_LENGTH = 256

    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, key: Any) -> Any:
        value = self._check(key)
        if len(self) >= self.LIMIT:
            self.clear()
        if type(key) is int or len(key) <= self.MAX_LENGTH:
            self[key] = value
        return value


# --- The check of each column ----------------------------------------------------------------------------------------

ABSENT: Any = object()  # what a row leaves out


def json_check(column: str, *, harmless: bool = False) -> Check:
    """What turns a JSON value, or ABSENT, into the column's value. `harmless`: the text that it comes from is."""
    check = _check(column)
    known = Remembered(check)

    def value_check(value: Any) -> Any:
        kind = type(value)  # exactly: True and 1.0 are equal to 1
        if kind is int or kind is str:
            return known[value]
        return json_text(value) if harmless and kind is dict and column in JSON_COLUMNS else check(value)

    return value_check


def csv_check(column: str) -> Check:
    """What turns a cell, empty if the row leaves the column out, into the column's value."""
    check, rule = _check(column), RULES[column]
    read = _number if isinstance(rule, rules.Integer) else _json if column in JSON_COLUMNS else _decoded

    def cell_check(cell: str) -> Any:
        if isinstance(rule, rules.JSONObject) and is_harmless(cell, rule) and (value := _object(cell)) is not None:
            return json_text(value)
        return check(read(cell) if cell else ABSENT)

    return Remembered(cell_check).__getitem__


def _check(column: str) -> Check:
    rule, field = RULES[column], STEP_FIELDS.get(column)

    def check(value: Any) -> Any:
        if value is ABSENT:
            if field is None:
                return None
            if field.is_required:
                raise _violation("required", "This field is required.")
            value = field.default() if callable(field.default) else field.default
        elif value is None:
            raise _null(rule)
        else:
            value = rule(value)
        return json_text(value) if column in JSON_COLUMNS else value

    return check


def _violation(code: str, message: str) -> RuleViolation:
    return RuleViolation(Fault((), code, message))


def _null(rule: Check) -> RuleViolation:
    """The rule's own words for null, under the code that the API has for it."""
    try:
        rule(None)
    except RuleViolation as violation:
        return _violation("null", violation.faults[0].message)
    raise AssertionError(rule)


def _decoded(cell: str) -> str:
    if UNDECODED.search(cell):
        raise _violation("not_utf8", "Must be UTF-8.")
    return cell


def _number(cell: str) -> object:
    if not JSON_NUMBER.fullmatch(cell):
        raise _violation("invalid_type", "Must be an integer, such as 0 or 1440.")
    return loads(cell)


def _json(cell: str) -> object:
    try:
        return loads(_decoded(cell))
    except JSONError as error:
        raise _violation("parse_error", str(error)) from error


def _object(text: str) -> dict[str, Any] | None:
    """The object in a text without faults."""
    try:
        value = loads_finite(text)
    except JSONError:
        return None
    return value if isinstance(value, dict) else None


# --- Whole rows ------------------------------------------------------------------------------------------------------


class RowChecker:
    """Turns cells into rows, by the check of each column. `absent` is the cell of one that a row leaves out."""

    def __init__(self, check_of: Callable[[str], Check], absent: object) -> None:
        self._checks = {column: check_of(column) for column in COLUMNS}
        self._step_checks = [self._checks[column] for column in STEP_COLUMNS]
        self._absent = absent
        self._cells: tuple[Any, ...] | None = None
        self._campaign: Any = None

    def check(self, line: int, campaign_cells: tuple[Any, ...], step_cells: tuple[Any, ...]) -> Row:
        """The cells come in the order of CAMPAIGN_COLUMNS and STEP_COLUMNS. Raises RowRefused with every fault."""
        if campaign_cells != self._cells:
            return self._check_each(line, campaign_cells, step_cells)
        try:
            step = tuple(map(call, self._step_checks, step_cells))
        except RuleViolation:
            return self._check_each(line, campaign_cells, step_cells)
        return line, self._campaign, step

    def _check_each(self, line: int, campaign_cells: tuple[Any, ...], step_cells: tuple[Any, ...]) -> Row:
        faults: list[tuple[str, Fault]] = []
        campaign = RowCampaign(*self._values(CAMPAIGN_COLUMNS, campaign_cells, faults))
        if all(cell == self._absent for cell in campaign_cells[: len(IDS)]):
            faults.append((IDS[0], Fault((), "required", "Name the campaign: give campaign_id or external_id.")))
        if not faults:
            self._cells, self._campaign = campaign_cells, campaign
        has_step = any(cell != self._absent for cell in step_cells)
        step = tuple(self._values(STEP_COLUMNS, step_cells, faults)) if has_step else None
        if faults:
            raise RowRefused(line, faults, campaign.external_id or campaign.campaign_id)
        return line, campaign, step

    def _values(self, columns: tuple[str, ...], cells: tuple[Any, ...], faults: list[tuple[str, Fault]]) -> list[Any]:
        values = []
        for column, cell in zip(columns, cells, strict=True):
            value = None
            try:
                value = self._checks[column](cell)
            except RuleViolation as violation:
                faults += [(column, fault) for fault in violation.faults]
            values.append(value)
        return values
