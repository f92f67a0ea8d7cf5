"""The fields of campaigns and steps: two tables, and the kinds of rule that they use.

CAMPAIGN_FIELDS and STEP_FIELDS are the one place for a field's rule, limit, default and words. Models, serializers,
forms, seeding and the OpenAPI document derive from them. A rule takes a value as parsed from JSON (RFC 8259). It
returns the value, or raises RuleViolation with every fault. Nothing is coerced, clamped or trimmed. A rule's `schema`
says the same in JSON Schema, as far as JSON Schema can.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from campaigns.canonical_json import as_json, as_read, compact
from messaging_project.field_paths import MAX_LISTED_FAULTS
from messaging_project.ids import parse_uuid
from messaging_project.strict_json import excess, is_out_of_range, written_out

MAX_INTEGER = 2_147_483_647
MAX_BATCH = 1_000  # steps added by one call
MAX_SEQUENCE = 10_000  # steps replaced by one call
MAX_NUMBER_DIGITS = 4_300  # what Python converts without a quadratic cost, and so its own limit

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc
CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # the same less tab, line feed, return
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """One fault of a value. `path` leads to it from the value; () is the value itself."""

    path: Path
    code: str
    message: str


Found = tuple[Path, Path, str, str]  # a fault that isn't built: two parts of its path, code, message


class RuleViolation(ValueError):
    """A value breaks `total` rules. `faults` has the faults that are given, and the first 100 of those found."""

    def __init__(self, *faults: Fault, found: Iterable[Found] = ()) -> None:
        rest = iter(found)
        self._given, self._found = faults, list(islice(rest, MAX_LISTED_FAULTS))
        self.total = len(faults) + len(self._found) + sum(1 for _ in rest)

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        built = [Fault((*above, *below), code, message) for above, below, code, message in self._found]
        return (*self._given, *built)


class Rule(Protocol):
    """What a field's value must be."""

    def __call__(self, value: object, /) -> Any:
        """The value. Raises RuleViolation."""

    @property
    def schema(self) -> dict[str, Any]:
        """The rule as JSON Schema, for the OpenAPI document."""


def _violation(code: str, message: str) -> RuleViolation:
    return RuleViolation(Fault((), code, message))


def _refuse(found: Iterator[Found]) -> None:
    """Raises RuleViolation if anything was found."""
    if first := next(found, None):
        raise RuleViolation(found=chain([first], found))


