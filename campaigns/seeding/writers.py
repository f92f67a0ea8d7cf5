"""The seed file format, written: CSV or JSON Lines, gzipped where the name ends in .gz."""

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

from campaigns.seeding.rows import COLUMNS, JSON_COLUMNS, NO_STEP, Row

# A row of the file in the order of COLUMNS: None where it says nothing, ids and JSON as text.
Cells = tuple[Any, ...]


@contextmanager
def output(path: str) -> Iterator[IO[bytes]]:
    """A binary file that appears under its name when it is complete, and not at all if the block raises."""
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with ExitStack() as stack:
            file = cast("IO[bytes]", stack.enter_context(draft.open("wb")))
            if target.suffix == ".gz":
                # Without a name and a time in its header, the same data gives the same bytes.
                zipped = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
                file = cast("IO[bytes]", stack.enter_context(zipped))
            yield file
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


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
