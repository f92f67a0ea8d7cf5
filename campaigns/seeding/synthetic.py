"""Made-up campaigns that look like real ones; the same for the same seed."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.canonical_json import canonical
from campaigns.rules import STEP_FIELDS
from campaigns.seeding.rows import ABSENT, STEP_COLUMNS, Refuse, Row, RowCampaign, Step, json_check

AUDIENCES = ("Trial users", "New customers", "Newsletter readers", "Members", "Shop visitors", "Returning guests")
OCCASIONS = ("onboarding", "win-back", "spring sale", "renewal", "product tour", "birthday", "abandoned cart", "survey")
TEMPLATES = ("welcome", "first-steps", "tips", "case-study", "reminder", "offer", "last-call", "feedback", "thank-you")
DELAYS = (60, 240, 1_440, 1_440, 2_880, 4_320, 10_080)
SUBJECTS = ("Good to have you", "Three things to try", "A small gift", "Still interested?", "See what is new")
GREETINGS = ("Hello", "Hi", "Good morning", "Grüezi", "Hej")
DEFAULTS = {name: json_check(name)(ABSENT) for name, field in STEP_FIELDS.items() if not field.is_required}


@dataclass
class SyntheticSource:
    """`campaigns` campaigns with `steps` steps each. Its lines count the rows from 1."""

    campaigns: int
    steps: int
    seed: int = 0
    name: str = "<synthetic>"
    size: int | None = None

    def rows(self, refuse: Refuse) -> Iterator[Row]:
        line = 1
        for number in range(1, self.campaigns + 1):
            # One generator per campaign: more campaigns don't change the ones before them.
            rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - not for cryptography
            campaign = self._campaign(rng, number)
            if not self.steps:
                yield line, campaign, None
            for position in range(self.steps):
                yield line + position, campaign, _step(rng, position)
            line += self.steps or 1

    def _campaign(self, rng: random.Random, number: int) -> RowCampaign:
        audience, occasion = rng.choice(AUDIENCES), rng.choice(OCCASIONS)
        return RowCampaign(
            campaign_id=None,
            external_id=f"synthetic-{self.seed}-{number:07d}",
            name=f"{audience}: {occasion} {number}",
            description=f"Made-up data: {occasion} for {audience.lower()}.",
            status=None,
        )

    def position(self) -> int:
        return 0

    def digest(self) -> str:
        return hashlib.sha256(f"{self.campaigns} {self.steps} {self.seed}".encode()).hexdigest()


def _step(rng: random.Random, position: int) -> Step:
    template = rng.choice(TEMPLATES)
    variables = {
        "greeting": rng.choice(GREETINGS),
        "subject": rng.choice(SUBJECTS),
        "discount_percent": rng.randrange(0, 45, 5),
        "show_banner": rng.random() < 0.5,
    }
    step = {
        **DEFAULTS,
        "position": position,
        "template_id": f"tpl-{template}",
        "template_version_id": f"tpl-{template}-v{rng.randint(1, 12)}",
        "delay_minutes": rng.choice(DELAYS) if position else 0,
        "variables": canonical(variables),
    }
    return tuple(step[column] for column in STEP_COLUMNS)
