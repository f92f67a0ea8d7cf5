"""A clock that tests move, and the times of the key server."""

# In seconds, and written out, so that a change of the module's own shows up here.
FIVE_MINUTES, HOUR, PAUSE = 300, 3_600, 5


class Clock:
    """Stands in for the time of day that the key server goes by."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
