"""Instants as callers write them: the date-time of RFC 3339, of which they may leave out what goes without saying."""

import re
from datetime import UTC, datetime, tzinfo

INSTANT = "Must be a date and time, such as 2026-12-01T09:00:00+01:00 (RFC 3339), of the years 1 to 9999 in UTC."
# Python's own reader takes much more: weeks, other separators, and in newer versions 24:00.
FORM = re.compile(
    r"""
    [0-9]{4}-[0-9]{2}-[0-9]{2}
    (?:
        [T ] (?:[01][0-9]|2[0-3]) :[0-5][0-9] (?: :[0-5][0-9] (?:\.[0-9]+)? )?
        (?: Z | (?P<sign>[ +-]) (?:[01][0-9]|2[0-3]) (?: :?[0-5][0-9] )? )?
    )?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)


def parse_instant(text: str) -> datetime:
    """A date, its time (else midnight) without or with seconds, and the offset, if there is one. Raises ValueError.

    Digits beyond microseconds are dropped. A space in place of the offset's "+" is what a query string makes of it.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError(text)
    if found["sign"] == " ":
        text = f"{text[: found.start('sign')]}+{text[found.end('sign') :]}"
    return datetime.fromisoformat(text.upper())


def in_utc(instant: datetime, zone: tzinfo) -> datetime:
    """The instant in UTC. Without an offset it is in `zone`, the first if there are two. Raises ValueError."""
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
