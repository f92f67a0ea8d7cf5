"""What a load writes besides its progress: the preview of a dry run, and files that the operator names."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError

from campaigns.management.progress import printable
from campaigns.seeding.loading import Load
from campaigns.seeding.merging import CampaignChange, Difference
from campaigns.seeding.rows import RowRefused

UNUSABLE = 2
SHOWN_CAMPAIGNS = 100
OUTCOMES = {0: "done", 1: "refused", 130: "interrupted"}


class OutputFile:
    """A text file. An error of writing it ends the command with its name: it is no fault of the input."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._explained():
            self._file: IO[str] = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def write(self, text: str) -> None:
        with self._explained():
            self._file.write(text)

    def close(self) -> None:
        with self._explained():
            self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CommandError(f"{self._path}: {error.strerror}", returncode=UNUSABLE) from error


class ShownPreview:
    """Shows what the rows of the first hundred campaigns would do, and writes each step that differs to `diff`."""

    def __init__(self, stdout: Any, diff: OutputFile | None, *, updates: bool) -> None:
        self._stdout = stdout
        self._diff = diff
        self._differing = "updated" if updates else "different"
        self._refused: Counter[str] = Counter()
        self._shown = 0

    def refused(self, row: RowRefused) -> None:
        self._refused[row.campaign] += 1

    def campaign(self, change: CampaignChange) -> None:
        counts = {
            "added": change.added,
            self._differing: change.differing,
            "unchanged": change.unchanged,
            "refused": change.refused + self._refused.pop(change.name, 0),
        }
        self._show(change.name + ("" if change.is_stored else " (new)"), counts)

    def difference(self, difference: Difference) -> None:
        if self._diff:
            self._diff.write(json.dumps(difference._asdict(), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Tell of the campaigns that no valid row is left of, and of those that weren't shown."""
        for name, count in self._refused.items():
            self._show(name or "(no campaign)", {"refused": count})
        if self._stdout and self._shown > SHOWN_CAMPAIGNS:
            self._stdout.write(f"{self._shown - SHOWN_CAMPAIGNS:,} more campaigns.")

    def _show(self, name: str, counts: dict[str, int]) -> None:
        self._shown += 1
        if self._stdout and self._shown <= SHOWN_CAMPAIGNS:
            told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "no step"
            self._stdout.write(printable(f"{name}: {told}"))


def report_of(load: Load, code: int, message: str, *, dry_run: bool) -> str:
    """The outcome and the counts of a load, as JSON. `written` is null where the end of the commit wasn't heard of."""
    outcome = asdict(load.outcome)
    counts = outcome.pop("counts")
    done = {
        "outcome": OUTCOMES.get(code, "failed"),
        "exit_code": code,
        "message": message,
        "dry_run": dry_run,
        "written": None if load.committing else bool(load.outcome.committed_line) and not dry_run,
    }
    return json.dumps({**done, **outcome, **counts, "run_id": str(load.outcome.run_id)}, indent=2) + "\n"
