"""Rate limits of a stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


class Throttle:
    """A bucket of `burst` requests for each route, filled again with `rate` a second; an empty one is 429."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    @classmethod
    def of(cls, stage: Mapping[str, Any] | None) -> Throttle:
        """From the deployed stage; without settings the account's own limits hold."""
        settings = (stage or {}).get("DefaultRouteSettings") or {}
        return cls(float(settings.get("ThrottlingRateLimit", 10_000)), float(settings.get("ThrottlingBurstLimit", 5_000)))

    def admits(self, key: str) -> bool:
        now = self._now()
        left, since = self._buckets.get(key, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1
