"""The seed file format, written: CSV or JSON Lines, gzipped where the name ends in .gz."""

import csv
import gzip
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

from campaigns.seeding.rows import COLUMNS, JSON_COLUMNS, NO_STEP, Row

STANDARD_OUTPUT = 1

# A row of the file in the order of COLUMNS: None where it says nothing, ids and JSON as text.
Cells = tuple[Any, ...]


@contextmanager
def output(path: str) -> Iterator[IO[bytes]]:
    """A binary file that appears under its name when it is complete, and not at all if the block raises.

    What it replaces passes on its owner and its mode; a link stays. Only files are replaced: a pipe or a device, and
    what standard output is already, are written to.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_replacement(path) if _is_replaceable(path) else _written_to(path))
        if path.endswith(".gz"):
            # Without a name and a time in its header, the same data gives the same bytes.
            zipped = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
            file = cast("IO[bytes]", stack.enter_context(zipped))
        yield file


def _is_replaceable(path: str) -> bool:
    target = Path(path)
    return not target.exists() or (target.is_file() and not _is_standard_output(target))


def _is_standard_output(target: Path) -> bool:
    with suppress(OSError):  # it may be closed
        return os.path.samestat(target.stat(), os.fstat(STANDARD_OUTPUT))
    return False


def _written_to(path: str) -> IO[bytes]:
    """Opening /dev/stdout anew would empty the file that `>>` adds to."""
    if _is_standard_output(Path(path)):
        return open(STANDARD_OUTPUT, "wb", closefd=False)
    return Path(path).open("wb")


@contextmanager
def _replacement(path: str) -> Iterator[IO[bytes]]:
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        replaced = target.stat() if target.exists() else None
        mode = 0o600 if replaced else 0o666
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if replaced:
                _pass_on_rights(replaced, file.fileno())
            yield file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _pass_on_rights(replaced: os.stat_result, file: int) -> None:
    with suppress(PermissionError):  # only root may give files away
        os.fchown(file, replaced.st_uid, replaced.st_gid)
    os.fchmod(file, stat.S_IMODE(replaced.st_mode))


def write_rows(rows: Iterable[Row], path: str, format: str) -> int:
    """Write rows to a new file, and return how many. Raises OSError."""
    with output(path) as file:
        return WRITERS[format](map(_cells, rows), file.write)


def _cells(row: Row) -> Cells:
    _, campaign, step = row
    return (campaign.campaign_id and str(campaign.campaign_id), *campaign[1:], *(step or NO_STEP))


def write_csv(rows: Iterable[Cells], write: Callable[[bytes], Any]) -> int:
    writer = csv.writer(SimpleNamespace(write=lambda text: write(text.encode())), lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the count outlives the loop
        writer.writerow(row)
    return count


def write_json_lines(rows: Iterable[Cells], write: Callable[[bytes], Any]) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the count outlives the loop
        fields = [
            f'"{column}":{value if column in JSON_COLUMNS else json.dumps(value, ensure_ascii=False)}'
            for column, value in zip(COLUMNS, row, strict=True)
            if value is not None
        ]
        write(f"{{{','.join(fields)}}}\n".encode())
    return count


WRITERS = {"csv": write_csv, "jsonl": write_json_lines}
