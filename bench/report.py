"""All measurements in one run."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench import cold, pipeline, rivals, standing, units
from bench.findings import Findings, Party
from bench.page import PAGE, recounted, written
from bench.pipeline import Flood

ONE_SECOND = {f"{name}WaitSeconds": "1" for name in ("Payment", "Preparation", "Delivery")}
TIMES_WAITED = 3  # floods with waits on each stack
WAITS = 3.0
MOST_LOAD = 1.0
Json = Any


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measures everything and writes docs/benchmarks.md.")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured (default %(default)s)")
    parser.add_argument("--orders", type=int, nargs="+", default=[100, 1000, 5000], help="orders at once (default %(default)s)")
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=["rivals", "cold", "units", "standing"], help="what to leave out"
    )
    parser.add_argument("--only", choices=["units"], help="count this alone, and leave the rest of the page as it is")
    options = parser.parse_args(arguments)
    if options.only:
        return _recount()
    _wait_for_calm()
    findings = _measured(options.times, options.orders, set(options.skip))
    page = written(findings)
    PAGE.write_text(page, encoding="utf-8")
    say(page)
    return 0


def _recount() -> int:
    """What an order uses is counted and not timed: other work on the machine does not matter."""
    page = recounted(PAGE.read_text(encoding="utf-8"), units.measure(), units.round_trips(), datetime.now(UTC))
    PAGE.write_text(page, encoding="utf-8")
    return 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _wait_for_calm(seconds: float = 20.0) -> None:
    """Other work on the machine makes every figure worse: it is waited for a little, and then noted."""
    deadline = time.monotonic() + seconds
    while os.getloadavg()[0] > MOST_LOAD and time.monotonic() < deadline:
        time.sleep(1)


def _measured(times: int, counts: Sequence[int], skip: set[str]) -> Findings:
    before = os.getloadavg()
    parties = [_ourselves(times, counts)]
    if "rivals" not in skip:
        parties += [_rival(make, (times + 1) // 2, [count for count in counts if count <= 1000]) for make in rivals.RIVALS]
    starts: list[cold.ColdStart] = []
    missing = "left out"
    if "cold" not in skip:
        try:
            say("cold starts ...")
            starts, missing = cold.measure(times), ""
        except rivals.NotHere as reason:
            missing = str(reason)
    say("units ...")
    bills, trips = ([], None) if "units" in skip else (units.measure(), units.round_trips())
    say("what one person notices ...")
    alone = None if "standing" in skip else standing.measure()
    calm = f"load average {before[0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    return Findings(datetime.now(UTC), calm, parties, starts, missing, bills, trips, alone)


def _ourselves(times: int, counts: Sequence[int]) -> Party:
    ours = Party("Orders (this repository)", "local stack")
    for time_ in range(times):
        # A stack of its own for each size: memory grows with what it has to remember.
        for count in counts:
            if count > 1000 and time_:  # the largest once: it takes a minute, and is there to show growth
                continue
            with pipeline.stack() as running:
                pipeline.flood(running, 50, "warm")
                _tell(ours, count, pipeline.flood(running, count, f"f{count}"))
        with pipeline.stack() as running:
            pipeline.flood(running, 50, "warm")
            ours.one += pipeline.one_by_one(running, 30, "one")
            ours.status += pipeline.status_under_load(running, 1000, "status")
        with pipeline.stack(parameters=ONE_SECOND) as running:
            pipeline.flood(running, 20, "warm")
            ours.beyond += [pipeline.flood(running, 100, f"waits{n}", WAITS).beyond_waits_ms for n in range(TIMES_WAITED)]
        say(
            f"ourselves, {time_ + 1} of {times}: one {statistics.median(ours.one):.1f} ms, beyond {statistics.median(ours.beyond):.0f} ms"
        )
    return ours


def _tell(party: Party, count: int, flood: Flood) -> None:
    party.floods.setdefault(count, []).append(flood)
    say(
        f"{party.name}: {count} orders, {flood.per_second:.0f}/s, {flood.cpu_ms:.2f} ms CPU each, {flood.peak_mb:.0f} MB, {flood.wrong} wrong"
    )


def _rival(make: Any, times: int, counts: Sequence[int]) -> Party:
    party = Party(make.__name__, "")
    try:
        for _ in range(times):
            with make(0) as rival:
                party.name, party.version = rival.name, rival.version
                rivals.flood(rival, 50, "warm")
                for count in counts:
                    _tell(party, count, rivals.flood(rival, count, f"f{count}"))
                party.one += rivals.one_by_one(rival, 30, "one")
                party.status += rivals.status_under_load(rival, 1000, "status")
            with make(1) as rival:
                rivals.flood(rival, 20, "warm")
                party.beyond += [rivals.flood(rival, 100, f"waits{n}", WAITS).beyond_waits_ms for n in range(TIMES_WAITED)]
    except (rivals.NotHere, subprocess.SubprocessError, OSError, ValueError) as reason:
        party.missing = f"{type(reason).__name__}: {reason}"
        say(f"{party.name} is left out: {party.missing}")
    return party


# --- the page -----------------------------------------------------------------------------------------------
