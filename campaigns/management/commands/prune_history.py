from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns import feed
from campaigns.management import command
from messaging_project.commands import WholeNumber

DAYS = WholeNumber(maximum=36_500)


class Command(command.Command):
    help = "Delete the history of changes older than so many days, in batches. The API and the admin then lack it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=DAYS, required=True, metavar="DAYS")

    def handle(self, *args: Any, older_than: int, **options: Any) -> None:
        self.stdout.write(f"{feed.prune(timezone.now() - timedelta(days=older_than)):,} history entries deleted")
