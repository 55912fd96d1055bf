"""``make simulate-mutations``: each planted defect is found by a law, within what ``make test`` simulates."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.mutations import MUTATIONS, Mutation
from simulator.wiring import ROOT

SEEDS, ORDERS = 24, 60
"""The budget of each defect: as many seeds as ``simulator/tests`` draws afresh, with as many orders."""
PARTS = ("functions", "layers/orders/python", "statemachine", "local", "simulator", "tests/data/editions/1", ".cache")
FILES = ("template.yaml",)


@dataclass(frozen=True)
class Found:
    """What came of one defect: the laws that it broke, in the how-manieth seed, after how many seconds."""

    mutation: Mutation
    laws: str
    seeds: int
    seconds: float


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of everything that a history needs."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        for part in PARTS:
            if (ROOT / part).exists():
                # With what Python has compiled of it: the times of the files are kept too.
                shutil.copytree(ROOT / part, folder / part)
        for file in FILES:
            shutil.copy2(ROOT / file, folder / file)
        yield folder


def tried(mutation: Mutation | None, first: int) -> Found:
    """Plants a defect, or none, and lets seeds live until a law is broken."""
    with copied() as folder:
        if mutation:
            mutation.planted_in(folder)
        paths = [folder, folder / "layers/orders/python", folder / "functions"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
        seeds = f"{first}-{first + SEEDS - 1}"
        command = [
            sys.executable,
            "-m",
            "simulator",
            "--seeds",
            seeds,
            "--orders",
            str(ORDERS),
            "--processes",
            "1",
            "--first",
            "--whole",
        ]
        began = time.monotonic()
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
    lines = [line for line in ran.stdout.splitlines() if line.startswith("seed ")]
    broken = [found[1] for line in lines if (found := re.search(r"broken: (.*), history", line))]
    if ran.returncode not in (0, 1) or (ran.returncode and not broken):
        raise RuntimeError(f"{mutation}: {ran.stderr[-2000:]}")
    planted = mutation or Mutation("nothing", "", "", "")
    return Found(planted, broken[0] if broken else "", len(dict.fromkeys(lines)), seconds)


def main() -> int:
    """Tries each of them; 1 when one was not found."""
    parser = argparse.ArgumentParser(prog="make simulate-mutations", description=__doc__)
    parser.add_argument("--only", default="", help="those whose words contain this")
    parser.add_argument("--first-seed", type=int, default=int.from_bytes(os.urandom(3)), help="the first of the seeds")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if asked.only in mutation.says]
    print(f"{len(chosen)} defects, each in at most {SEEDS} seeds from {asked.first_seed} with {ORDERS} orders\n")
    print("| defect | file | found by | seeds | seconds |\n|---|---|---|---|---|")
    with ThreadPoolExecutor(asked.processes) as threads:
        tries = [threads.submit(tried, mutation, asked.first_seed) for mutation in chosen]
        all_found = [_told(ended.result()) for ended in as_completed(tries)]
    print(f"\n{sum(all_found)} of {len(chosen)} defects were found.")
    return 0 if all(all_found) else 1


def _told(found: Found) -> bool:
    file = found.mutation.path.removeprefix("layers/orders/python/")
    print(
        f"| {found.mutation.says} | `{file}` | {found.laws or '**nothing**'} | {found.seeds} | {found.seconds:.0f} |",
        flush=True,
    )
    return bool(found.laws)


if __name__ == "__main__":
    sys.exit(main())
