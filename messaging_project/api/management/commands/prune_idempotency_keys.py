from typing import Any

from django.core.management.base import BaseCommand

from messaging_project.api.idempotency import prune


class Command(BaseCommand):
    help = "Delete the stored answers of Idempotency-Keys that are older than 24 hours. Run it daily."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{prune()} idempotency keys deleted")
