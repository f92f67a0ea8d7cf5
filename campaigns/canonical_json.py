"""The one spelling in which JSON values are stored and read: that of PostgreSQL's jsonb, on every database.

jsonb keeps numbers as decimals and writes them out in full: `1e300` is read as 301 digits. It sorts the names of an
object by length and then by bytes, and puts a blank after `:` and `,` (PostgreSQL's manual, 8.14). What the other
databases store as text is spelled here in the same way. So a value is as large when it is read as it was counted
when it was accepted, on either database.
"""

import json
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Any

import orjson

from messaging_project.strict_json import written_out


class CanonicalEncoder(json.JSONEncoder):
    """For Django's JSONField: stores the canonical spelling."""

    def encode(self, o: Any) -> str:
        return canonical(o)


def canonical(value: object) -> str:
    """A JSON value as jsonb prints it. Nested at most a few dozen levels, as the rules allow it."""
    match value:
        case str():
            return encode_basestring(value)
        case dict():
            members = [f"{encode_basestring(name)}: {canonical(value[name])}" for name in _in_order(value)]
            return f"{{{', '.join(members)}}}"
        case list() | tuple():
            return f"[{', '.join(map(canonical, value))}]"
        case bool():
            return "true" if value else "false"
        case int():
            return int.__repr__(value)
        case float():
            return written_out(value)
        case _:
            return json.dumps(value)  # null, or a TypeError


def _in_order(names: Iterable[str]) -> list[str]:
    """By length in UTF-8, then by bytes, which is by code points. Raises TypeError for names that aren't strings."""
    return sorted(sorted(names), key=len if "".join(names).isascii() else _bytes)


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def compact(value: object) -> str:
    """A JSON value without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_json(value: object) -> str:
    """A JSON value as some JSON text, quickly: its floats and blanks may be spelled in any way."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits
        return compact(value)


def as_read(value: Any) -> Any:
    """A JSON value as it comes back: a float that is written out as an integer is one."""
    match value:
        case dict():
            return {name: as_read(item) for name, item in value.items()}
        case list() | tuple():
            return list(map(as_read, value))
        case float():
            return json.loads(written_out(value))
        case _:
            return value
