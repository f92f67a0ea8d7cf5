"""Made-up campaigns that look like real ones; the same for the same seed."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.seeding.rows import Head, Refuse, Row, campaign_row

AUDIENCES = ("Trial users", "New customers", "Newsletter readers", "Members", "Shop visitors", "Returning guests")
OCCASIONS = ("onboarding", "win-back", "spring sale", "renewal", "product tour", "birthday", "abandoned cart", "survey")
TEMPLATES = ("welcome", "first-steps", "tips", "case-study", "reminder", "offer", "last-call", "feedback", "thank-you")
DELAYS = (60, 240, 1_440, 1_440, 2_880, 4_320, 10_080)
SUBJECTS = ("Good to have you", "Three things to try", "A small gift", "Still interested?", "See what is new")
BLOCK_ROWS = 500
GREETINGS = ("Hello", "Hi", "Good morning", "Grüezi", "Hej")


@dataclass
class SyntheticSource:
    """`campaigns` campaigns with `steps` steps each. Its lines count the rows from 1."""

    campaigns: int
    steps: int
    seed: int = 0
    name: str = "<synthetic>"
    size: int | None = None

    def blocks(self, refuse: Refuse) -> Iterator[list[Row]]:
        line = 1
        for number in range(1, self.campaigns + 1):
            # One generator per campaign: more campaigns don't change the ones before them.
            rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - not for cryptography
            head = self._head(rng, number)
            if not self.steps:
                yield [campaign_row(line, head)]
            for first in range(0, self.steps, BLOCK_ROWS):
                positions = range(first, min(first + BLOCK_ROWS, self.steps))
                yield [_step(rng, line + position, head, position) for position in positions]
            line += self.steps or 1

    def _head(self, rng: random.Random, number: int) -> Head:
        audience, occasion = rng.choice(AUDIENCES), rng.choice(OCCASIONS)
        return Head(
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


def _step(rng: random.Random, line: int, head: Head, position: int) -> Row:
    template = rng.choice(TEMPLATES)
    variables = {
        "greeting": rng.choice(GREETINGS),
        "subject": rng.choice(SUBJECTS),
        "discount_percent": rng.randrange(0, 45, 5),
        "show_banner": rng.random() < 0.5,
    }
    return (
        line,
        head,
        position,
        f"tpl-{template}",
        f"tpl-{template}-v{rng.randint(1, 12)}",
        rng.choice(DELAYS) if position else 0,
        json.dumps(variables, ensure_ascii=False),
    )
