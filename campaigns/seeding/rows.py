"""One row of a seed file, checked by the rules: what a row may hold, and every fault in it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from campaigns import rules
from campaigns.models import Campaign
from campaigns.rules import Fault, RuleViolation
from campaigns.seeding import plain_json
from messaging_project.strict_json import JSONError, loads

CAMPAIGN_COLUMNS = ("campaign_id", "external_id", "campaign_name", "campaign_description", "campaign_status")
STEP_COLUMNS = tuple(rules.STEP_FIELDS)
COLUMNS = (*CAMPAIGN_COLUMNS, *STEP_COLUMNS)
REQUIRED_STEP_COLUMNS = tuple(name for name, field in rules.STEP_FIELDS.items() if field.is_required)
# Variables of 64 KiB stay below this, however they are spelled. It bounds the memory that one row can take.
MAX_CELL_LENGTH = 1024 * 1024
MAX_LINE_LENGTH = 2 * MAX_CELL_LENGTH
MAX_ECHOED = 64  # characters of what a file says that a fault repeats
WHOLE_ROW = "row"  # where a fault is of no single column

CANONICAL_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
UNDECODED = re.compile(r"[\udc80-\udcff]")  # how Python's "surrogateescape" hands on bytes that aren't UTF-8


class UnusableInput(Exception):
    """The input can't be read on, or its header makes no sense: no row of it is to be trusted."""


class RowFault(NamedTuple):
    """One thing that is wrong with the row that starts at `line`; `field` is a path such as `variables.name`."""

    line: int
    field: str
    code: str
    message: str


class RowRefused(ValueError):
    """A row that breaks rules; `faults` has them all."""

    def __init__(self, line: int, faults: list[tuple[str, Fault]]) -> None:
        super().__init__(f"line {line}")
        self.faults = [RowFault(line, _path(field, fault.path), fault.code, fault.message) for field, fault in faults]


Check = Callable[[Any], Any]  # the value, or RuleViolation
Refuse = Callable[[RowRefused], None]


def refused(line: int, field: str, code: str, message: str) -> RowRefused:
    return RowRefused(line, [(field, Fault((), code, message))])


def _path(field: str, path: rules.Path) -> str:
    """The spelling that the API has for it: names that aren't plain words are quoted, and long ones cut."""
    for key in path:
        if isinstance(key, int):
            field += f"[{key}]"
            continue
        name = key if len(key) <= MAX_ECHOED else f"{key[:MAX_ECHOED]}…"
        if name.isidentifier():
            field += f".{name}"
        else:
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "backslashreplace").decode()
            field += f'["{quoted}"]'
    return field


class Head(NamedTuple):
    """What a row says of its campaign; None where it says nothing. At least one of the two ids is there."""

    campaign_id: UUID | None
    external_id: str | None
    name: str | None
    description: str | None
    status: str | None


# Line, campaign, position, template, version, delay, variables as JSON text. Rows of one campaign in a row share one
# Head object. A row that only names a campaign has the position None. A plain tuple: one is made per row of the file.
Row = tuple[int, Head, int | None, str, str, int, str]


def campaign_row(line: int, head: Head) -> Row:
    return (line, head, None, "", "", 0, "{}")


def _campaign_id(value: object) -> UUID:
    if not isinstance(value, str) or not CANONICAL_UUID.fullmatch(value):
        raise RuleViolation(Fault((), "invalid", "Must be a UUID such as 0190f3c2-7d6e-7a60-8f3e-2f5b8a1c9d04."))
    return UUID(value)


def _status(value: object) -> str:
    if not isinstance(value, str) or value not in Campaign.Status.values:
        raise RuleViolation(Fault((), "invalid_choice", f"Must be one of {', '.join(Campaign.Status.values)}."))
    return value


