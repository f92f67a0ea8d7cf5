import gc
import getpass
import signal
import threading
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from textwrap import indent
from typing import Any

from django.core.management.base import CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseError

from campaigns.catalogue.checks import TAG
from campaigns.exceptions import Contention
from campaigns.management import command
from campaigns.management.files import UnusableOutput, opened, require_distinct
from campaigns.management.outputs import Report, ShownPreview
from campaigns.management.progress import Display, moment
from campaigns.rules import STEP_FIELDS
from campaigns.seeding.loading import CheckpointMoved, Load, Options, Outcome, Refused, TooManyFaults
from campaigns.seeding.rows import UnusableInput
from campaigns.seeding.sources import FORMATS, STDIN, FileSource, Source, format_of
from campaigns.seeding.synthetic import SyntheticSource
from campaigns.seeding.template_check import CheckedSource, TemplateCheck
from campaigns.seeding.writers import write_rows
from messaging_project import commands
from messaging_project.commands import UNUSABLE, WholeNumber, unusable
from messaging_project.metrics import SEEDED

REFUSED, INTERRUPTED = 1, 130
ENDING = (signal.SIGTERM, signal.SIGHUP)
MAX_FAULTS = 1_000
OUTPUTS = ("errors", "diff", "report", "output")
EXAMPLE = """
external_id,campaign_name,position,template_id,template_version_id,delay_minutes,variables
spring,Spring sale,0,tpl-welcome,tpl-welcome-v3,0,"{""subject"": ""Good to see you""}"
spring,,1,tpl-offer,tpl-offer-v1,1440,
"""
CAMPAIGN_HELP = {
    "campaign_id": "the campaign's UUID; this or external_id is required",
    "external_id": "your own key for the campaign",
    "campaign_name": "required for a new campaign, on at least one of its rows",
    "campaign_description": "",
    "campaign_status": "of a new campaign, and only with --restore-status",
}


class Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Django's order of options, and line ends as they are."""


def epilog() -> str:
    """The columns of a file, and an example."""
    step_help = {
        name: " ".join(filter(None, (field.help or field.label, "" if field.is_required else "Optional.")))
        for name, field in STEP_FIELDS.items()
    }
    columns = "".join(f"  {column:<21} {text}\n" for column, text in (CAMPAIGN_HELP | step_help).items())
    return f"columns of a file, in any order:\n{columns}\nexample:\n{indent(EXAMPLE.strip(), '  ')}"


