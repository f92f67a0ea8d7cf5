import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.exceptions import NotFound
from campaigns.models import Campaign
from campaigns.seeding.exporting import export, find_campaigns
from campaigns.seeding.sources import FORMATS, format_of
from campaigns.seeding.writers import output

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Write campaigns and their steps as CSV or JSON Lines, from one consistent snapshot. "
        "`seed_campaigns --restore-status` reads it back. See docs/seeding.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add, statuses = parser.add_argument, Campaign.Status.values
        add("--status", action="append", choices=statuses, help="only campaigns in this status; repeatable")
        campaign = "only the campaign with this id or external id; repeatable"
        add("--campaign", action="append", metavar="ID", help=campaign)
        add("--format", choices=FORMATS, help="default: what the name of FILE says, else csv")
        add("-o", "--output", metavar="FILE", help="default: standard output; .gz compresses")

    def handle(self, *_: Any, **options: Any) -> None:
        path = options["output"]
        chosen = options["format"] or format_of(path or "") or "csv"
        try:
            campaigns = None if options["campaign"] is None else find_campaigns(_several(options["campaign"]))
        except NotFound as error:
            raise CommandError(f"No campaign has the id or external id {error.id!r}.", returncode=UNUSABLE) from error
        statuses = _several(options["status"])
        try:
            if path:
                with output(path) as file:
                    export(file.write, chosen, statuses=statuses, campaigns=campaigns)
            else:
                export(self._write, chosen, statuses=statuses, campaigns=campaigns)
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


def _several(value: str | list[str] | None) -> list[str]:
    """A repeatable option; a caller of call_command() may give one alone."""
    return [value] if isinstance(value, str) else list(value or ())
