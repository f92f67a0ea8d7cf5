from typing import Any

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.management import command
from campaigns.management.commands.prune_history import DAYS
from campaigns.seeding import loading
from messaging_project import login_guard
from messaging_project.api import idempotency, throttles


class Command(command.Command):
    help = "Delete what is of no use any longer; the history only if asked. Run it daily."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--history-older-than", type=DAYS, metavar="DAYS", help="as prune_history --older-than")

    def handle(self, *args: Any, history_older_than: int | None, **options: Any) -> None:
        self.stdout.write(f"{idempotency.prune():,} idempotency keys deleted")
        self.stdout.write(f"{Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]:,} sessions deleted")
        self.stdout.write(f"{throttles.prune():,} counts of throttles deleted")
        self.stdout.write(f"{login_guard.prune():,} counts of failed logins deleted")
        self.stdout.write(f"{loading.prune():,} checkpoints of stopped loads deleted")
        if history_older_than:
            call_command("prune_history", older_than=history_older_than, stdout=self.stdout)
