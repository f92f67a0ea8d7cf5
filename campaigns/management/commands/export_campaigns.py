import sys
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.exceptions import NotFound
from campaigns.management.files import UnusableOutput, require_distinct
from campaigns.models import Campaign
from campaigns.revisions import NUMBER
from campaigns.seeding.exporting import export, find_campaigns
from campaigns.seeding.sources import FORMATS, format_of
from campaigns.seeding.writers import output
from messaging_project import commands
from messaging_project.commands import UNUSABLE

STDOUT = "-"


class Command(commands.Command):
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
        frozen = "the steps of the revision N of those campaigns that have it; latest: of the last one that each has"
        add("--revision", type=_number, metavar="N", help=frozen)
        add("--format", choices=FORMATS, help="default: what the name of FILE says, else csv")
        add("-o", "--output", metavar="FILE", help="default, and -: standard output; .gz compresses")

    def handle(self, *_: Any, **options: Any) -> None:
        path = None if options["output"] == STDOUT else options["output"]
        chosen = options["format"] or format_of(path or "") or "csv"
        try:
            require_distinct({"--output": path})
            campaigns = None if options["campaign"] is None else find_campaigns(_several(options["campaign"]))
        except UnusableOutput as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        except NotFound as error:
            raise CommandError(f"No campaign has the id or external id {error.id!r}.", returncode=UNUSABLE) from error
        chosen_rows = {
            "statuses": _several(options["status"]),
            "campaigns": campaigns,
            "revision": options["revision"],
        }
        try:
            if path:
                with output(path) as file:
                    export(file.write, chosen, **chosen_rows)
            else:
                export(self._write, chosen, **chosen_rows)
                self.stdout.flush()
        except BrokenPipeError:  # who reads has enough
            sys.stderr.close()
        except OSError as error:
            raise CommandError(f"{path or 'standard output'}: {error.strerror}", returncode=UNUSABLE) from error

    def _write(self, data: bytes) -> None:
        binary = getattr(self.stdout, "buffer", None)
        if binary:
            binary.write(data)
        else:
            self.stdout.write(bytes(data).decode(), ending="")


def _number(given: str) -> int | str:
    """The number of a revision, or `latest`."""
    if given == "latest" or NUMBER.fullmatch(given):
        return given if given == "latest" else int(given)
    raise ArgumentTypeError(f"{given!r} is neither a revision's number nor latest.")


def _several(value: str | list[str] | None) -> list[str]:
    """A repeatable option; a caller of call_command() may give one alone."""
    return [value] if isinstance(value, str) else list(value or ())
