"""How JSON is stored and compared, and a quick proof that most texts need no more than decoding."""

import json
import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from campaigns import rules

# What is no longer can't exceed the limit of `variables`: each character takes at most 4 bytes of UTF-8.
MAX_PLAIN_LENGTH = 16 * 1024

ESCAPED = re.compile(r"\\u00(?:00|3[aA])")  # U+0000 and the colon
ESCAPED_BYTES = re.compile(rb"\\u00(?:00|3[aA])")
# Written out in full, `1e308,` takes 309 bytes of its text's 6. So what is no longer can't exceed the limit by it.
MAX_UNEXPANDED_LENGTH = 1024
EXPONENT = re.compile(r"[0-9][eE]")
EXPONENT_BYTES = re.compile(rb"[0-9][eE]")

MAX_DEPTH = 20
Integer = Annotated[int, msgspec.Meta(ge=0, le=rules.MAX_INTEGER)]


class PlainRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A step and its campaign, as a line of JSON; its texts are yet to be checked."""

    position: Integer
    template_id: str
    template_version_id: str
    delay_minutes: Integer | UnsetType = UNSET
    variables: dict[str, Any] | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    campaign_name: str | UnsetType = UNSET
    campaign_description: str | UnsetType = UNSET
    campaign_status: str | UnsetType = UNSET


FLAT_OBJECTS = msgspec.json.Decoder(dict[str, str | int | bool | None])
OBJECTS = msgspec.json.Decoder(dict[str, Any])
RECORDS = msgspec.json.Decoder(PlainRecord)
ENCODER = msgspec.json.Encoder()


def spell(value: Any) -> str:
    """A text that means the value."""
    return json.dumps(value)


# "Plain" is JSON so simple that nothing in it is left to check: each on one line, of a safe depth and size, and without
# U+0000. (msgspec keeps integers exact, and refuses half surrogate pairs and numbers that a float can't hold.)
# Two proofs make sure that decoding all lines at once is as strict as decoding each:
# - Each line begins and ends as an object does. So none ends inside a string, which JSON lets no line break into, and
#   none is the rest of an object that began before. With as many objects as lines, each line is one.
# - Each member of an object takes a colon. With no more of them than the decoded objects take, no name was repeated.
#   (An escaped colon, which would not be counted, isn't plain.)


def are_plain(texts: list[str]) -> bool:
    """Whether each text is a plain object of `variables`, spelled so that it can be stored. False proves nothing."""
    lines = "\n".join(texts)
    ends = len(texts) - 1
    if "\r" in lines or lines.count("\n") != ends or max(map(len, texts)) > MAX_PLAIN_LENGTH:
        return False
    if lines[:1] != "{" or lines.count("\n{") != ends or lines.count("}\n") != ends or lines[-1:] != "}":
        return False
    if "\\" in lines and ESCAPED.search(lines):
        return False
    try:
        flat = FLAT_OBJECTS.decode_lines(lines)
    except ValueError:
        return _are_canonical(lines, texts)
    colons = lines.count(":")
    return len(flat) == len(texts) and (
        colons == sum(map(len, flat)) or colons == ENCODER.encode_lines(flat).count(b":")
    )


def _are_canonical(lines: str, texts: list[str]) -> bool:
    """Whether decoding and encoding changes nothing but spaces: no name is repeated, and floats are in short."""
    if max(text.count("{") + text.count("[") for text in texts) > MAX_DEPTH:
        return False
    if max(map(len, texts)) > MAX_UNEXPANDED_LENGTH and EXPONENT.search(lines):
        return False
    try:
        values = OBJECTS.decode_lines(lines)
    except ValueError:
        return False
    encoded = ENCODER.encode_lines(values).decode()
    return len(values) == len(texts) and encoded.replace(" ", "") == lines.replace(" ", "") + "\n"


def plain_records(texts: list[bytes]) -> list[PlainRecord] | None:
    """The records in the lines, if all of them are plain, the objects in them too; else None."""
    lines = b"\n".join(texts)
    ends = len(texts) - 1
    longest = max(map(len, texts))
    if longest > MAX_PLAIN_LENGTH or (longest > MAX_UNEXPANDED_LENGTH and EXPONENT_BYTES.search(lines)):
        return None
    if b"\\" in lines and ESCAPED_BYTES.search(lines):
        return None
    if lines[:1] != b"{" or lines.count(b"\n{") != ends or lines.count(b"}\n") != ends or lines[-1:] != b"}":
        return None
    if max(text.count(b"{") + text.count(b"[") for text in texts) > MAX_DEPTH:
        return None
    try:
        records = RECORDS.decode_lines(lines)
    except ValueError:
        return None
    plain = len(records) == len(texts) and lines.count(b":") == ENCODER.encode_lines(records).count(b":")
    return records if plain else None


def spell_all(values: list[dict[str, Any]]) -> list[str]:
    """The texts to store for the variables of plain records."""
    return ENCODER.encode_lines(values).decode().split("\n")[:-1]


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
