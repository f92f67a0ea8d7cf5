"""A lock that is given to those who wait for it in the order in which they came."""

from collections import deque
from threading import Event, Lock


class Queue:
    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Event] = deque()
        self._is_taken = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, seconds: float) -> bool:
        """Wait for one's turn, so long at most; False if it didn't come."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = Event()
            self._waiting.append(turn)
        if turn.wait(seconds):
            return True
        with self._lock:
            if turn.is_set():  # at the last moment
                return True
            self._waiting.remove(turn)
            return False

    def leave(self) -> None:
        """Give the lock to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
