"""JSON without ambiguity: the value of a text, or an error."""

import json
from decimal import Decimal
from typing import Any, NoReturn

INTEGER_LIMIT_HIT = "Exceeds the limit"


class JSONError(ValueError):
    """A text that isn't valid JSON (RFC 8259), or that two parsers could read differently."""


def loads(text: str, *, subject: str = "It") -> Any:
    """The value of a JSON text. An integer of more than 4,300 digits comes back as a Decimal, `1e400` as infinity.

    Raises JSONError for what isn't JSON (NaN and Infinity included), repeated names, and nesting too deep to parse;
    `subject` begins its message.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise JSONError(f"{subject} is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise JSONError(
            f"{subject} is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from None
    except _Ambiguous as error:
        raise JSONError(f"{subject} {error}") from None


class _Ambiguous(Exception):
    """What is wrong; it completes a sentence."""


def _decode(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except ValueError as error:
        if not str(error).startswith(INTEGER_LIMIT_HIT):
            raise
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_long_integer)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Ambiguous(f"has the name {json.dumps(twice[:64])} twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Ambiguous(f"is not valid JSON: {name} is not a JSON number.")


def _long_integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= 4_300 else Decimal(digits)
