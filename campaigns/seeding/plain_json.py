"""How JSON is stored and compared, and a quick proof that most texts need no more than decoding."""

import json
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from campaigns import rules

# A flat object this long can't exceed the limit of `variables`: each character takes at most 4 bytes of UTF-8.
MAX_PLAIN_LENGTH = 16 * 1024

Integer = Annotated[int, msgspec.Meta(ge=0, le=rules.MAX_INTEGER)]
PlainObject = dict[str, str | int | bool | None]


class PlainRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A step and its campaign, as a line of JSON; its texts are yet to be checked."""

    position: Integer
    template_id: str
    template_version_id: str
    delay_minutes: Integer | UnsetType = UNSET
    variables: PlainObject | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    campaign_name: str | UnsetType = UNSET
    campaign_description: str | UnsetType = UNSET
    campaign_status: str | UnsetType = UNSET


OBJECTS = msgspec.json.Decoder(PlainObject)
RECORDS = msgspec.json.Decoder(PlainRecord)
ENCODER = msgspec.json.Encoder()


def spell(value: Any) -> str:
    """The text that Django's JSONField would store."""
    return json.dumps(value)


# "Plain" is JSON so simple that nothing in it is left to check: flat, without floats (whose spelling may mean more than
# a float can hold) and without escapes (so U+0000 and half surrogate pairs can't occur), each on one line, and of a
# safe size. Two proofs make sure that decoding all lines at once is as strict as decoding each:
# - A line that ends as an object does ends no string, which JSON lets no line break into, and so it ends an object, if
#   there are none in others; a line that begins as an object does isn't the rest of one that has objects in it. So with
#   as many objects as lines, each line is one.
# - Each member of an object takes a colon. With no more of them than the decoded objects take, no name was repeated.


def are_plain(texts: list[str]) -> bool:
    """Whether each text is a plain object of `variables`. False proves nothing."""
    lines = "\n".join(texts)
    ends = len(texts) - 1
    if "\\" in lines or "\r" in lines or lines.count("\n") != ends or max(map(len, texts)) > MAX_PLAIN_LENGTH:
        return False
    if lines.count("}\n") != ends or lines[-1:] != "}":
        return False
    try:
        values = OBJECTS.decode_lines(lines)
    except ValueError:
        return False
    colons = lines.count(":")
    return len(values) == len(texts) and (
        colons == sum(map(len, values)) or colons == ENCODER.encode_lines(values).count(b":")
    )


def plain_records(texts: list[bytes]) -> list[PlainRecord] | None:
    """The records in the lines, if all of them are plain, the objects in them too; else None."""
    lines = b"\n".join(texts)
    ends = len(texts) - 1
    if b"\\" in lines or max(map(len, texts)) > MAX_PLAIN_LENGTH:
        return None
    if lines[:1] != b"{" or lines.count(b"\n{") != ends or lines.count(b"}\n") != ends or lines[-1:] != b"}":
        return None
    try:
        records = RECORDS.decode_lines(lines)
    except ValueError:
        return None
    plain = len(records) == len(texts) and lines.count(b":") == ENCODER.encode_lines(records).count(b":")
    return records if plain else None


def spell_all(values: list[PlainObject]) -> list[str]:
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
