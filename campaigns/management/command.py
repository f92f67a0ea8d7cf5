"""What the commands of this app have in common."""

from typing import Any

from django.core.management.base import CommandError

from campaigns.exceptions import CampaignsError
from messaging_project import commands


class Command(commands.Command):
    """A command that says in one sentence, with exit code 1, what the domain refuses."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except CampaignsError as refusal:
            raise CommandError(str(refusal)) from refusal
