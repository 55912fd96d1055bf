"""The history that estimates use: read from the counters at intervals, not with every request."""

from datetime import datetime, timedelta

from orders.adapters.store import counters
from orders.domain import analytics
from orders.domain.progress import History

KEPT = timedelta(seconds=60)


class Memory:
    """One process's copy of the counters."""

    def __init__(self) -> None:
        self._read_at: datetime | None = None
        self._history: History = {}

    def history(self, now: datetime) -> History:
        """Mean and 95th percentile of each step, and of each carrier's time to deliver, at most a minute old."""
        if self._read_at is None or now - self._read_at >= KEPT:
            self._history = analytics.history(counters.totals())
            self._read_at = now
        return self._history


_memory = Memory()


def history(now: datetime) -> History:
    """The process's memory of the history."""
    return _memory.history(now)
