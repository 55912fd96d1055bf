"""All measurements in one run, and the page that tells of them: each target of the product beside what was measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import cold, pipeline, rivals, standing, units
from bench.client import quantile
from bench.pipeline import ROOT, Flood

PAGE = ROOT / "docs" / "benchmarks.md"
ONE_SECOND = {f"{name}WaitSeconds": "1" for name in ("Payment", "Preparation", "Delivery")}
TIMES_WAITED = 3  # floods with waits on each stack
WAITS = 3.0
MOST_LOAD = 1.0
Json = Any


@dataclass
class Party:
    """The product, or what somebody would take instead."""

    name: str
    version: str
    floods: dict[int, list[Flood]] = field(default_factory=dict)
    one: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)
    missing: str = ""

    def median(self, count: int, of: Callable[[Flood], float]) -> float:
        return statistics.median(map(of, self.floods[count]))

    def spread(self, count: int, of: Callable[[Flood], float]) -> str:
        values = [of(flood) for flood in self.floods[count]]
        return f"{min(values):.1f}-{max(values):.1f}"


@dataclass
class Findings:
    began: datetime
    calm: str
    parties: list[Party]
    cold: list[cold.ColdStart]
    cold_missing: str
    bills: list[units.Bill]
    trips: tuple[int, int] | None
    """Calls of AWS for one ``POST /orders``, and for one read of a status."""
    standing: standing.Standing | None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measures everything and writes docs/benchmarks.md.")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured (default %(default)s)")
    parser.add_argument("--orders", type=int, nargs="+", default=[100, 1000, 5000], help="orders at once (default %(default)s)")
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=["rivals", "cold", "units", "standing"], help="what to leave out"
    )
    options = parser.parse_args(arguments)
    _wait_for_calm()
    findings = _measured(options.times, options.orders, set(options.skip))
    page = written(findings)
    PAGE.write_text(page, encoding="utf-8")
    say(page)
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


def written(findings: Findings) -> str:
    """The generated part of the page; what follows a run's own marker is written by hand and kept."""
    ours = findings.parties[0]
    parts = [
        "# Benchmarks",
        "",
        "Written by `make bench`; what follows the comment at the end was added by hand.",
        "",
        *_setting(findings),
        "",
        "## Targets",
        "",
        *_targets(findings, ours),
        "",
        "## Orders at once, waits 0",
        "",
        "From the first `POST` to the last order's delivery and its last notice; the batching windows of the statistics and the webhooks are not waited for.",
        "Memory: the highest proportional set size of all processes of the party. Each size on a stack of its own; medians, then the spread.",
        "",
        *_floods(findings),
        "",
        "## One order, status reads, and what is added to three waits of a second",
        "",
        *_latencies(findings),
        "",
        "## What one person notices",
        "",
        *_standing(findings),
        "",
        "## Cold starts",
        "",
        *_colds(findings),
        "",
        "## What an order uses, and a million orders cost",
        "",
        *_bills(findings),
        "",
    ]
    return "\n".join(parts) + _kept()


MARK = "<!-- by hand -->"


