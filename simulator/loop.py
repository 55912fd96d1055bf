"""Virtual time: a heap of moments, and an event loop that jumps from one to the next."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, cast

START = 1_767_225_600.0
"""When each history begins, in seconds since 1970: 2026-01-01T00:00:00Z."""


class Handle:
    """Something that is to happen, unless it is cancelled."""

    __slots__ = ("arguments", "call", "cancelled")

    def __init__(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.call, self.arguments, self.cancelled = call, arguments, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """As much of an event loop as asyncio's futures and tasks need. Nothing here waits: time is set to the next moment.

    What happens at one moment happens in the order in which it was asked for.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._ready: deque[Handle] = deque()
        self._moments: list[tuple[float, int, Handle]] = []
        self._asked = 0
        self.stopped = False

    # --- what asyncio asks of a loop ---

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def create_task(self, coro: Coroutine[Any, Any, Any], **_: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=cast(asyncio.AbstractEventLoop, self))

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Handle:  # noqa: ARG002
        handle = Handle(callback, args)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Handle:  # noqa: ARG002
        return self.call_at(self.now + delay, callback, *args)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Handle:  # noqa: ARG002
        handle = Handle(callback, args)
        self._asked += 1
        heapq.heappush(self._moments, (when, self._asked, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise RuntimeError(context.get("message")) from context.get("exception")

    # --- what the simulator does with it ---

    def run(self) -> None:
        """Lets everything happen until nothing is left to happen."""
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self))
        ready, moments = self._ready, self._moments
        try:
            while not self.stopped and (ready or moments):
                while ready:
                    handle = ready.popleft()
                    if not handle.cancelled:
                        handle.call(*handle.arguments)
                if moments:
                    when, _, handle = heapq.heappop(moments)
                    if not handle.cancelled:
                        self.now = when
                        handle.call(*handle.arguments)
        finally:
            asyncio._set_running_loop(None)

    def stop(self) -> None:
        """Ends the run before anything else happens."""
        self.stopped = True

    def forget(self) -> None:
        """Drops whatever was still to happen."""
        self._ready.clear()
        self._moments.clear()
