"""The field rules and limits of campaigns and steps, written once.

Serializers, models, forms and seeding all call these functions. Each takes a value as JSON (RFC 8259) gives it, and
returns it or raises RuleViolation with every fault in it. Nothing is coerced, clamped or trimmed.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from messaging_project.ids import parse_uuid

MAX_INTEGER = 2_147_483_647
MAX_ID_LENGTH = 255
MAX_NAME_LENGTH = 200
MAX_DESCRIPTION_LENGTH = 10_000
MAX_VARIABLES_BYTES = 64 * 1024  # as compact UTF-8 JSON
MAX_VARIABLES_DEPTH = 20  # the object itself is level 1
MAX_BATCH = 1_000  # steps added by one call
MAX_SEQUENCE = 10_000  # steps of a sequence that is replaced or reordered by one call
MAX_NUMBER_DIGITS = 4_300  # what Python converts without a quadratic cost, and so its own limit

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc
CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # the same less tab, line feed, return
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """One thing that is wrong with a value. `path` leads to it from the value: () is the value itself."""

    path: Path
    code: str
    message: str


class RuleViolation(ValueError):
    """A value breaks one or more rules; `faults` has them all."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


def _violation(code: str, message: str) -> RuleViolation:
    return RuleViolation(Fault((), code, message))


def kind(value: object) -> str:
    """What JSON calls a value's type, for messages."""
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


# --- Integers --------------------------------------------------------------------------------------------------------


def integer(value: object) -> int:
    """An integer from 0 to MAX_INTEGER. 3.0 is 3, as in JSON Schema (2020-12, 4.2.3); true, "3" and 2.5 are refused."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _violation("invalid_type", f"Must be an integer, not {kind(value)}.")
    # Infinity is what a parser makes of 1e400: a number, and too large. A Decimal is an integer of very many digits.
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        raise _violation("invalid_type", "Must be a whole number.")
    if value < 0:
        raise _violation("min_value", "Must be 0 or more.")
    if value > MAX_INTEGER:
        raise _violation("max_value", f"Must be at most {MAX_INTEGER}.")
    return int(value)


# --- Strings ---------------------------------------------------------------------------------------------------------


def _string(value: object, *, max_length: int, control: re.Pattern[str] = CONTROL_CHARACTER) -> str:
    if not isinstance(value, str):
        raise _violation("invalid_type", f"Must be a string, not {kind(value)}.")
    if len(value) > max_length:
        raise _violation("max_length", f"Must have at most {max_length:,} characters; it has {len(value):,}.")
    if control.search(value):
        raise _violation("control_character", "Must not contain control characters.")
    if LONE_SURROGATE.search(value):
        raise _violation("surrogate", "Must not contain half of a surrogate pair.")
    return value


def _filled(value: str) -> str:
    if not value or value.isspace():
        raise _violation("blank", "Must not be empty or only white space.")
    return value


def opaque_id(value: object) -> str:
    """An id that another system gave: 1-255 characters, not only white space, no control characters."""
    return _filled(_string(value, max_length=MAX_ID_LENGTH))


def name(value: object) -> str:
    """A campaign's name: 1-200 characters, not only white space, no control characters."""
    return _filled(_string(value, max_length=MAX_NAME_LENGTH))


def description(value: object) -> str:
    """A campaign's description: up to 10,000 characters; tabs and line breaks are its only control characters."""
    return _string(value, max_length=MAX_DESCRIPTION_LENGTH, control=CONTROL_BUT_LAYOUT)


# --- Variables -------------------------------------------------------------------------------------------------------


def variables(value: object) -> dict[str, Any]:
    """A JSON object of at most 64 KiB as compact UTF-8 JSON and 20 levels, without U+0000 and lone surrogates."""
    if not isinstance(value, dict):
        raise _violation("invalid_type", f"Must be an object, not {kind(value)}.")
    faults = list(_faults_inside(value))
    if not faults and (size := compact_size(value)) > MAX_VARIABLES_BYTES:
        message = f"Must take at most {MAX_VARIABLES_BYTES:,} bytes as compact JSON; it takes {size:,}."
        faults = [Fault((), "too_large", message)]
    if faults:
        raise RuleViolation(*faults)
    return value


