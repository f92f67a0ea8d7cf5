"""The one spelling in which JSON values are stored and read: that of PostgreSQL's jsonb, on every database.

jsonb keeps numbers as decimals and writes them out in full (`1e300` is read as 301 digits), sorts the names of an
object by length and then by bytes, and puts a blank after `:` and `,` (PostgreSQL's manual, 8.14). What the other
databases store as text is spelled here in the same way. So a value is as large when it is read as it was counted
when it was accepted, on either database.
"""

import json
from json.encoder import encode_basestring
from typing import Any

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
            names = sorted(value, key=_name_order)
            return f"{{{', '.join([f'{encode_basestring(name)}: {canonical(value[name])}' for name in names])}}}"
        case list() | tuple():
            return f"[{', '.join(map(canonical, value))}]"
        case float():
            return written_out(value)
        case _:
            return json.dumps(value)


def _name_order(name: object) -> tuple[int, bytes]:
    if not isinstance(name, str):
        raise TypeError("names must be strings")
    encoded = name.encode("utf-8", "surrogatepass")
    return len(encoded), encoded


def compact(value: object) -> str:
    """A JSON value without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
