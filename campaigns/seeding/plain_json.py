"""How JSON is stored and compared, and a quick proof that most texts need no more than decoding."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

# A flat object this long can't exceed the limit of `variables`: each character takes at most 4 bytes of UTF-8.
MAX_PLAIN_LENGTH = 16 * 1024

Scalar = str | int | bool | None
PLAIN_OBJECT = msgspec.json.Decoder(dict[str, Scalar])
PLAIN_RECORD = msgspec.json.Decoder(dict[str, Scalar | dict[str, Scalar]])


def spell(value: Any) -> str:
    """The text that Django's JSONField would store."""
    return json.dumps(value)


def are_plain(texts: list[str]) -> bool:
    """Whether each text is an object of `variables` so simple that nothing is left to check. False proves nothing.

    Simple is: flat, without floats (whose spelling may mean more than a float can hold) and without escapes (so
    U+0000 and half surrogate pairs can't occur), on one line, and of a safe size. Each member of an object takes a
    colon, so with as many colons as the decoded members and strings account for, no name can have been repeated.
    """
    lines = "\n".join(texts)
    ends = len(texts) - 1
    # Each text ends where an object ends, or its line break would be inside a string, which JSON has no place for.
    # So with as many objects as texts, each is one.
    if "\\" in lines or lines.count("\n") != ends or lines.count("}\n") != ends or lines[-1:] != "}":
        return False
    if "\r" in lines or max(map(len, texts)) > MAX_PLAIN_LENGTH:
        return False
    try:
        values = PLAIN_OBJECT.decode_lines(lines)
    except ValueError:
        return False
    found = lines.count(":") - sum(map(len, values))
    return len(values) == len(texts) and (found == 0 or found == sum(map(_colons, values)))


def plain_record(text: bytes) -> dict[str, Any] | None:
    """The object that `text` holds, if it and the objects in it are simple in the way of is_plain(); else None."""
    if len(text) > MAX_PLAIN_LENGTH or b"\\" in text:
        return None
    try:
        record = PLAIN_RECORD.decode(text)
    except ValueError:
        return None
    inner = [value for value in record.values() if type(value) is dict]
    members = len(record) + sum(map(len, inner))
    found = text.count(b":")
    if found != members and found != members + _colons(record) + sum(map(_colons, inner)):
        return None
    return record


def _colons(members: Mapping[str, object]) -> int:
    inside = sum(name.count(":") for name in members)
    return inside + sum(value.count(":") for value in members.values() if type(value) is str)


def spell_plain(value: dict[str, Scalar]) -> str:
    """The text to store for the variables of a plain_record()."""
    return msgspec.json.encode(value).decode()


def same_json(left: str, right: str) -> bool:
    """Whether two JSON texts mean the same, as PostgreSQL's jsonb has it: 1 is 1.0, and true is not 1."""
    return left == right or _same(json.loads(left), json.loads(right))


def _same(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right