class Command(command.Command):
    help = (
        "Load campaigns and their steps from a CSV or JSON Lines file (gzipped too), or make synthetic ones. "
        "Each row is checked by the rules of the API; by default any fault means that nothing is written. "
        "Exit codes: 0 done, 1 rows were refused, 2 unusable arguments, input or database. See docs/seeding.md."
    )
    requires_system_checks = (TAG,)  # all of them import the API, which takes longer than a small load

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=Formatter, epilog=epilog(), **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("file", nargs="?", help="the file to load; - is standard input")
        add("--format", choices=FORMATS, help="the format, if the file's name doesn't tell")
        conflict = "what to do where a position holds another step (default: error)"
        add("--on-conflict", choices=("error", "skip", "update"), default="error", help=conflict)
        add("--skip-invalid", action="store_true", help="load the valid rows and leave out the faulty ones")
        faults = f"stop after N faults, 0 for all (default: {MAX_FAULTS:,}; 0 with --skip-invalid)"
        add("--max-faults", type=WholeNumber(minimum=0), metavar="N", help=faults)
        add("--restore-status", action="store_true", help="give new campaigns their campaign_status")
        add("--allow-empty", action="store_true", help="accept an input without rows")
        templates = "refuse rows with a template version that the template catalogue hasn't got"
        add("--check-templates", action="store_true", help=templates)
        add("--dry-run", action="store_true", help="show what would change, and write nothing")
        add("--diff", metavar="FILE", help="with --dry-run: write each step that differs, before and after, to FILE")
        commit = "commit whole campaigns after about ROWS rows; after a stop, the same command continues"
        add("--commit-every", type=WholeNumber(), default=0, metavar="ROWS", help=commit)
        restart = "with --commit-every: begin at the first line, also after a stop"
        add("--restart", action="store_true", help=restart)
        add("--errors", metavar="FILE", help="write every fault to FILE, as JSON Lines")
        add("--report", metavar="FILE", help="write the outcome and the counts to FILE, as JSON")
        add("--campaigns", type=WholeNumber(), metavar="N", help="without a file: make N campaigns")
        add("--steps", type=WholeNumber(minimum=0), metavar="M", help="without a file: with M steps each")
        seed = "the same seed makes the same data (default: 0)"
        add("--seed", type=WholeNumber(minimum=0), default=0, help=seed)
        add("--output", metavar="FILE", help="write the synthetic data to FILE instead of loading it")

    def handle(self, *_: Any, **options: Any) -> None:
        report = Report(dry_run=options["dry_run"])
        with ExitStack() as files, _terminable(), report.written(), _explained(report):
            require_distinct({f"--{name}": options[name] for name in OUTPUTS}, options["file"])
            report.file = opened(files, options["report"])  # before anything else can fail: it empties an earlier one
            options["check"] = TemplateCheck() if options["check_templates"] else None
            how, source = _load_options(options), _source(options)
            if options["output"]:
                self._write(source, options)
            else:
                self._load(source, how, options, report, files)

    def _load(self, source: Source, how: Options, options: dict[str, Any], report: Report, files: ExitStack) -> None:
        errors, diff = (opened(files, options[name]) for name in ("errors", "diff"))
        silent = options["verbosity"] == 0
        display = Display(source.name, self.stderr, errors, silent=silent)
        preview = ShownPreview(None if silent else self.stdout, diff)
        load = report.load = Load(source, how, display, getpass.getuser(), preview if how.dry_run else None)
        gc.freeze()  # what is there by now needn't be looked through for each batch of rows
        files.callback(gc.unfreeze)
        with closing(display):
            in_batches = how.commit_every and not how.dry_run
            outcome = load.run_in_batches(lambda: _source(options)) if in_batches else load.run()
        preview.close()
        self._tell(outcome, report, how, silent=silent)

    def _tell(self, outcome: Outcome, report: Report, how: Options, *, silent: bool) -> None:
        if not how.dry_run:
            SEEDED.labels("read").inc(outcome.rows)
            SEEDED.labels("refused").inc(outcome.refused)
        if not silent:
            try:
                self._say(summary(outcome, how))
            except OSError as error:
                raise CommandError(f"{unusable(error)} {report.ending()}", returncode=UNUSABLE) from error
        if outcome.refused:
            were_refused = f"{counted(outcome.refused, 'row was', 'rows were')} refused."
            raise CommandError(were_refused + needs_skip_invalid(outcome, how), returncode=REFUSED)

    def _write(self, source: Source, options: dict[str, Any]) -> None:
        path = options["output"]
        chosen = options["format"] or format_of(path)
        if chosen is None:
            raise UnusableInput(f"{path}: choose --format csv or --format jsonl.")
        try:
            count = write_rows(source.rows(lambda _: None), path, chosen)
        except OSError as error:
            raise UnusableOutput(f"{path}: {error.strerror}.") from error
        if options["verbosity"]:
            self._say(f"{counted(count, 'row', 'rows')} written to {path}.")

    def _say(self, text: str) -> None:
        """Raises OSError at once, and not when the process ends."""
        self.stdout.write(text)
        self.stdout.flush()


def _load_options(options: dict[str, Any]) -> Options:
    """Raises UnusableInput."""
    if options["commit_every"] and options["file"] == STDIN:
        raise UnusableInput("--commit-every reads its input twice: name a file instead of standard input.")
    if options["diff"] and not options["dry_run"]:
        raise UnusableInput("--diff shows what would change: it needs --dry-run.")
    if options["max_faults"] is None:
        options["max_faults"] = 0 if options["skip_invalid"] else MAX_FAULTS
    return Options(**{name: options[name] for name in Options.__dataclass_fields__})