def kind(value: object) -> str:
    """JSON's name for a value's type, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


# --- Kinds of rule ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Integer:
    """An integer from 0 to `maximum`. 3.0 is 3, as in JSON Schema (2020-12, 4.2.3); true, "3" and 2.5 are refused."""

    maximum: int

    def __call__(self, value: object, /) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise _violation("invalid_type", f"Must be an integer, not {kind(value)}.")
        # The parser turns 1e400 into infinity, which is too large, and an integer with too many digits into a Decimal.
        if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
            raise _violation("invalid_type", "Must be a whole number.")
        if value < 0:
            raise _violation("min_value", "Must be 0 or more.")
        if value > self.maximum:
            raise _violation("max_value", f"Must be at most {self.maximum}.")
        return int(value)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0, "maximum": self.maximum}


@dataclass(frozen=True)
class Text:
    """A string of at most `max_length` characters, without control characters and lone surrogates.

    Unless `may_be_blank`, it holds more than white space. With `may_have_layout`, tabs and line breaks are allowed.
    """

    max_length: int
    may_be_blank: bool = False
    may_have_layout: bool = False

    def __call__(self, value: object, /) -> str:
        if not isinstance(value, str):
            raise _violation("invalid_type", f"Must be a string, not {kind(value)}.")
        if len(value) > self.max_length:
            raise _violation("max_length", f"Must have at most {self.max_length:,} characters; it has {len(value):,}.")
        if (CONTROL_BUT_LAYOUT if self.may_have_layout else CONTROL_CHARACTER).search(value):
            raise _violation("control_character", "Must not contain control characters.")
        if LONE_SURROGATE.search(value):
            raise _violation("surrogate", "Must not contain half of a surrogate pair.")
        if not self.may_be_blank and (not value or value.isspace()):
            raise _violation("blank", "Must not be empty or only white space.")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        control = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
        if not self.may_have_layout:
            control = r"\u0000-\u001f\u007f-\u009f"
        if self.may_be_blank:
            return {"type": "string", "maxLength": self.max_length, "pattern": f"^[^{control}]*$"}
        filled = rf"^[^{control}]*[^\s{control}][^{control}]*$"
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": filled}


@dataclass(frozen=True)
class JSONObject:
    """A JSON object of at most `max_bytes` as compact UTF-8 JSON, without U+0000 and lone surrogates.

    Its numbers count as they are written out in full, since that is how they are stored and read. It is nested at most
    `max_depth` levels deep; the object itself is level 1.
    """

    max_bytes: int
    max_depth: int

    def __call__(self, value: object, /) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _violation("invalid_type", f"Must be an object, not {kind(value)}.")
        respelled: list[float] = []
        _refuse(self._faults_inside(value, respelled))
        size = len((compact(value) if respelled else as_json(value)).encode()) + sum(map(excess, respelled))
        if size > self.max_bytes:
            message = f"Must take at most {self.max_bytes:,} bytes as compact JSON, numbers written out in full;"
            raise _violation("too_large", f"{message} it takes {size:,}.")
        return as_read(value) if respelled else value

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}

    def _faults_inside(self, whole: dict[str, Any], respelled: list[float]) -> Iterator[Found]:
        """Every fault; `respelled` gets the floats that are spelled otherwise when they are read back."""
        yield from _faults_of_names((), whole)
        # A stack and not recursion: the depth is the caller's to choose. Of iterators: so is the length.
        stack: list[tuple[Path, Iterator[tuple[Any, object]]]] = [((), iter(whole.items()))]
        while stack:
            above, items = stack[-1]
            for key, value in items:
                if not isinstance(value, dict | list | tuple):
                    if isinstance(value, float) and written_out(value) != repr(value):
                        respelled.append(value)
                    if fault := _scalar_fault(value):
                        yield above, (key,), *fault
                elif len(stack) == self.max_depth:
                    yield above, (key,), "too_deep", f"Must be nested at most {self.max_depth} levels deep."
                else:
                    path = (*above, key)
                    if isinstance(value, dict):
                        yield from _faults_of_names(path, value)
                    stack.append((path, iter(value.items() if isinstance(value, dict) else enumerate(value))))
                    break
            else:
                stack.pop()


def _faults_of_names(path: Path, value: dict[Any, Any]) -> Iterator[Found]:
    for name in value:
        if not isinstance(name, str):
            yield path, (), "invalid_type", "Must have strings as names."
        elif fault := _scalar_fault(name):
            yield path, (name,), fault[0], fault[1].replace("Must not", "Its name must not")


def _scalar_fault(value: object) -> tuple[str, str] | None:
    match value:
        case None | bool():
            return None
        case str():
            if "\x00" in value:
                return "null_character", "Must not contain the character U+0000."
            if LONE_SURROGATE.search(value):
                return "surrogate", "Must not contain half of a surrogate pair."
            return None
        case int():
            too_long = value.bit_length() > 14_280 and not -(10**MAX_NUMBER_DIGITS) < value < 10**MAX_NUMBER_DIGITS
            return ("number_too_long", f"Must have at most {MAX_NUMBER_DIGITS:,} digits.") if too_long else None
        case float():
            is_held = not is_out_of_range(value)
            return None if is_held else ("out_of_range", "Must be a number that a 64-bit float can hold.")
        case Decimal():  # how the strict parser returns an integer that it doesn't convert
            return "number_too_long", f"Must have at most {MAX_NUMBER_DIGITS:,} digits."
        case _:
            return "invalid_type", "Must be a JSON value."


@dataclass(frozen=True)
class Items:
    """A JSON array of `minimum` to `maximum` items, whatever they are. `remedy`: what to do with more items."""

    maximum: int
    minimum: int = 0
    remedy: str = ""

    def __call__(self, value: object, /) -> list[Any]:
        if not isinstance(value, list):
            raise _violation("invalid_type", f"Must be an array, not {kind(value)}.")
        if len(value) < self.minimum:
            raise _violation("min_length", f"Must have at least {self.minimum} item{'s' if self.minimum > 1 else ''}.")
        if len(value) > self.maximum:
            message = f"Must have at most {self.maximum:,} items; it has {len(value):,}. {self.remedy}"
            raise _violation("max_length", message.rstrip())
        return value

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "minItems": self.minimum, "maxItems": self.maximum}


class StepId:
    """The id of a step, as the API spells it."""

    schema: dict[str, Any] = {  # noqa: RUF012 - a constant, as the other rules' property
        "type": "string",
        "description": "The existing step that is kept. A step without one is new.",
    }

    def __call__(self, value: object, /) -> UUID:
        if not isinstance(value, str):
            raise _violation("invalid_type", f"Must be a string, not {kind(value)}.")
        found = parse_uuid(value)
        if found is None:
            raise _violation("unknown", "Must be the id of a step of this campaign.")
        return found


class StepIds:
    """An array of strings, in lower case, as the API spells ids. A campaign may have any number of steps."""

    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}  # noqa: RUF012 - a constant, as above

    def __call__(self, value: object, /) -> list[str]:
        if not isinstance(value, list):
            raise _violation("invalid_type", f"Must be an array, not {kind(value)}.")
        _refuse(
            ((), (index,), "invalid_type", f"Must be a string, not {kind(item)}.")
            for index, item in enumerate(value)
            if not isinstance(item, str)
        )
        return [item.lower() for item in value]


@dataclass(frozen=True)
class OneOf:
    """One of the given words."""

    words: tuple[str, ...]
    code: str = "invalid"

    def __call__(self, value: object, /) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise _violation(self.code, f"Must be one of: {', '.join(self.words)}.")
        return value

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


def fault_count(rule: Rule, value: object) -> int:
    """How many faults the rule finds in a value."""
    try:
        rule(value)
    except RuleViolation as violation:
        return violation.total
    return 0


def repeated_positions(steps: list[Any]) -> dict[int, int]:
    """The index of each step that repeats a position, with the index of the first step that has it."""
    first: dict[Any, int] = {}
    repeated = {}
    for index, step in enumerate(steps):
        position = step.get("position") if isinstance(step, dict) else None
        if isinstance(position, int | float) and not isinstance(position, bool):
            if position in first:
                repeated[index] = first[position]
            first.setdefault(position, index)
    return repeated


# --- The fields ------------------------------------------------------------------------------------------------------

OPAQUE_ID = Text(255)  # an id from another system
NAME = Text(200)


class Required:
    """Stands for the default of a field that has none."""


@dataclass(frozen=True)
class Field:
    """A field that callers set. `default`: its value when it is left out, or what makes it. `help`: for all."""

    rule: Rule
    label: str
    help: str = ""
    default: Any = Required

    @property
    def is_required(self) -> bool:
        return self.default is Required

    @property
    def may_be_null(self) -> bool:
        return self.default is None


CAMPAIGN_FIELDS = {
    "name": Field(NAME, "name"),
    "external_id": Field(
        OPAQUE_ID, "external id", "Your own key for the campaign, if it has one in another system.", default=None
    ),
    "description": Field(Text(10_000, may_be_blank=True, may_have_layout=True), "description", default=""),
}
STEP_FIELDS = {
    "position": Field(Integer(MAX_INTEGER), "position", "Steps run in ascending position, from 0; gaps are allowed."),
    "template_id": Field(OPAQUE_ID, "template"),
    "template_version_id": Field(OPAQUE_ID, "template version"),
    "delay_minutes": Field(
        Integer(MAX_INTEGER),
        "delay",
        "Minutes after the previous step was sent; for the first step, after the recipient entered.",
        default=0,
    ),
    "variables": Field(
        JSONObject(max_bytes=64 * 1024, max_depth=20), "variables", "What the template is filled with.", default=dict
    ),
}

OPAQUE_FIELDS = frozenset(name for name, field in STEP_FIELDS.items() if isinstance(field.rule, JSONObject))


class StepFields(NamedTuple):
    """The checked values of a step's fields, in the order of STEP_FIELDS."""

    position: int
    template_id: str
    template_version_id: str
    delay_minutes: int
    variables: dict[str, Any]