def compact_size(value: object) -> int:
    """Bytes of `value` as compact UTF-8 JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _faults_inside(variables: dict[str, Any]) -> Iterator[Fault]:
    # A stack and not recursion: the depth is the caller's to choose.
    stack: list[tuple[Path, object, int]] = [((), variables, 1)]
    while stack:
        path, value, depth = stack.pop()
        if isinstance(value, dict | list | tuple):
            if depth > MAX_VARIABLES_DEPTH:
                yield Fault(path, "too_deep", f"Must be nested at most {MAX_VARIABLES_DEPTH} levels deep.")
                continue
            if isinstance(value, dict):
                yield from (fault for key in value for fault in _key_faults(path, key))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            stack.extend(((*path, key), item, depth + 1) for key, item in reversed(list(items)))
        elif fault := _scalar_fault(value):
            yield Fault(path, *fault)


def _key_faults(path: Path, key: object) -> Iterator[Fault]:
    if not isinstance(key, str):
        yield Fault(path, "invalid_type", "Must have strings as names.")
    elif fault := _scalar_fault(key):
        yield Fault((*path, key), fault[0], fault[1].replace("Must not", "Its name must not"))


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
            return None if math.isfinite(value) else ("out_of_range", "Must be a number that a 64-bit float can hold.")
        case Decimal():  # how the API's parser hands on an integer that it won't convert
            return "number_too_long", f"Must have at most {MAX_NUMBER_DIGITS:,} digits."
        case _:
            return "invalid_type", "Must be a JSON value."


# --- Lists and ids ---------------------------------------------------------------------------------------------------


def sized_list(value: object, *, minimum: int = 0, maximum: int) -> list[Any]:
    """A JSON array of `minimum` to `maximum` items, whatever they are."""
    if not isinstance(value, list):
        raise _violation("invalid_type", f"Must be an array, not {kind(value)}.")
    if len(value) < minimum:
        raise _violation("min_length", f"Must have at least {minimum} item{'s' if minimum > 1 else ''}.")
    if len(value) > maximum:
        raise _violation("max_length", f"Must have at most {maximum:,} items; it has {len(value):,}.")
    return value


def step_id(value: object) -> UUID:
    """The id of a step, as the API gives it out."""
    if not isinstance(value, str):
        raise _violation("invalid_type", f"Must be a string, not {kind(value)}.")
    found = parse_uuid(value)
    if found is None:
        raise _violation("unknown", "Must be the id of a step of this campaign.")
    return found


def step_ids(value: object) -> list[str]:
    """An array of strings."""
    items = sized_list(value, maximum=MAX_SEQUENCE)
    faults = [
        Fault((index,), "invalid_type", f"Must be a string, not {kind(item)}.")
        for index, item in enumerate(items)
        if not isinstance(item, str)
    ]
    if faults:
        raise RuleViolation(*faults)
    return [item.lower() for item in items]


def repeated_positions(steps: list[Any]) -> dict[int, int]:
    """The index of each step whose position an earlier one has, with the index of the first that has it."""
    first: dict[Any, int] = {}
    repeated = {}
    for index, step in enumerate(steps):
        position = step.get("position") if isinstance(step, dict) else None
        if isinstance(position, int | float) and not isinstance(position, bool):
            if position in first:
                repeated[index] = first[position]
            first.setdefault(position, index)
    return repeated


# --- A step's fields -------------------------------------------------------------------------------------------------

Rule = Callable[[object], Any]
STEP_RULES: dict[str, Rule] = {
    "position": integer,
    "template_id": opaque_id,
    "template_version_id": opaque_id,
    "delay_minutes": integer,
    "variables": variables,
}
STEP_FIELDS = tuple(STEP_RULES)


class StepFields(NamedTuple):
    """A step's five fields, checked."""

    position: int
    template_id: str
    template_version_id: str
    delay_minutes: int
    variables: dict[str, Any]
