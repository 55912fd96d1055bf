"""Several callers at once, of whom one runs at a time: who is next is drawn at each call of the table or an outside party."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

LONGEST = 30.0
"""For how many seconds a caller may run without a call: then the test fails instead of waiting."""


class Caller(threading.Thread):
    """One of them: it runs between two calls, and only when it is its turn."""

    def __init__(self, turns: Turns, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._turns, self._act = turns, act
        self._go = threading.Semaphore(0)
        self.is_done = False
        self.failure: BaseException | None = None

    def run(self) -> None:
        self._go.acquire()
        try:
            self._act()
        except BaseException as failure:  # noqa: BLE001 - it rises where the test can see it
            self.failure = failure
        self.is_done = True
        self._turns.back.release()

    def step(self) -> None:
        """Lets it run to its next call, or to its end."""
        self._go.release()
        assert self._turns.back.acquire(timeout=LONGEST), "it runs without a call"

    def wait(self) -> None:
        """Stops before a call until it is its turn."""
        self._turns.back.release()
        self._go.acquire()


class Turns:
    """Whose turn it is, by the dice: the same dice make the same interleaving."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.back = threading.Semaphore(0)

    def between(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, before which others may have their turn."""

        def waiting(*arguments: Any, **named: Any) -> Any:
            caller = threading.current_thread()
            if isinstance(caller, Caller):
                caller.wait()
            return call(*arguments, **named)

        return waiting

    def after(self, turns: int, act: Callable[[], object]) -> Callable[[], object]:
        """The same by a caller who lets that many of its turns pass first."""

        def late() -> None:
            caller = threading.current_thread()
            assert isinstance(caller, Caller)
            for _ in range(turns):
                caller.wait()
            act()

        return late

    def play(self, acts: Iterable[Callable[[], object]]) -> None:
        """Runs them all to their ends; raises what one of them did not foresee."""
        callers = [Caller(self, act) for act in acts]
        for caller in callers:
            caller.start()
        while running := [caller for caller in callers if not caller.is_done]:
            self._dice.choice(running).step()
        for caller in callers:
            caller.join()
            if caller.failure:
                raise caller.failure
