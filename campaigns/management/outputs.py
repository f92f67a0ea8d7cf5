"""What a load tells besides its progress: the preview of a dry run, and its report."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from campaigns.management.files import OutputFile, UnusableOutput
from campaigns.management.progress import printable
from campaigns.seeding.loading import Load
from campaigns.seeding.merging import Merge
from campaigns.seeding.rows import RowRefused
from messaging_project.commands import UNUSABLE

SHOWN_CAMPAIGNS = 100
OUTCOMES = {0: "done", 1: "refused", 130: "interrupted"}


class ShownPreview:
    """Shows what the rows of the first hundred campaigns would do, and writes each step that differs to `diff`."""

    def __init__(self, stdout: Any, diff: OutputFile | None) -> None:
        self._stdout = stdout
        self._diff = diff
        self._refused: Counter[str] = Counter()
        self._shown = 0

    def refused(self, row: RowRefused) -> None:
        self._refused[row.campaign] += 1

    def changes(self, merge: Merge) -> None:
        for name, is_stored, counts in merge.campaign_changes():
            counts["refused"] += self._refused.pop(name, 0)
            self._show(name if is_stored else f"{name} (new)", counts)
        if self._diff:
            for difference in merge.differences():
                self._diff.write(json.dumps(difference, ensure_ascii=False) + "\n")

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


@contextmanager
def reported(load: Load, report: OutputFile | None, *, dry_run: bool) -> Iterator[None]:
    """Write the outcome and the counts of the load, however it ends. A report that can't be written hides no ending."""
    code, message = 0, ""
    try:
        yield
    except CommandError as error:
        code, message = error.returncode, str(error)
        raise
    finally:
        try:
            if report:
                report.write(json.dumps(_report(load, code, message, dry_run=dry_run), indent=2) + "\n")
        except UnusableOutput as error:
            ending = message or ("Nothing was written." if dry_run else "The load is committed.")
            raise CommandError(f"{error} {ending}", returncode=code or UNUSABLE) from error


def _report(load: Load, code: int, message: str, *, dry_run: bool) -> dict[str, Any]:
    """`written` is null where the end of the commit wasn't heard of."""
    outcome = asdict(load.outcome)
    del outcome["started"]
    return {
        "outcome": OUTCOMES.get(code, "failed"),
        "exit_code": code,
        "message": message,
        "dry_run": dry_run,
        "written": None if load.committing else bool(load.outcome.committed_line) and not dry_run,
        **outcome.pop("counts"),
        **outcome,
        "run_id": str(load.outcome.run_id),
        "seconds": round(load.outcome.seconds, 3),
    }
