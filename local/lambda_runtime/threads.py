"""Threads for handlers: one for each piece of work at hand, up to a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Pool(Protocol):
    """What runs handlers; work takes care of its own failures."""

    def submit(self, work: Callable[[], None], *, later: bool = False) -> None:
        """Queues work; ``later`` is for work without a waiting caller."""

    def close(self) -> None:
        """No further work; threads end with what they are doing and are not waited for."""


class Threads:
    """First come, first served: ``later`` makes no difference."""

    def __init__(self, name: str, most: int = 64) -> None:
        self._name = name
        self._most = most
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()  # None ends a thread
        self._lock = threading.Lock()
        self._threads = 0
        self._pending = 0
        self._closed = False

    def submit(self, work: Callable[[], None], *, later: bool = False) -> None:  # noqa: ARG002
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the pool {self._name} is closed")
            self._pending += 1
            starts = self._threads < min(self._pending, self._most)
            self._threads += starts
            name = f"{self._name}-{self._threads}"
        self._work.put(work)
        if starts:
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            threads = self._threads
        for _ in range(threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            finally:
                with self._lock:
                    self._pending -= 1


def call(pool: Pool, function: Callable[[], Result]) -> Future[Result]:
    """A future of what the function returns or raises."""
    future: Future[Result] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as failure:  # noqa: BLE001 - handed to the waiting caller
            future.set_exception(failure)

    pool.submit(work)
    return future
