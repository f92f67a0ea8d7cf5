"""The log as text or as JSON: a line for each record, and one for each request without a record, which costs more.

A line of a request is written by one call, as all of JSON are, so lines of several threads and workers don't mix,
without a lock.
"""

import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import Any

import orjson

from messaging_project.api.request_id import current_request_id

STDERR = 2
FORMATTER = logging.Formatter()
# Line ends, escape sequences and the like, of ASCII and of ISO 8859 (CWE-117).
CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class TextFormatter(logging.Formatter):
    """Only an exception's traceback has lines of its own, below that of its record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return super().formatMessage(record).translate(CONTROL_CHARACTERS)


class JSONLines(logging.Handler):
    """Writes what a record says, with its exception."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = {"exception": FORMATTER.formatException(record.exc_info)} if record.exc_info else {}
            write_json(record.created, record.levelname, record.name, record.getMessage(), told)
        except Exception:
            self.handleError(record)


def write_json(created: float, level: str, logger: str, message: str, told: dict[str, Any]) -> None:
    """One line; the members of `told` stand beside the others. A line that can't be written is lost."""
    line = {
        "time": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "message": message,
        "request_id": current_request_id(),
        **told,
    }
    _write(_encoded(line))


def write_text(created: float, level: str, logger: str, message: str, told: dict[str, Any]) -> None:
    """As write_json(), in the format of TextFormatter."""
    at = f"{time.strftime(FORMATTER.default_time_format, time.localtime(created))},{int(created % 1 * 1_000):03}"
    values = " ".join([f"{name}={'-' if value is None else value}" for name, value in told.items()])
    line = f"{at} {level} {logger} [{current_request_id()}] {message} {values}"
    line = line if line.isprintable() else line.translate(CONTROL_CHARACTERS)  # most are: it takes much less time
    _write(line.encode(errors="backslashreplace") + b"\n")


def _write(rest: bytes) -> None:
    try:
        while rest:  # a signal may cut a long line short
            rest = rest[os.write(STDERR, rest) :]
    except OSError:
        return


def _encoded(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half of a surrogate pair, which only an escape can spell
        return json.dumps(line).encode() + b"\n"
