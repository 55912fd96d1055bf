"""docs/benchmarks.md: each target of the product beside what was measured."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from bench import cold, standing, units
from bench.client import quantile
from bench.findings import Findings, Party
from bench.pipeline import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


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
        UNITS,
        "",
        *_bills(findings.bills, findings.began),
        "",
    ]
    return "\n".join(parts) + _kept()


MARK = "<!-- by hand -->"
UNITS = "## What an order uses, and a million orders cost"
COUNTED = ("`POST /orders`, round trips", "`GET …/status`, reads", "a million delivered orders", "transitions of one order")
"""How the targets begin that are counted, and not timed."""


def recounted(page: str, bills: Sequence[units.Bill], trips: tuple[int, int], began: datetime) -> str:
    """The page with the counts of this run in the place of the earlier ones; what was timed stays."""
    before, heading, rest = page.partition(UNITS + "\n")
    targets, mark, timed = before.partition("\n\n## Orders at once")
    if not heading or not mark:
        raise ValueError(f"{PAGE.name} has not been written by this command")
    kept = [line for line in targets.splitlines() if not line.startswith(tuple(f"| {name}" for name in COUNTED))]
    rows = [_row(*row) for row in _counted(bills, trips)]
    section = "\n".join(["", *_bills(bills, began), "", MARK])
    return "\n".join([*kept, *rows]) + mark + timed + heading + section + rest.partition(MARK)[2]


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
    rows += _standing_targets(findings.standing) if findings.standing else []
    rows += _counted(findings.bills, findings.trips)
    return _table(("what", "target", "measured", ""), rows)


def _counted(bills: Sequence[units.Bill], trips: tuple[int, int] | None) -> list[Sequence[object]]:
    """The targets that are counted: they do not depend on the machine."""
    rows: list[Sequence[object]] = []
    if trips:
        post, status = trips
        rows.append(("`POST /orders`, round trips to AWS", "2", f"{post}", _met(post <= 2)))
        rows.append(("`GET …/status`, reads of the table", "1", f"{status}", _met(status <= 1)))
    if bills:
        without, waiting = bills[:2]
        dollars = sum(without.dollars_per_million().values())
        rows.append(("a million delivered orders, no waits", "$270", f"${dollars:.0f}", _met(dollars <= 270)))
        for bill, most in ((without, 7), (waiting, 9)):
            billed = bill.units["transitions"]
            rows.append((f"transitions of one order: {bill.path}", f"{most}", f"{billed:.1f}", _met(billed <= most)))
    return rows


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


def _bills(bills: Sequence[units.Bill], began: datetime) -> list[str]:
    if not bills:
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
    used = [(bill.path, *(f"{bill.units.get(name, 0):.1f}" for name in names)) for bill in bills]
    cost = []
    for bill in bills:
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
    told = f"Counted {began:%Y-%m-%d}. Prices: `bench/prices.json` ({units.PRICES['region']}), with what is assumed beside them. {units.AT_ONCE} orders at once, so batches are small."
    return [
        told,
        "",
        *_table(("path", *(name.replace("_", " ") for name in names)), used),
        "",
        *_table(("path", "a million", "the three largest", "the rest, $"), cost),
    ]