JSON_RULES: dict[str, Check] = {
    "campaign_id": _campaign_id,
    "external_id": rules.CAMPAIGN_FIELDS["external_id"].rule,
    "campaign_name": rules.CAMPAIGN_FIELDS["name"].rule,
    "campaign_description": rules.CAMPAIGN_FIELDS["description"].rule,
    "campaign_status": _status,
    **{name: field.rule for name, field in rules.STEP_FIELDS.items()},
}


def check_head(line: int, values: Mapping[str, object], column_rules: Mapping[str, Check]) -> Head:
    """The campaign part of a row; `values` has the columns that are there. Raises RowRefused with every fault."""
    checked, faults = _apply(values, CAMPAIGN_COLUMNS, column_rules)
    if "campaign_id" not in values and "external_id" not in values:
        faults.append(("campaign_id", Fault((), "required", "Name the campaign: give campaign_id or external_id.")))
    if faults:
        raise RowRefused(line, faults)
    return Head(*(checked.get(column) for column in CAMPAIGN_COLUMNS))


def check_step(line: int, head: Head, values: Mapping[str, object], column_rules: Mapping[str, Check]) -> Row:
    """A whole row; one without any step column only names its campaign. Raises RowRefused with every fault."""
    if not any(column in values for column in STEP_COLUMNS):
        return campaign_row(line, head)
    checked, faults = _apply(values, STEP_COLUMNS, column_rules, required=REQUIRED_STEP_COLUMNS)
    if faults:
        raise RowRefused(line, faults)
    variables = plain_json.spell(checked.get("variables", {}))
    return (
        line,
        head,
        checked["position"],
        checked["template_id"],
        checked["template_version_id"],
        checked.get("delay_minutes", 0),
        variables,
    )


def _apply(
    values: Mapping[str, object],
    columns: tuple[str, ...],
    column_rules: Mapping[str, Check],
    required: tuple[str, ...] = (),
) -> tuple[dict[str, Any], list[tuple[str, Fault]]]:
    checked: dict[str, Any] = {}
    faults: list[tuple[str, Fault]] = []
    for column in columns:
        if column in values:
            try:
                checked[column] = column_rules[column](_not_null(values[column]))
            except RuleViolation as violation:
                faults += [(column, fault) for fault in violation.faults]
        elif column in required:
            faults.append((column, Fault((), "required", "This field is required.")))
    return checked, faults


def _not_null(value: object) -> object:
    if value is None:
        raise RuleViolation(Fault((), "null", "Must not be null."))
    return value


# --- Cells of CSV: text, read as the JSON value that their column calls for ------------------------------------------


def _decoded(cell: str) -> str:
    if UNDECODED.search(cell):
        raise RuleViolation(Fault((), "not_utf8", "Must be UTF-8."))
    return cell


def _number(cell: str) -> object:
    if not JSON_NUMBER.fullmatch(cell):
        raise RuleViolation(Fault((), "invalid_type", "Must be an integer, such as 0 or 1440."))
    return loads(cell)


def _json(cell: str) -> object:
    try:
        return loads(_decoded(cell))
    except JSONError as error:
        raise RuleViolation(Fault((), "parse_error", str(error))) from error


def _cell_rule(read: Callable[[str], object], rule: Check) -> Check:
    return lambda cell: rule(read(cell))


CSV_RULES: dict[str, Check] = {column: _cell_rule(_decoded, rule) for column, rule in JSON_RULES.items()} | {
    "position": _cell_rule(_number, JSON_RULES["position"]),
    "delay_minutes": _cell_rule(_number, JSON_RULES["position"]),
    "variables": _cell_rule(_json, JSON_RULES["variables"]),
}


class Remembered(dict[str, Any]):
    """Values that passed a rule before: files repeat few template ids and numbers. Forgets all when it grows large."""

    LIMIT = 20_000

    def __init__(self, rule: Check, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(known or {})
        self._rule = rule

    def __missing__(self, key: str) -> Any:
        value = self._rule(key)
        if len(self) >= self.LIMIT:
            self.clear()
        self[key] = value
        return value


def refuse_line(line: int, code: str, message: str) -> NoReturn:
    raise refused(line, WHOLE_ROW, code, message)
