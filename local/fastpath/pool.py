"""Threads for handlers: few while they compute, more while they wait.

Handlers that compute share one interpreter lock, and each further thread only makes them trip over one another (a
tenth of an order's time with two, a fifth with 32). Handlers that wait, for a slow gateway or a lock, must not hold up
the rest. So a thread is added only while there is work, none of it gets done and the process rests, and goes again when
there is nothing to do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

STUCK_SECONDS = 0.02
IDLE_SECONDS = 2.0
ONE_IN = 8
"""Of so many pieces of work one is taken from those that can wait: consumers of queues lag behind a rush, and do not starve."""
PATIENCE = 10
"""After so many checks without a finished piece of work, threads are added even while others compute."""


class Pool:
    def __init__(self, name: str, usual: int = 1, most: int = 64, stuck: float = STUCK_SECONDS) -> None:
        self._name = name
        self._usual = usual
        self._most = most
        self._stuck = stuck
        self._work: deque[Callable[[], None]] = deque()
        self._later: deque[Callable[[], None]] = deque()
        self._taken = 0
        self._tokens: SimpleQueue[bool] = SimpleQueue()  # one for each piece of work; False ends a thread
        self._lock = threading.Lock()
        self._threads = 0
        self._finished = 0
        self._watched = False
        self._closed = False

    def submit(self, work: Callable[[], None], *, later: bool = False) -> None:
        """Queues work that handles its own failures; ``later`` is for work without a waiting caller."""
        if self._closed:
            raise RuntimeError(f"the pool {self._name} is closed")
        (self._later if later else self._work).append(work)
        self._tokens.put(True)
        if self._threads < self._usual:
            self._add()
        elif not self._watched:
            self._watch()

    def close(self) -> None:
        """No further work; threads end with what they are doing and are not waited for."""
        self._closed = True
        for _ in range(self._threads):
            self._tokens.put(False)

    def _add(self) -> None:
        with self._lock:
            if self._threads >= self._most:
                return
            self._threads += 1
        threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _watch(self) -> None:
        with self._lock:
            if self._watched:
                return
            self._watched = True
        threading.Thread(target=self._look, name=f"{self._name}-watch", daemon=True).start()

    def _look(self) -> None:
        """While work is waiting: adds threads when nothing was finished since the last check and no thread was computing."""
        finished, looks = -1, 0
        while (self._work or self._later) and not self._closed:
            before = time.process_time()
            time.sleep(self._stuck)
            looks = looks + 1 if finished == self._finished else 0
            rested = time.process_time() - before < self._stuck / 2
            if looks and (rested or looks >= PATIENCE):
                for _ in range(max(1, self._threads)):
                    self._add()
                looks = 0
            finished = self._finished
        self._watched = False

    def _next(self) -> Callable[[], None]:
        """What is to be done now: of what can wait, one piece among so many others."""
        with self._lock:
            self._taken += 1
            first, second = (self._later, self._work) if self._taken % ONE_IN == 0 else (self._work, self._later)
            return (first or second).popleft()

    def _run(self) -> None:
        while True:
            try:
                more = self._tokens.get(timeout=IDLE_SECONDS if self._threads > self._usual else None)
            except Empty:
                with self._lock:
                    if self._threads > self._usual:
                        self._threads -= 1
                        return
                continue
            if not more:
                return
            self._next()()
            self._finished += 1
