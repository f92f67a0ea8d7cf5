from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns import feed
from campaigns.management.days import days
from messaging_project import commands


class Command(commands.Command):
    help = "Delete the history of changes older than so many days, in batches. The API and the admin then lack it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=days, required=True, metavar="DAYS")

    def handle(self, *args: Any, older_than: int, **options: Any) -> None:
        self.stdout.write(f"{feed.prune(timezone.now() - timedelta(days=older_than)):,} history entries deleted")
