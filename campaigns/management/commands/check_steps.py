from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from campaigns.management import command
from campaigns.models import CampaignStep, fault_text
from campaigns.rules import STEP_FIELDS, Fault, RuleViolation

PAGE = 100  # steps; their variables may be of several megabytes each


class Command(command.Command):
    help = (
        "List the stored steps with a field that breaks one of today's rules: campaign, step, field and what is wrong. "
        "Such steps stay readable, but can't be written again as they are. Exits with 1 if there are any."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        checked = broken = 0
        for step in _stored_steps():
            faults = list(_faults(step))
            for name, fault in faults:
                self.stdout.write(f"{step.campaign_id} {step.id} {name}: {fault_text(fault)}")
            checked += 1
            broken += bool(faults)
        if broken:
            raise CommandError(f"{broken:,} of {checked:,} steps break a rule.", returncode=1)
        self.stdout.write(f"All {checked:,} steps keep the rules.")


def _stored_steps() -> Iterator[CampaignStep]:
    """Page by page: a cursor of the server's would keep a copy of all of them."""
    steps = CampaignStep.objects.order_by("id")
    page = list(steps[:PAGE])
    while page:
        yield from page
        page = list(steps.filter(pk__gt=page[-1].pk)[:PAGE])


def _faults(step: CampaignStep) -> Iterator[tuple[str, Fault]]:
    for name, field in STEP_FIELDS.items():
        try:
            field.rule(getattr(step, name))
        except RuleViolation as violation:
            yield from ((name, fault) for fault in violation.faults)