def _kept() -> str:
    """What somebody has written below the marker."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return "\n" + MARK + (before.split(MARK, 1)[1] if MARK in before else "\n")


def _setting(findings: Findings) -> list[str]:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("ministack", "boto3", "pydantic", "uvloop"))
    rival = ", ".join(f"{party.name} ({party.version or party.missing})" for party in findings.parties[1:])
    return [
        f"- {findings.began:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({cpu}), {platform.system()} {platform.release()}, {findings.calm}",
        f"- Python {platform.python_version()}, {packages}; functions on Python {cold.PYTHON} in Lambda's emulator",
        f"- Peers: {rival or 'left out'}",
    ]


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [_row(*head), _row(*["---"] * len(head)), *(_row(*row) for row in rows)]


def _met(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def _targets(findings: Findings, ours: Party) -> list[str]:
    rows: list[Sequence[object]] = []
    counts = sorted(ours.floods)
    few, many = counts[0], 1000 if 1000 in counts else counts[-1]
    rate = ours.median(many, lambda f: f.per_second)
    rows.append(("orders/s, 1,000 at once", "150", f"{rate:.0f}", _met(rate >= 150)))
    base = ours.median(few, lambda f: f.cpu_ms)
    for count in counts[1:]:
        growth = ours.median(count, lambda f: f.cpu_ms) / base
        rows.append((f"CPU per order at {count:,}, beside {few}", "1.15", f"{growth:.2f} x", _met(growth <= 1.15)))
    dbos = next((party for party in findings.parties if party.name.startswith("DBOS") and many in party.floods), None)
    if dbos:
        theirs = dbos.median(many, lambda f: f.per_second)
        rows.append(("ahead of DBOS on SQLite, orders/s", f"{theirs:.0f}", f"{rate:.0f}", _met(rate > theirs)))
    one, p99, beyond = statistics.median(ours.one), quantile(ours.status, 0.99), statistics.median(ours.beyond)
    rows.append(("one order, waits 0, median", "60 ms", f"{one:.1f} ms", _met(one < 60)))
    rows.append(("beyond three waits of 1 s, 100 at once, the last", "140 ms", f"{beyond:.0f} ms", _met(beyond <= 140)))
    rows.append(("`GET …/status` p99 while 1,000 run", "50 ms", f"{p99:.1f} ms", _met(p99 < 50)))
    memory = max(flood.peak_mb for flood in ours.floods[many])
    rows.append((f"memory of the whole stack, {many:,} at once", "300 MB", f"{memory:.0f} MB", _met(memory <= 300)))
    if findings.cold:
        worst = max(findings.cold, key=lambda one: one.cpu_ratio)
        rows.append(
            (
                "cold start beside a bare handler, CPU, the worst",
                "1.25",
                f"{worst.cpu_ratio:.2f} x ({worst.function})",
                _met(worst.cpu_ratio <= 1.25),
            )
        )
    if findings.trips:
        post, status = findings.trips
        rows.append(("`POST /orders`, round trips to AWS", "2", f"{post}", _met(post <= 2)))
        rows.append(("`GET …/status`, reads of the table", "1", f"{status}", _met(status <= 1)))
    rows += _standing_targets(findings.standing) if findings.standing else []
    if findings.bills:
        dollars = sum(findings.bills[0].dollars_per_million().values())
        rows.append(("a million delivered orders", "$260", f"${dollars:.0f}", _met(dollars <= 260)))
    return _table(("what", "target", "measured", ""), rows)


def _floods(findings: Findings) -> list[str]:
    rows = []
    for party in findings.parties:
        for count in sorted(party.floods):
            median, spread = party.median, party.spread
            rows.append(
                (
                    party.name,
                    f"{count:,}",
                    f"{median(count, lambda f: f.per_second):.0f} ({spread(count, lambda f: f.per_second)})",
                    f"{median(count, lambda f: f.cpu_ms):.2f} ({spread(count, lambda f: f.cpu_ms)})",
                    f"{median(count, lambda f: f.latency_p50):.2f} / {median(count, lambda f: f.latency_p99):.2f}",
                    f"{median(count, lambda f: f.post_p50_ms):.0f}",
                    f"{median(count, lambda f: f.peak_mb):.0f}",
                    max(flood.wrong for flood in party.floods[count]),
                )
            )
    missing = [f"{party.name}: {party.missing}" for party in findings.parties if party.missing]
    return [
        *_table(("", "orders", "orders/s", "CPU ms an order", "seconds p50 / p99", "POST p50 ms", "MB", "undelivered"), rows),
        *missing,
    ]


def _latencies(findings: Findings) -> list[str]:
    rows = [
        (
            party.name,
            f"{statistics.median(party.one):.1f} ({min(party.one):.1f}-{max(party.one):.1f})",
            f"{statistics.median(party.status):.1f} / {quantile(party.status, 0.99):.1f}",
            f"{statistics.median(party.beyond):.0f} ({min(party.beyond):.0f}-{max(party.beyond):.0f})",
        )
        for party in findings.parties
        if party.one and party.status and party.beyond
    ]
    return _table(("", "one order, ms", "status read under load, p50 / p99 ms", "beyond the waits, ms"), rows)


def _standing_targets(found: standing.Standing) -> list[Sequence[object]]:
    seen = quantile(found.seen_seconds, 0.99)
    rows: list[Sequence[object]] = [
        ("a change, until each of 200 watchers sees it, p99", "2 s", f"{seen:.2f} s", _met(seen < 2)),
        ("`orders serve`, memory when idle", "200 MB", f"{found.idle_mb:.0f} MB", _met(found.idle_mb < 200)),
        ("`orders serve`, from Ctrl-C to its end", "2 s", f"{found.gone_seconds:.2f} s", _met(found.gone_seconds < 2)),
    ]
    if found.painted_ms:
        painted = statistics.median(found.painted_ms)
        rows.append(("tracking page, first contentful paint, median", "300 ms", f"{painted:.0f} ms", _met(painted < 300)))
    return rows


def _standing(findings: Findings) -> list[str]:
    found = findings.standing
    if found is None:
        return ["left out"]
    painted = ", ".join(f"{value:.0f}" for value in sorted(found.painted_ms)) or "no Chromium here"
    rows = [
        ("`orders serve`, until it is ready", f"{found.ready_seconds:.1f} s"),
        *((f"{name}, median", f"{value:.1f} ms") for name, value in found.answers_ms.items()),
        (
            f"a change, until its watcher sees it ({len(found.seen_seconds)} changes), p50 / p99 / most",
            f"{statistics.median(found.seen_seconds):.2f} / {quantile(found.seen_seconds, 0.99):.2f} / {max(found.seen_seconds):.2f} s",
        ),
        ("tracking page, first contentful paint, ms", painted),
    ]
    return _table(("", ""), rows)


def _colds(findings: Findings) -> list[str]:
    if not findings.cold:
        return [findings.cold_missing]
    rows = [
        (
            f"`{one.function}`",
            ", ".join(one.services) or "none",
            f"{one.first:.0f}",
            f"{one.bare:.0f}",
            f"{one.ratio:.2f}",
            f"{one.cpu:.0f}",
            f"{one.bare_cpu:.0f}",
            f"{one.cpu_ratio:.2f}",
        )
        for one in sorted(findings.cold, key=lambda one: -one.cpu_ratio)
    ]
    told = "First call through the runtime interface emulator, the interpreter's start included; the first call's own work is part of ours, and of the bare handler's none."
    return [told, "", *_table(("function", "clients", "first call, ms", "bare, ms", " x", "CPU ms", "bare", " x"), rows)]


def _bills(findings: Findings) -> list[str]:
    if not findings.bills:
        return ["left out"]
    names = (
        "transitions",
        "invocations",
        "billed_ms",
        "read_units",
        "table_write_units",
        "index_write_units",
        "events",
        "queue_requests",
        "notices",
        "log_bytes",
    )
    used = [(bill.path, *(f"{bill.units.get(name, 0):.1f}" for name in names)) for bill in findings.bills]
    cost = []
    for bill in findings.bills:
        priced = bill.dollars_per_million()
        dearest = ", ".join(f"{name.replace('_', ' ')} ${value:.1f}" for name, value in list(priced.items())[:3])
        cost.append(
            (
                bill.path,
                f"${sum(priced.values()):.0f}",
                dearest,
                ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in list(priced.items())[3:]),
            )
        )
    told = f"Prices: `bench/prices.json` ({units.PRICES['region']}), with what is assumed beside them. {units.AT_ONCE} orders at once, so batches are small."
    return [
        told,
        "",
        *_table(("path", *(name.replace("_", " ") for name in names)), used),
        "",
        *_table(("path", "a million", "the three largest", "the rest, $"), cost),
    ]


def raw(findings: Findings) -> str:
    """Everything as JSON, for somebody who wants to compute on it."""
    return json.dumps([asdict(party) for party in findings.parties])
