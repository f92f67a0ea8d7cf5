"""Files that the operator names for what a command writes."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from django.db import connection

from campaigns.seeding.sources import STDIN

SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


class UnusableOutput(Exception):
    """A file can't be written to. Not an OSError: those of the input are told otherwise."""


def require_distinct(outputs: Mapping[str, str | None], read: str | None = None) -> None:
    """Before any is opened: none of the files of these options is `read`, the database, or that of another option.

    Raises UnusableOutput.
    """
    kept = [(path, "the database") for path in _database_files()]
    if read is not None:
        kept.append(("/dev/stdin" if read == STDIN else read, "the file to load"))
    for option, path in outputs.items():
        if not path:
            continue
        for other, name in kept:
            if _are_same(path, other):
                raise UnusableOutput(f"{option} {path} would overwrite {name}.")
        kept.append((path, f"what {option} writes"))


def _database_files() -> list[str]:
    name = str(connection.settings_dict["NAME"])
    return [f"{name}{suffix}" for suffix in SQLITE_SUFFIXES] if connection.vendor == "sqlite" else []


def _are_same(path: str, other: str) -> bool:
    """Whether both lead to one file, or would. Devices and pipes can be written to by several."""
    try:
        found, there = Path(path).stat(), Path(other).stat()
    except OSError:
        return os.path.realpath(path) == os.path.realpath(other)
    return stat.S_ISREG(found.st_mode) and os.path.samestat(found, there)


class OutputFile:
    """A text file, written line by line, so that a full disk is noticed at once. Raises UnusableOutput."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._explained():
            self._file: IO[str] = Path(path).open("w", buffering=1, encoding="utf-8")  # noqa: SIM115 - see opened()

    def write(self, text: str) -> None:
        with self._explained():
            self._file.write(text)

    def close(self) -> None:
        with suppress(OSError):  # it was raised by write()
            self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnusableOutput(f"{self._path}: {error.strerror}.") from error


def opened(stack: ExitStack, path: str | None) -> OutputFile | None:
    """The file, until the stack is closed. Raises UnusableOutput."""
    return stack.enter_context(closing(OutputFile(path))) if path else None