def _source(options: dict[str, Any]) -> Source:
    """Raises UnusableInput."""
    file, campaigns, steps = options["file"], options["campaigns"], options["steps"]
    if file is not None:
        if campaigns is not None or steps is not None or options["output"]:
            raise UnusableInput("--campaigns, --steps and --output make synthetic data, without a FILE.")
        read, check = FileSource(file, options["format"]), options["check"]
        return CheckedSource(read, check) if check else read
    if options["check"]:
        raise UnusableInput("--check-templates checks a FILE: no catalogue has the templates of synthetic data.")
    if campaigns is None or steps is None:
        raise UnusableInput("Name a FILE (- is standard input), or make synthetic data with --campaigns N --steps M.")
    return SyntheticSource(campaigns, steps, options["seed"])


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, and SIGHUP when a session is lost, end a load as Ctrl-C does: with a word about what was written.

    One that is ignored stays so: nohup has SIGHUP ignored.
    """
    with ExitStack() as stack:
        for number in ENDING if threading.current_thread() is threading.main_thread() else ():
            if (previous := signal.getsignal(number)) is not signal.SIG_IGN:
                stack.callback(signal.signal, number, previous)
                signal.signal(number, _interrupt)
        yield


def _interrupt(number: int, _: Any) -> None:
    """Once: kernel and shell both send SIGHUP, and the second one would keep the report from being written."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _explained(report: Report) -> Iterator[None]:
    """Turns what ends a load, or keeps it from beginning, into a sentence that says what was written."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if ending := _ending(report.load, error):
            code, cause = ending
            message = f"{cause} {_written(report.load)}" if report.load else cause
            raise CommandError(message, returncode=code) from error
        raise


def _ending(load: Load | None, error: BaseException) -> tuple[int, str] | None:
    match error:
        case UnusableInput() | UnusableOutput():
            return UNUSABLE, str(error)
        case OSError():
            return UNUSABLE, unusable(error)
        case TooManyFaults() if load:
            faults = counted(load.outcome.faults, "fault", "faults")
            return REFUSED, f"Stopped reading after {faults} (--max-faults)."
        case Refused() if load:
            return REFUSED, f"{counted(load.outcome.refused, 'row was', 'rows were')} refused."
        case CheckpointMoved():
            return UNUSABLE, "Another process is loading the same input."
        case Contention():
            return UNUSABLE, "Other transactions held campaigns of this input locked for too long: try again later."
        case KeyboardInterrupt():
            return INTERRUPTED, "Interrupted."
        case DatabaseError():
            return UNUSABLE, commands.ended_by_database("load", error)
    return None


def _written(load: Load) -> str:
    if load.committing:
        return "It isn't known whether the last rows were committed. Run the command again: nothing is loaded twice."
    if line := load.outcome.committed_line:
        return f"The rows up to line {line:,} are committed; the same command continues from there."
    return "Nothing was written."


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def needs_skip_invalid(outcome: Outcome, how: Options) -> str:
    """What a dry run says of its counts where the load itself would write nothing, and stop before a summary."""
    is_needed = outcome.refused and not how.skip_invalid
    return " Only with --skip-invalid would the other rows be loaded." if is_needed else ""


def summary(outcome: Outcome, how: Options) -> str:
    """One line: what was done, or would be. What became of the rows adds up to their number."""
    counts, rate = outcome.counts, outcome.rows / max(outcome.seconds, 0.001)
    earlier = ""
    if outcome.begun_at:
        rows = counted(outcome.earlier_rows, "row", "rows")
        earlier = f"{rows} of the load begun on {moment(outcome.begun_at)} not looked at again; "
    return (
        f"{'Dry run, nothing written: ' if how.dry_run else ''}"
        f"{counted(outcome.rows, 'row', 'rows')} in {outcome.seconds:.1f} s ({rate:,.0f} rows/s): "
        f"{counted(counts['campaigns_created'], 'campaign', 'campaigns')} created, "
        f"{counts['campaigns_extended']:,} extended; "
        f"{counted(counts['steps_added'], 'step', 'steps')} added, {counts['steps_updated']:,} updated, "
        f"{counts['steps_unchanged']:,} unchanged, {counts['steps_skipped']:,} skipped; "
        f"{counted(counts['rows_without_step'], 'row', 'rows')} without a step; "
        f"{counted(outcome.refused, 'row', 'rows')} refused; "
        f"{earlier}stored campaigns locked for {outcome.locked_seconds:.1f} s.{needs_skip_invalid(outcome, how)}"
    )
