"""Where rows come from: CSV or JSON Lines, plain or gzipped, from a file or standard input, in constant memory."""

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from campaigns.seeding.csv_lines import read_csv
from campaigns.seeding.json_lines import read_json_lines
from campaigns.seeding.rows import SAVE_AS, Refuse, Row, UnusableInput

STDIN = "-"
FORMATS = ("csv", "jsonl")
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Source(Protocol):
    """Rows, once, in order. Each row that breaks a rule goes to `refuse` instead."""

    name: str
    size: int | None  # bytes to read, if known

    def rows(self, refuse: Refuse) -> Iterator[Row]: ...

    def position(self) -> int:
        """Bytes read so far."""

    def digest(self) -> str:
        """What was read, as SHA-256 in hex; known once all rows were."""


def format_of(path: str) -> str | None:
    """What the suffix says: "csv", "jsonl", or None. A trailing .gz doesn't count."""
    return SUFFIXES.get(Path(path.removesuffix(".gz")).suffix.lower())


class CountingReader(io.RawIOBase):
    """Passes bytes on; counts and digests them. It reads no further than the first end: a terminal can have several."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ended = False
        self.count = 0
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = b"" if self._ended else self._stream.read(len(buffer))
        self._ended = not chunk
        buffer[: len(chunk)] = chunk
        self.count += len(chunk)
        self.sha256.update(chunk)
        return len(chunk)

    def drain(self) -> None:
        """Read to the end: what follows the last row belongs to the digest too."""
        while self.readinto(bytearray(64 * 1024)):
            pass


class FileSource:
    """A seed file, or standard input for "-". Raises UnusableInput."""

    def __init__(self, path: str, format: str | None = None, stream: BinaryIO | None = None) -> None:
        self.name = "<stdin>" if path == STDIN else path
        chosen = format or format_of(path)
        if chosen is None:
            raise UnusableInput(f"{self.name}: choose --format csv or --format jsonl: the name doesn't tell.")
        self._read = read_csv if chosen == "csv" else read_json_lines
        self._must_be_gzip = path.endswith(".gz")
        self._stream, self.size = (stream, None) if stream else _open(path)
        self._raw = CountingReader(self._stream)

    def rows(self, refuse: Refuse) -> Iterator[Row]:
        try:
            buffered = io.BufferedReader(self._raw, 256 * 1024)
            yield from self._read(self._unzipped(buffered), refuse)
            self._raw.drain()
        except UnusableInput as error:
            raise UnusableInput(f"{self.name}:{error}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnusableInput(f"{self.name}: the gzip data is damaged or cut short: {error}.") from error
        except OSError as error:
            raise UnusableInput(f"{self.name}: {error.strerror or error}.") from error
        finally:
            self._stream.close()

    def _unzipped(self, buffered: Any) -> Any:
        if self._must_be_gzip or buffered.peek(2)[:2] == GZIP_MAGIC:
            buffered = io.BufferedReader(gzip.GzipFile(fileobj=buffered), 256 * 1024)
        if buffered.peek(3)[:3] == BYTE_ORDER_MARK:
            buffered.read(3)
        if buffered.peek(2)[:2] in UTF_16:
            raise UnusableInput(f" it is UTF-16. {SAVE_AS}")
        return buffered

    def position(self) -> int:
        return self._raw.count

    def digest(self) -> str:
        return self._raw.sha256.hexdigest()


def _open(path: str) -> tuple[BinaryIO, int | None]:
    if path == STDIN:
        if sys.stdin is None:
            raise UnusableInput("standard input is closed.")
        # Unbuffered: sys.stdin.buffer reads on after an end that comes before its block is full.
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False), None
    try:
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed when its rows have been read
    except OSError as error:
        raise UnusableInput(f"{path}: {error.strerror}.") from error
    size = Path(path).stat().st_size
    return file, size or None
