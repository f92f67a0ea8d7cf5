"""What a load tells besides its progress: the preview of a dry run, and the report."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from campaigns.management.files import OutputFile, UnusableOutput
from campaigns.management.progress import printable
from campaigns.seeding.loading import Load, Outcome
from campaigns.seeding.merging import Merge
from campaigns.seeding.rows import RowRefused
from messaging_project.commands import UNUSABLE

SHOWN_CAMPAIGNS = 100
OUTCOMES = {1: "refused", 130: "interrupted"}


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


class Report:
    """Tells scripts the outcome of a start, however it ends. Until then its file is empty: no earlier one is read."""

    def __init__(self, *, dry_run: bool) -> None:
        self.file: OutputFile | None = None
        self.load: Load | None = None  # it may not come to one
        self._dry_run = dry_run

    @contextmanager
    def written(self) -> Iterator[None]:
        """One that can't be written hides no ending."""
        outcome, code, message = "failed", 1, ""
        try:
            yield
            outcome, code = "done", 0
        except CommandError as error:
            code, message = error.returncode, str(error)
            outcome = OUTCOMES.get(code, outcome)
            raise
        except Exception as error:
            message = repr(error)
            raise
        finally:
            try:
                if self.file:
                    told = self._content(outcome, code, message)
                    self.file.write(json.dumps(told, indent=2, cls=DjangoJSONEncoder) + "\n")
            except UnusableOutput as error:
                raise CommandError(f"{error} {message or self.ending()}", returncode=code or UNUSABLE) from error

    def ending(self) -> str:
        """What became of the database when the load was done."""
        return "The load is committed." if self._has_written() else "Nothing was written."

    def _has_written(self) -> bool:
        return self.load is not None and self.load.outcome.has_changes and not self._dry_run

    def _content(self, outcome: str, code: int, message: str) -> dict[str, Any]:
        done = self.load.outcome if self.load else Outcome()
        told = asdict(done)
        del told["started"]
        return {
            "outcome": outcome,
            "exit_code": code,
            "message": message,
            "dry_run": self._dry_run,
            "written": None if self.load and self.load.committing else self._has_written(),
            **told.pop("counts"),
            **told,
            "seconds": round(done.seconds, 3),
        }
