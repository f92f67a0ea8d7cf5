"""What an operator sees while rows are loaded: a bar on a terminal, a log line every few seconds elsewhere."""

import json
import logging
import time
from datetime import datetime
from typing import Any

from tqdm import tqdm

from campaigns.seeding.rows import RowFault

logger = logging.getLogger("campaigns.seeding")

SHOWN_FAULTS = 100
LOG_EVERY_SECONDS = 5.0
BAR = "{desc}: {percentage:3.0f}%|{bar}|{postfix} [{elapsed}<{remaining}]"
BAR_OF_UNKNOWN_LENGTH = "{desc}{postfix} [{elapsed}]"


class Display:
    """Shows progress, unless `silent`, and always what isn't loaded: rows of an earlier load, and those at fault, the
    first hundred, and each one in `errors`."""

    def __init__(self, name: str, stderr: Any, errors: Any, *, silent: bool) -> None:
        self.faults = 0
        self._name = name
        self._stderr = stderr
        self._errors = errors
        self._silent = silent
        self._terminal = not silent and stderr.isatty()
        self._bar: tqdm[Any] | None = None
        self._started = self._logged = time.monotonic()

    def continuing(self, line: int, begun_at: datetime) -> None:
        self._tell(
            f"{self._name}: continues behind line {line:,}. The rows up to there were committed by the load begun on "
            f"{moment(begun_at)}, and are not looked at again; --restart begins anew."
        )

    def checking(self, rows: int, position: int, size: int | None) -> None:
        if self._terminal:
            bar = self._bar_named("Checking", size, BAR if size else BAR_OF_UNKNOWN_LENGTH)
            rate = rows / max(time.monotonic() - self._started, 0.001)
            bar.set_postfix_str(f"{rows:,} rows, {rate:,.0f} rows/s", refresh=False)
            bar.update(position - bar.n)
        elif self._log_is_due():
            share = f" ({position / size:.0%} of the input)" if size else ""
            logger.info("%s: %s rows checked%s", self._name, f"{rows:,}", share)

    def writing(self, rows: int, total: int) -> None:
        if self._terminal:
            bar = self._bar_named("Writing", total, None)
            bar.update(rows - bar.n)
        elif self._log_is_due():
            logger.info("%s: %s of %s rows written", self._name, f"{rows:,}", f"{total:,}")

    def fault(self, fault: RowFault) -> None:
        self.faults += 1
        if self._errors:
            self._errors.write(json.dumps({"file": self._name, **fault._asdict()}) + "\n")
        if self.faults <= SHOWN_FAULTS:
            self._tell(f"{self._name}:{fault.line}: {fault.field}: {fault.message}")

    def close(self) -> None:
        self._close_bar()
        if self.faults > SHOWN_FAULTS:
            self._stderr.write(f"{self._name}: {self.faults - SHOWN_FAULTS:,} more faults; --errors FILE writes all.")

    def _tell(self, text: str) -> None:
        if self._bar is not None:  # bool(bar) raises when it has neither an iterable nor a total
            self._bar.clear()
        self._stderr.write(printable(text))

    def _bar_named(self, name: str, total: int | None, bar_format: str | None) -> "tqdm[Any]":
        if self._bar is None or not self._bar.desc.startswith(name):
            self._close_bar()
            stream = getattr(self._stderr, "_out", self._stderr)  # Django's wrapper ends each write with a new line
            self._bar = tqdm(
                total=total, desc=name, bar_format=bar_format, unit=" rows", unit_scale=True, file=stream, delay=1
            )
            self._bar.delay = 0  # the first one is drawn when it is known: Ctrl-C meanwhile would leave it there
            self._bar.refresh()
        return self._bar

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _log_is_due(self) -> bool:
        if self._silent or time.monotonic() - self._logged < LOG_EVERY_SECONDS:
            return False
        self._logged = time.monotonic()
        return True


def moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d at %H:%M} UTC"


def printable(text: str) -> str:
    """`text` without what could steer a terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
