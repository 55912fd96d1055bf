"""A shorter history that breaks the same law: fewer orders, fewer kinds of faults, fewer faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from simulator.run import Plan, Report, run

TRIES = 120
"""How many histories are tried, at most."""


class Shrinking:
    """The search for it. ``law`` is the one that has to break again."""

    def __init__(self, report: Report, live: Callable[[Plan], Report] = run) -> None:
        self.best = report
        self._law = next(iter(report.broken))
        self._live = live
        self._left = TRIES

    def run(self) -> Report:
        """Goes on as long as anything makes it shorter."""
        self._try(replace(self.best.plan, faults=self.best.allowed))
        shorter = True
        while shorter and self._left:
            shorter = self._orders() | self._kinds() | self._most()
        return self.best

    def _try(self, plan: Plan) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        report = self._live(plan)
        if self._law not in report.broken:
            return False
        self.best = report
        return True

    def _orders(self) -> bool:
        return any(self._try(replace(self.best.plan, orders=fewer)) for fewer in _smaller(self.best.plan.orders, 1))

    def _kinds(self) -> bool:
        found = False
        for kind in sorted(self.best.plan.faults or ()):
            if self.best.happened[kind] == 0 or self._left:
                found |= self._try(replace(self.best.plan, faults=(self.best.plan.faults or frozenset()) - {kind}))
        return found

    def _most(self) -> bool:
        happened = sum(self.best.happened.values())
        return any(self._try(replace(self.best.plan, most=fewer)) for fewer in _smaller(happened, 0) if fewer < happened)


def _smaller(number: int, least: int) -> Iterator[int]:
    """Numbers below it, the smallest first."""
    step = least
    while step < number:
        yield step
        step = step * 2 + 1
    if number > least + 1:
        yield number - 1
