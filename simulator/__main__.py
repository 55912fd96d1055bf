"""``make simulate``: so many orders under each seed, and what the laws say of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from simulator import explained
from simulator.coverage import Cell, Universe
from simulator.faults import FAULTS
from simulator.run import ORDERS, Plan, Report, faults_of, product, run, seeds_of
from simulator.shrink import Shrinking

MOST_LINES = 200
"""Of the shortest history, from its end."""
LONGEST_LINE = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is asked for; 1 when a law was broken."""
    asked = _parser().parse_args(arguments)
    chosen = faults_of(asked.faults)
    if unknown := sorted(set(chosen or ()) - set(FAULTS)):
        sys.exit(f"There is no fault {', '.join(unknown)}: there are {', '.join(FAULTS)}.")
    faults = None if chosen is None else frozenset(chosen)
    plans = [Plan(seed, asked.orders, faults, asked.most, asked.toward) for seed in seeds_of(asked.seeds)]
    total = Total(time.monotonic())
    for report in lived(plans, asked.processes):
        if report.broken:
            _tell(report, shrink=not asked.whole and total.failed == 0)
        # A run ends with this line, whatever is said of it before.
        print(report.line(), flush=True)
        total.add(report)
        if report.broken and asked.first:
            break
    total.tell(asked.coverage)
    return 1 if total.failed else 0


@dataclass
class Total:
    """What all of the runs come to. It is told beside their lines, on the other output."""

    began: float
    seeds: int = 0
    orders: int = 0
    failed: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    covered: Counter[Cell] = field(default_factory=Counter)
    calls: set[tuple[str, str]] = field(default_factory=set)

    def add(self, report: Report) -> None:
        """Takes one run in."""
        self.seeds += 1
        self.orders += report.plan.orders
        self.failed += bool(report.broken)
        self.happened += report.happened
        self.covered += report.covered
        self.calls |= report.calls.keys()

    def tell(self, path: Path | None) -> None:
        """Speed, faults and coverage; ``path`` gathers what was met over several runs."""
        seconds = time.monotonic() - self.began
        speed = f"{self.orders / seconds:.0f} a second"
        faults = sum(self.happened.values())
        _beside(
            f"{self.orders} orders of {self.seeds} seeds in {seconds:.1f} s: {speed}, {faults} faults, {self.failed} failed."
        )
        universe = Universe(product())
        self.covered = Counter({cell: times for cell, times in self.covered.items() if cell in universe.cells})
        if path:
            explained.keep(self.covered, path)
            self.covered = explained.gathered(path)
            _beside(explained.table(universe, self.covered))
            _beside(*(f"not met: {' '.join(filter(None, cell))}" for cell in explained.unexplained(universe, self.covered)))
        left, unexplained = universe.left(self.covered), explained.unexplained(universe, self.covered)
        _beside(
            f"Of {len(universe.cells)} faults at their moments {len(universe.cells) - len(left)} were met, "
            f"{len(left) - len(unexplained)} are explained, {len(unexplained)} are not."
        )
        _beside(*(f"Not on the list: {call}" for call in universe.unknown(self.calls)))


def _beside(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", default="1", help="such as 1,7,100-130")
    parser.add_argument("--orders", type=int, default=ORDERS, help="orders of each seed")
    parser.add_argument("--faults", help="these kinds of faults only, with commas between them")
    parser.add_argument("--most", type=int, help="no more faults than this")
    parser.add_argument("--processes", type=int, default=2, help="how many processes share the seeds")
    parser.add_argument("--coverage", type=Path, help="a file in which what was met is gathered; its table is printed")
    parser.add_argument("--toward", type=Path, help="such a file: what it has not met happens more often")
    parser.add_argument("--first", action="store_true", help="stop at the first seed that fails")
    parser.add_argument("--whole", action="store_true", help="print what failed as it is, not the shortest history that fails")
    return parser


def lived(plans: Sequence[Plan], processes: int) -> Iterator[Report]:
    """The reports of the plans, in their order."""
    if processes == 1 or len(plans) == 1:
        yield from map(run, plans)
        return
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(processes, mp_context=get_context("spawn")))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield from pool.map(run, plans)


def _tell(report: Report, *, shrink: bool) -> None:
    """What failed, in how short a history it does, and how to run that again."""
    _say(report)
    shortest = Shrinking(report).run() if shrink else report
    if shrink:
        print("\nThe shortest history that breaks it:")
        _say(shortest)
    lines = run(shortest.plan, kept=True).lines or []
    print(*(line[:LONGEST_LINE] for line in lines[-MOST_LINES:]), sep="\n")
    print(f"\nRun it again: {shortest.plan.command()}")


def _say(report: Report) -> None:
    print(f"\n{report.line()}")
    for law, breaches in report.broken.items():
        print(f"  {law}: {len(breaches)} times, such as")
        print(*(f"    {breach}" for breach in breaches[:3]), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
