"""Fresh seeds under every fault, and that a seed is a history: the same to the byte, whatever a process hashes by.

A seed that fails here is run again by the command that its report ends with.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from simulator.run import Plan, Report, run
from simulator.shrink import Shrinking

ROOT = Path(__file__).parents[2]
ORDERS, SEEDS, SECONDS = 60, 8, 45.0
"""The orders of each seed that is drawn afresh; how many seeds are drawn at least, and for how long of one core's time."""


def test_every_law_holds(record_property: Callable[[str, object], None]) -> None:
    drawn, began = 0, os.times().user
    while drawn < SEEDS or os.times().user - began < SECONDS:
        seed = int.from_bytes(os.urandom(4))
        record_property("seed", seed)
        report = run(Plan(seed, ORDERS))
        assert not report.broken, _shortest(report)
        assert sum(report.statuses.values()) == ORDERS
        drawn += 1


def _shortest(report: Report) -> str:
    found = Shrinking(report).run()
    return f"{report.line()}\n{found.broken}\nRun it again: {found.plan.command()}"


TWO_RELEASES = 9
"""A seed in which edition one's functions are loaded while it lives."""


SAME = (7, TWO_RELEASES)


def test_a_seed_gives_the_same_history_in_any_process() -> None:
    command = [sys.executable, "-m", "simulator", "--seeds", ",".join(map(str, SAME)), "--orders", "15", "--processes", "1"]
    # This process hashes by chance; that one so that sets and dictionaries of texts have another order.
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    there = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    for seed in SAME:
        report = run(Plan(seed, 15))
        assert report.line().startswith(f"seed {seed}: 15 orders, ")
        assert report.happened["release"] == (seed == TWO_RELEASES)
        assert report.line() in there


def test_histories_of_two_seeds_differ() -> None:
    assert run(Plan(1, 5)).digest != run(Plan(2, 5)).digest
