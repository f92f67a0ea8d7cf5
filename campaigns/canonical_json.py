"""The one spelling in which JSON values are stored and read: that of PostgreSQL's jsonb, on every database.

jsonb keeps numbers as decimals and writes them out in full (`1e300` is read as 301 digits), sorts the names of an
object by length and then by bytes, and puts a blank after `:` and `,` (PostgreSQL's manual, 8.14). What the other
databases store as text is spelled here in the same way. So a value is as large when it is read as it was counted
when it was accepted, on either database.
"""

import json
import math
from decimal import Decimal
from typing import Any


class CanonicalEncoder(json.JSONEncoder):
    """For Django's JSONField: stores the canonical spelling."""

    def encode(self, o: Any) -> str:
        return canonical(o)


def canonical(value: object) -> str:
    """A JSON value as jsonb prints it. Nested at most a few dozen levels, as the rules allow it."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            names = sorted(value, key=_name_order)
            return f"{{{', '.join(f'{canonical(name)}: {canonical(value[name])}' for name in names)}}}"
        case list() | tuple():
            return f"[{', '.join(map(canonical, value))}]"
        case float():
            return spelled(value)
        case _:
            return json.dumps(value)


def _name_order(name: str) -> tuple[int, bytes]:
    encoded = name.encode()
    return len(encoded), encoded


def spelled(number: float) -> str:
    """A float written out in full: its shortest decimal (`repr`), without an exponent. There is no negative zero."""
    text = repr(number)
    if "e" in text:
        return format(Decimal(text), "f")
    return "0.0" if text == "-0.0" else text


def excess(number: float) -> int:
    """How many more characters a float takes written out in full than with an exponent."""
    return len(spelled(number)) - len(repr(number)) if math.isfinite(number) else 0
