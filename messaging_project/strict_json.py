"""JSON without ambiguity: the value of a text, or an error."""

import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from messaging_project.field_paths import echoed

INTEGER_LIMIT_HIT = "Exceeds the limit"


class JSONError(ValueError):
    """A text that isn't valid JSON (RFC 8259), or that two parsers could read differently."""


class StoredJSON:
    """A JSON text that the database gave: it goes into an answer as it is, without being parsed and written anew."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class RoundedToWhole(float):
    """The whole float nearest to a number that isn't whole, such as 1.00000000000000001 or 1e-400."""

    def is_integer(self) -> bool:
        return False


def read_float(text: str) -> float:
    """The float nearest to a number as JSON spells it. is_integer() tells of the number itself whether it is whole."""
    number = float(text)
    if not number.is_integer() or (number and len(text) <= sys.float_info.dig):  # so few digits aren't rounded
        return number
    return number if _is_whole(text, number) else RoundedToWhole(number)


def is_out_of_range(number: float) -> bool:
    """Whether read_float() found no float for a number: it is beyond the largest, or so small that 0 is the nearest."""
    return not (math.isfinite(number) and (number or number.is_integer()))


def _is_whole(text: str, number: float) -> bool:
    if not number:  # whatever the exponent is: a Decimal doesn't take all
        return not text.lower().partition("e")[0].strip("-.0")
    exact = Decimal(text)
    return exact == exact.to_integral_value()


def written_out(number: float) -> str:
    """A float in full: its shortest decimal (`repr`), without an exponent. There is no negative zero."""
    text = repr(number)
    if "e" in text:
        return format(Decimal(text), "f")
    return "0.0" if text == "-0.0" else text


def excess(number: float) -> int:
    """How many more characters a float takes written out in full than with an exponent."""
    return len(written_out(number)) - len(repr(number))


def loads(text: str, *, subject: str = "It", parse_float: Callable[[str], float] | None = None) -> Any:
    """The value of a JSON text. An integer of more than 4,300 digits comes back as a Decimal, `1e400` as infinity.

    is_out_of_range() tells infinity, and what is left of `1e-400`, from other floats. Raises JSONError for what isn't
    JSON (NaN and Infinity included), repeated names, and nesting too deep to parse; `subject` begins its message.
    `parse_float` is called in place of read_float().
    """
    return _loaded(_decoder(parse_float=parse_float) if parse_float else _DECODER, text, subject)


def loads_finite(text: str, *, subject: str = "It") -> Any:
    """As loads(), but `1e400` and `1e-400` are errors, too."""
    return _loaded(_FINITE_DECODER, text, subject)


def _loaded(decoder: json.JSONDecoder, text: str, subject: str) -> Any:
    try:
        return _decode(decoder, text)
    except RecursionError:
        raise JSONError(f"{subject} is nested too deeply.") from None
    except json.JSONDecodeError as error:
        what = "It begins with a byte order mark" if text.startswith("\ufeff") else error.msg.removesuffix(" at")
        raise JSONError(f"{subject} is not valid JSON: {what} at line {error.lineno} column {error.colno}.") from None
    except _Ambiguous as error:
        raise JSONError(f"{subject} {error}") from None


class _Ambiguous(Exception):
    """What is wrong; it completes a sentence."""


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        # Most texts end where their value does; decode() looks for blanks around it, too.
        value, end = decoder.scan_once(text, 0)  # type: ignore[attr-defined]
        return value if end == len(text) else decoder.decode(text)
    except StopIteration:
        return decoder.decode(text)
    except ValueError as error:
        if not str(error).startswith(INTEGER_LIMIT_HIT):
            raise
        return _decoder(parse_float=decoder.parse_float, parse_int=_long_integer).decode(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        name = json.dumps(echoed(twice), ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        raise _Ambiguous(f"has the name {name} twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Ambiguous(f"is not valid JSON: {name} is not a JSON number.")


def _long_integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= 4_300 else Decimal(digits)


def _finite(text: str) -> float:
    number = read_float(text)
    if is_out_of_range(number):
        raise _Ambiguous("holds a number that a 64-bit float can't hold.")
    return number


def _decoder(parse_float: Callable[[str], float] = read_float, **hooks: Any) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=parse_float, **hooks)


# Made once: json.loads() makes one for each call with hooks, which takes longer than most texts.
_DECODER = _decoder()
_FINITE_DECODER = _decoder(parse_float=_finite)
