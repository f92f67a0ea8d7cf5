"""How often each operation may be called: the environment's setting for it, read and refused at the start."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from messaging_project.api.token_settings import OPERATION

SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
RATE = re.compile(rf"([1-9][0-9]{{0,8}})/({'|'.join(SECONDS)})", re.ASCII)


class Rate(NamedTuple):
    calls: int
    per: str

    @property
    def seconds(self) -> int:
        return SECONDS[self.per]


def throttles(words: Iterable[str]) -> dict[str, Rate]:
    """The limit of each operation id, from words such as "addStep=50/second".

    Raises ImproperlyConfigured with the remedy.
    """
    rates: dict[str, Rate] = {}
    for word in words:
        operation, _, value = (part.strip() for part in word.partition("="))
        rate = RATE.fullmatch(value)
        if not OPERATION.fullmatch(operation) or not rate or operation in rates:
            raise ImproperlyConfigured(
                f"API_THROTTLES can't be read at {word!r}: name each operation once, as operation=50/second (or "
                "minute, hour, day), with commas between operations; * stands for all that are not named, together."
            )
        rates[operation] = Rate(int(rate[1]), rate[2])
    return rates
