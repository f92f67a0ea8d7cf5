from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.exceptions import NotFound
from campaigns.management import command
from campaigns.management.files import UnusableOutput, require_distinct
from campaigns.models import Campaign
from campaigns.revisions import LATEST, NUMBER
from campaigns.seeding.exporting import export, find_campaigns, without_revision
from campaigns.seeding.sources import FORMATS, format_of
from campaigns.seeding.writers import output
from messaging_project import commands
from messaging_project.commands import UNUSABLE

STDOUT = "-"


class Command(command.Command):
    help = (
        "Write campaigns and their steps as CSV or JSON Lines, from one consistent snapshot. "
        "`seed_campaigns --restore-status` reads it back. See docs/seeding.md."
    )
    requires_system_checks = ()  # they import the API, which takes longer than a small export

    def add_arguments(self, parser: CommandParser) -> None:
        add, statuses = parser.add_argument, Campaign.Status.values
        add("--status", action="append", choices=statuses, help="only campaigns in this status; repeatable")
        campaign = "only the campaign with this id or external id; repeatable"
        add("--campaign", action="append", metavar="ID", help=campaign)
        frozen = (
            "the steps of the revision N, or the latest one, of the campaigns that have it; --campaign must name such"
        )
        add("--revision", type=_number, metavar="N", help=frozen)
        add("--format", choices=FORMATS, help="default: what the name of FILE says, else csv")
        add("-o", "--output", metavar="FILE", help="default, and -: standard output; .gz compresses")

    def handle(self, *_: Any, **options: Any) -> None:
        path = None if options["output"] == STDOUT else options["output"]
        chosen = options["format"] or format_of(path or "") or "csv"
        try:
            require_distinct({"--output": path})
        except UnusableOutput as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        rows, left_out = _chosen_rows(options)
        try:
            if path:
                with output(path) as file:
                    export(file.write, chosen, **rows)
            else:
                export(self._write, chosen, **rows)
                self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"{path or commands.STDOUT}: {error.strerror}.", returncode=UNUSABLE) from error
        if left_out:
            self.stderr.write(f"Campaigns left out, without {_named(options['revision'])}: {left_out:,}.")

    def _write(self, data: bytes) -> None:
        binary = getattr(self.stdout, "buffer", None)
        if binary:
            binary.write(data)
        else:
            self.stdout.write(bytes(data).decode(), ending="")


def _chosen_rows(options: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """What to export, and how many campaigns that leaves out for want of the revision. Who names one wants it."""
    try:
        names = None if options["campaign"] is None else find_campaigns(_several(options["campaign"]))
    except NotFound as error:
        raise CommandError(f"No campaign has the id or external id {error.id!r}.", returncode=UNUSABLE) from error
    chosen: dict[str, Any] = {"statuses": _several(options["status"]), "campaigns": names}
    revision, left_out = options["revision"], 0
    if revision is not None:
        lacking = without_revision(revision, **chosen)
        if names and (ids := list(lacking.order_by("id").values_list("id", flat=True))):
            told = ", ".join(repr(names[campaign_id]) for campaign_id in ids)
            raise CommandError(f"There is no {_named(revision, '')} of {told}.", returncode=UNUSABLE)
        left_out = lacking.count()
    return {**chosen, "revision": revision}, left_out


def _named(revision: int | str, article: str = "a ") -> str:
    return f"{article}revision" if revision == LATEST else f"revision {revision}"


def _number(given: str) -> int | str:
    """The number of a revision, or `latest`."""
    if given == LATEST or NUMBER.fullmatch(given):
        return given if given == LATEST else int(given)
    raise ArgumentTypeError(f"{given!r} is neither a revision's number nor {LATEST}.")


def _several(value: str | list[str] | None) -> list[str]:
    """A repeatable option; a caller of call_command() may give one alone."""
    return [value] if isinstance(value, str) else list(value or ())
