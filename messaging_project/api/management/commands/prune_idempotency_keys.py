from typing import Any

from messaging_project import commands
from messaging_project.api.idempotency import prune


class Command(commands.Command):
    help = "Delete the stored answers of Idempotency-Keys that are older than 24 hours. Run it daily."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{prune()} idempotency keys deleted")
