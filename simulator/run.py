"""One history from a seed, and what the laws say of it."""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace

import orjson

from simulator.wiring import Wiring, wiring

ORDERS = 100
"""Orders of one seed, unless somebody asks for another number."""


@dataclass(frozen=True)
class Plan:
    """What makes a history: the same plan gives the same history, to the byte.

    ``faults`` and ``most`` are ``None`` where the seed decides which faults may happen, and how often.
    """

    seed: int
    orders: int = ORDERS
    faults: frozenset[str] | None = None
    most: int | None = None
    toward: Path | None = None
    """What runs have met so far: what they have not happens more often."""

    def command(self) -> str:
        """How it is run again."""
        faults = "" if self.faults is None else f" FAULTS='{','.join(sorted(self.faults))}'"
        most = "" if self.most is None else f" MOST={self.most}"
        toward = "" if self.toward is None else f" TOWARD={self.toward}"
        return f"make simulate SEEDS={self.seed} ORDERS={self.orders}{faults}{most}{toward}"


@dataclass
class Report:
    """What came of a plan."""

    plan: Plan
    digest: str
    broken: dict[str, list[str]]
    statuses: Counter[str]
    happened: Counter[str]
    covered: Counter[tuple[str, str, str, str]]
    calls: Counter[tuple[str, str]]
    length: int
    lines: list[str] | None
    seconds: float = 0.0
    allowed: frozenset[str] = field(default_factory=frozenset)

    def line(self) -> str:
        """The history in one line."""
        ends = " ".join(f"{status}={count}" for status, count in sorted(self.statuses.items()))
        said = f"broken: {', '.join(self.broken)}" if self.broken else "every law holds"
        faults = sum(self.happened.values())
        return f"seed {self.plan.seed}: {self.plan.orders} orders, {ends}, {faults} faults, {said}, history {self.digest}"


@cache
def product() -> Wiring:
    """The product, loaded: its wiring and its handlers, with their logs turned to nowhere."""
    known = wiring()
    os.environ.update(known.environment)
    for function in known.functions.values():
        importlib.import_module(function.module)
    from simulator.nature import quiet  # noqa: PLC0415 - the handlers' modules read the environment when they are loaded

    quiet()
    # Powertools looks at the signatures of the same few functions with each batch.
    batches = importlib.import_module("aws_lambda_powertools.utilities.batch.base")
    batches.inspect = SimpleNamespace(signature=lru_cache(maxsize=64)(inspect.signature))  # type: ignore[attr-defined]
    # What is loaded stays: the collector need not look through it again.
    gc.collect()
    gc.freeze()
    return known


def run(plan: Plan, *, kept: bool = False) -> Report:
    """Lives a history and holds it against the laws; ``kept`` keeps its lines."""
    known = product()
    # A history is dropped as a whole: until then there is nothing in it to be collected.
    gc.disable()
    try:
        return _lived(known, plan, kept=kept)
    finally:
        gc.enable()


def _lived(known: Wiring, plan: Plan, *, kept: bool) -> Report:
    from simulator import explained  # noqa: PLC0415 - see above
    from simulator.books import Books  # noqa: PLC0415
    from simulator.dice import Dice  # noqa: PLC0415
    from simulator.history import History  # noqa: PLC0415
    from simulator.laws import broken  # noqa: PLC0415
    from simulator.world import World  # noqa: PLC0415

    began = time.process_time()
    history, dice = History(kept=kept), Dice(plan.seed, plan.faults, plan.most, explained.unmet(known, plan.toward))
    world = World(known, dice, history)
    world.live(plan.orders)
    history.end_with(orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in world.table.rows())
    books = Books(world)
    statuses = Counter(account.order.status.value for account in books.accounts.values())
    return Report(
        plan=plan,
        digest=history.hexdigest(),
        broken=broken(books),
        statuses=statuses,
        happened=dice.happened,
        covered=dice.covered,
        calls=dice.calls,
        length=history.length,
        lines=history.lines,
        seconds=time.process_time() - began,
        allowed=dice.allowed,
    )


def seeds_of(text: str) -> list[int]:
    """Seeds as they are asked for: ``1,7,100-130``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def faults_of(text: str | None) -> Collection[str] | None:
    """Faults as they are asked for, with commas between them; none of them is the empty text."""
    return None if text is None else [name for name in text.split(",") if name]
