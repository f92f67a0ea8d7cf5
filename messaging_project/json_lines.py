"""Log records as JSON, one a line."""

import json
import logging
from datetime import UTC, datetime

ENCODER = json.JSONEncoder(default=str)  # json.dumps would make one for each line


class JSONFormatter(logging.Formatter):
    """What a record says, with its exception; the members of its `told` stand beside."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return ENCODER.encode(line)
