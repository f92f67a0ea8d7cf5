import getpass
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from campaigns.exceptions import Contention
from campaigns.management.progress import Display
from campaigns.seeding.loading import Busy, CheckpointMoved, Load, Options, Outcome, Refused
from campaigns.seeding.rows import UnusableInput
from campaigns.seeding.sources import FORMATS, STDIN, FileSource, Source, format_of
from campaigns.seeding.synthetic import SyntheticSource
from campaigns.seeding.writers import write_rows
from messaging_project.metrics import SEEDED

REFUSED, UNUSABLE, INTERRUPTED = 1, 2, 130


class Command(BaseCommand):
    help = (
        "Load campaigns and their steps from a CSV or JSON Lines file (gzipped too), or make synthetic ones. "
        "Each row is checked by the rules of the API; by default any fault means that nothing is written. "
        "Exit codes: 0 done, 1 rows were refused, 2 unusable arguments, input or database. See docs/seeding.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="the file to load; - is standard input")
        parser.add_argument("--format", choices=FORMATS, help="what the file holds, if its name doesn't say it")
        parser.add_argument(
            "--on-conflict",
            choices=("error", "skip", "update"),
            default="error",
            help="what to do where a position holds another step (default: error)",
        )
        parser.add_argument("--skip-invalid", action="store_true", help="load the valid rows in spite of faulty ones")
        parser.add_argument("--restore-status", action="store_true", help="give new campaigns their campaign_status")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
        parser.add_argument(
            "--commit-every",
            type=int,
            default=0,
            metavar="ROWS",
            help="commit whole campaigns after about so many rows; after a stop, the same command goes on",
        )
        parser.add_argument("--errors", metavar="FILE", help="write every fault to this file, as JSON Lines")
        parser.add_argument("--campaigns", type=int, metavar="N", help="without a file: make N campaigns")
        parser.add_argument("--steps", type=int, metavar="M", help="without a file: with M steps each")
        parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same data (default: 0)")
        parser.add_argument("--output", metavar="FILE", help="write the synthetic data there instead of loading it")

    def handle(self, *_: Any, **options: Any) -> None:
        how = _load_options(options)
        with _usable():
            source = _source(options)
        if options["output"]:
            self._write(source, options)
            return
        with ExitStack() as stack:
            errors = stack.enter_context(_created(options["errors"])) if options["errors"] else None
            display = Display(source.name, self.stderr, errors, silent=options["verbosity"] == 0)
            stack.callback(display.close)
            load = Load(source, how, display, getpass.getuser())
            with _terminable(), _explained(load):
                outcome = load.run_in_batches(lambda: _source(options)) if _in_batches(how) else load.run()
        if not how.dry_run:
            SEEDED.labels("read").inc(outcome.rows)
            SEEDED.labels("refused").inc(outcome.refused)
        if options["verbosity"]:
            self.stdout.write(summary(outcome, dry_run=how.dry_run))
        if outcome.refused:
            raise CommandError(_count(outcome.refused, "row was refused.", "rows were refused."), returncode=REFUSED)

    def _write(self, source: Source, options: dict[str, Any]) -> None:
        path = options["output"]
        chosen = options["format"] or format_of(path)
        if chosen is None:
            raise CommandError(f"{path}: choose --format csv or --format jsonl.", returncode=UNUSABLE)
        with _usable():
            count = write_rows(chain.from_iterable(source.blocks(lambda _: None)), path, chosen)
        if options["verbosity"]:
            self.stdout.write(f"{count:,} rows written to {path}.")


def _load_options(options: dict[str, Any]) -> Options:
    if options["commit_every"] < 0:
        raise CommandError("--commit-every is a number of rows, 1 or more.", returncode=UNUSABLE)
    if options["commit_every"] and options["file"] == STDIN:
        raise CommandError(
            "--commit-every reads its input twice, and standard input can be read only once: name a file.",
            returncode=UNUSABLE,
        )
    return Options(**{name: options[name] for name in Options.__dataclass_fields__})


def _in_batches(how: Options) -> bool:
    return bool(how.commit_every) and not how.dry_run


def _source(options: dict[str, Any]) -> Source:
    """Raises UnusableInput."""
    if options["file"] is not None:
        if options["campaigns"] is not None or options["steps"] is not None or options["output"]:
            raise UnusableInput(
                "--campaigns, --steps and --output make synthetic data: leave FILE out, or leave them out."
            )
        return FileSource(options["file"], options["format"])
    if options["campaigns"] is None or options["steps"] is None:
        raise UnusableInput("Name a FILE (- is standard input), or make synthetic data with --campaigns N --steps M.")
    if options["campaigns"] < 1 or options["steps"] < 0:
        raise UnusableInput("--campaigns is at least 1, and --steps at least 0.")
    return SyntheticSource(options["campaigns"], options["steps"], options["seed"])


def _created(path: str) -> Any:
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", returncode=UNUSABLE) from error


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except (UnusableInput, OSError) as error:
        raise CommandError(str(error), returncode=UNUSABLE) from error


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a load as Ctrl-C does: with a word about what was written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _explained(load: Load) -> Iterator[None]:
    """Turns what ends a load into a sentence that says what was written."""
    try:
        yield
    except UnusableInput as error:
        raise CommandError(f"{error} {_written(load)}", returncode=UNUSABLE) from error
    except Refused as error:
        refused = _count(load.outcome.refused, "row was", "rows were")
        raise CommandError(f"{refused} refused. {_written(load)}", returncode=REFUSED) from error
    except CheckpointMoved as error:
        raise CommandError(
            f"Another process is loading the same input. {_written(load)}", returncode=UNUSABLE
        ) from error
    except (Busy, Contention) as error:
        message = "Other transactions kept hold of campaigns of this input: try again later."
        raise CommandError(f"{message} {_written(load)}", returncode=UNUSABLE) from error
    except KeyboardInterrupt as error:
        raise CommandError(f"Interrupted. {_written(load)}", returncode=INTERRUPTED) from error
    except DatabaseError as error:
        raise CommandError(f"The database ended the load: {error}\n{_written(load)}", returncode=UNUSABLE) from error


def _written(load: Load) -> str:
    if load.committing:
        return "Whether the last rows were committed isn't known. Run the same command again: nothing doubles."
    if line := load.outcome.committed_line:
        return f"What was read up to line {line:,} is committed; the same command goes on from there."
    return "Nothing was written."


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def summary(outcome: Outcome, *, dry_run: bool) -> str:
    """One line: what was done, or would be."""
    counts, rows = outcome.counts, outcome.rows
    rate = rows / max(outcome.seconds, 0.001)
    return (
        f"{'Dry run, nothing written: ' if dry_run else ''}"
        f"{rows:,} rows in {outcome.seconds:.1f} s ({rate:,.0f} rows/s): "
        f"{counts.campaigns_created:,} campaigns created, {counts.campaigns_extended:,} extended; "
        f"{counts.steps_added:,} steps added, {counts.steps_updated:,} updated, {counts.steps_unchanged:,} unchanged, "
        f"{counts.steps_skipped:,} skipped; {outcome.refused:,} rows refused; "
        f"stored campaigns locked for {outcome.locked_seconds:.1f} s."
    )
