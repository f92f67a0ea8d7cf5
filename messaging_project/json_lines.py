"""The log as JSON: a line for each record, and one for each request without a record, which costs more than its line.

A line is written by one call, so lines of several threads and workers don't mix, without a lock.
"""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

import orjson

from messaging_project.api.request_id import current_request_id

STDERR = 2
FORMATTER = logging.Formatter()


class JSONLines(logging.Handler):
    """Writes what a record says, with its exception."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = {"exception": FORMATTER.formatException(record.exc_info)} if record.exc_info else {}
            write(record.created, record.levelname, record.name, record.getMessage(), told)
        except Exception:
            self.handleError(record)


def write(created: float, level: str, logger: str, message: str, told: dict[str, Any]) -> None:
    """One line; the members of `told` stand beside the others. A line that can't be written is lost."""
    line = {
        "time": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "message": message,
        "request_id": current_request_id(),
        **told,
    }
    rest = _encoded(line)
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
