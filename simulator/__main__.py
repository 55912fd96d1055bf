"""``make simulate``: so many orders under each seed, and what the laws say of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

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
    plans = [Plan(seed, asked.orders, faults, asked.most) for seed in seeds_of(asked.seeds)]
    began = time.monotonic()
    failed, happened, orders = [], Counter[str](), 0
    covered, calls = Counter[Cell](), set[tuple[str, str]]()
    for report in lived(plans, asked.processes):
        print(report.line(), flush=True)
        happened += report.happened
        covered += report.covered
        calls |= report.calls.keys()
        orders += report.plan.orders
        if report.broken:
            failed.append(report)
            if asked.first:
                break
    seconds = time.monotonic() - began
    speed = f"{orders / seconds:.0f} a second"
    print(f"{orders} orders of {len(plans)} seeds in {seconds:.1f} s: {speed}, {sum(happened.values())} faults.")
    _tell_coverage(covered, calls, asked.coverage)
    for report in failed[:1]:
        _tell(report, shrink=not asked.whole)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", default="1", help="such as 1,7,100-130")
    parser.add_argument("--orders", type=int, default=ORDERS, help="orders of each seed")
    parser.add_argument("--faults", help="these kinds of faults only, with commas between them")
    parser.add_argument("--most", type=int, help="no more faults than this")
    parser.add_argument("--processes", type=int, default=2, help="how many processes share the seeds")
    parser.add_argument("--coverage", type=Path, help="a file in which what was met is gathered; its table is printed")
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


def _tell_coverage(covered: Counter[Cell], calls: Iterable[tuple[str, str]], path: Path | None) -> None:
    """How much of all that may go wrong did; ``path`` gathers it over several runs."""
    universe = Universe(product())
    if path:
        if path.exists():
            covered += Counter({tuple(cell): count for cell, count in json.loads(path.read_text(encoding="utf-8"))})
        path.write_text(json.dumps(sorted(covered.items())), encoding="utf-8")
        print(universe.table(covered))
        print(*(f"not met: {' '.join(filter(None, cell))}" for cell in universe.left(covered)), sep="\n")
    met = len(universe.cells) - len(universe.left(covered))
    print(f"Of {len(universe.cells)} faults at their moments {met} were met ({100 * met / len(universe.cells):.0f} %).")
    print(*(f"Not on the list: {call}" for call in universe.unknown(calls)), sep="\n", end="")


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
