from collections import Counter
from typing import Any

from campaigns.management import command
from campaigns.revisions import freeze_all
from campaigns.statuses import Status


class Command(command.Command):
    help = (
        "Make revision 1 of every campaign that is active, paused or completed and has none: of what a version from "
        "before revisions activated. Commits in batches, and may be repeated."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made: Counter[str] = Counter()
        for statuses in freeze_all():
            made.update(statuses)
        self.stdout.write(f"{made.total():,} revisions made")
        if paused := made[Status.PAUSED]:
            self.stdout.write(
                f"{paused:,} of them are of paused campaigns: they may hold edits that were made since those ran."
            )
