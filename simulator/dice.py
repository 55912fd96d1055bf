"""Chance: one source for every choice of a history, and which faults it may choose."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection

from simulator.faults import FAULTS, around

SHARES = {
    "slow call": 0.01, "clock skew": 0.5, "stale index": 0.15, "invocation refused": 0.02, "invocation forgotten": 0.015,
    "record held up": 0.15, "batch cut short": 0.2, "batch doubled": 0.06, "message late": 0.05, "message doubled": 0.06,
    "event late": 0.05, "event doubled": 0.05, "event lost": 0.3, "describe late": 0.3, "execution failed": 0.02,
    "execution aborted": 0.02, "execution redriven": 0.5, "stale token": 0.05, "endpoint fails": 0.1, "endpoint hangs": 0.05,
    "outage": 0.25, "provider outage": 0.4, "release": 0.3, "partly taken": 0.02, "stranger": 0.08, "client repeats": 0.05,
}  # fmt: skip
"""How often each fault happens where it may; those of calls are drawn together, at the rate of the seed."""

RATES = (0.0, 0.005, 0.015, 0.03, 0.06)
"""The shares of calls that go wrong; a seed has one of them."""
CLOSER, MOST = 12.0, 0.75
"""The first call of a kind goes wrong so many times as often, the second half as many times: what is called rarely meets
faults too. But one in four goes well.
"""

SOON = 0.5
"""How often a fault happens that is wanted: one that no run has met."""

FAULTLESS = 0.1
"""The share of the seeds in which nothing goes wrong at all."""


class Dice:
    """Everything that a history leaves to chance, from one seed.

    A seed leaves some faults out altogether: histories differ more than if each had a little of everything.
    ``most`` ends all faults after so many, which is how a history that fails is made shorter. What is ``wanted`` of them
    happens half of the times that it may, until it has.
    """

    def __init__(
        self,
        seed: int,
        allowed: Collection[str] | None = None,
        most: int | None = None,
        wanted: Collection[tuple[str, str, str, str]] = (),
    ) -> None:
        self._random = random.Random(seed)
        self.chance = self._random.random
        drawn = [name for name in FAULTS if self._random.random() < 0.75]
        rate = self._random.choice(RATES)
        if self._random.random() < FAULTLESS:
            drawn, rate = [], 0.0
        self.allowed = frozenset(drawn if allowed is None else allowed)
        self.rate = rate if allowed is None else max(rate, RATES[1])
        self.left = most
        self.calm = True
        """While nothing goes wrong: before the first order, and after the last fault."""
        self.happened: Counter[str] = Counter()
        self.covered: Counter[tuple[str, str, str, str]] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        """Every call of every function: the moments around which faults lie."""
        self._wanted = frozenset(cell for cell in wanted if cell[2] in self.allowed)
        self._around: dict[str, tuple[tuple[str, str], ...]] = {}
        self._weights: dict[str, list[float]] = {}

    # --- choices ---

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return low + (high - low) * self.chance()

    def pick(self, options: tuple[str, ...]) -> str:
        """One of them."""
        return options[int(self.chance() * len(options))]

    def below(self, number: int) -> int:
        """A whole number from 0 up to, and without, that one."""
        return int(self.chance() * number)

    def likely(self, share: float) -> bool:
        """Whether it happens, of what is no fault."""
        return self.chance() < share

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        return self._random.randbytes(count)

    # --- faults ---

    @property
    def is_mild(self) -> bool:
        """Whether nothing went wrong that a step's retries do not outlast."""
        severe = ("outage", "provider outage", "execution failed", "execution aborted")
        return self.rate == 0 and not any(self.happened[name] for name in severe)

    def happens(self, name: str, where: str = "", call: str = "", moment: str = "") -> bool:
        """Whether that fault happens here and now."""
        share = SOON if self._wants((where, call, name, moment)) else SHARES[name]
        return self.chance() < share and self._takes(name, where, call, moment)

    def _wants(self, cell: tuple[str, str, str, str]) -> bool:
        return cell in self._wanted and not self.covered[cell]

    def _takes(self, name: str, where: str, call: str, moment: str) -> bool:
        if self.calm or name not in self.allowed or self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        self.happened[name] += 1
        self.covered[where, call, name, moment] += 1
        return True

    def met(self, name: str, where: str = "", call: str = "") -> None:
        """A fault that was drawn before has come to pass here."""
        self.covered[where, call, name, ""] += 1

    def fault_of(self, where: str, call: str) -> tuple[str, str] | None:
        """What goes wrong around a call of a function, if anything does: the fault, and its moment."""
        self.calls[where, call] += 1
        nth = self.calls[where, call]
        if self._wanted and (found := self._wanted_around(where, call)):
            return found
        rate = min(self.rate * CLOSER / nth, MOST) if nth < CLOSER else self.rate
        if self.chance() >= rate:
            return None
        if call not in self._around:
            self._around[call] = tuple((fault.name, moment) for fault, moment in around(call))
            self._weights[call] = [fault.weight / len(fault.moments) for fault, _ in around(call)]
        options = self._around[call]
        if not options:
            return None
        ((name, moment),) = self._random.choices(options, self._weights[call])
        return (name, moment) if self._takes(name, where, call, moment) else None

    def _wanted_around(self, where: str, call: str) -> tuple[str, str] | None:
        wanted = [(fault.name, moment) for fault, moment in around(call) if self._wants((where, call, fault.name, moment))]
        if not wanted or self.chance() >= SOON:
            return None
        name, moment = self._random.choice(wanted)
        return (name, moment) if self._takes(name, where, call, moment) else None
