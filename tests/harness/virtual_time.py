"""An event loop whose clock jumps to the next timer: hours of waiting pass in no time, in the right order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.elapsed = 0.0
        super().__init__()

    def time(self) -> float:
        return self.elapsed

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        live = [timer.when() for timer in timers if not timer.cancelled()]
        if not ready and live:
            self.elapsed = max(self.elapsed, min(live))
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
