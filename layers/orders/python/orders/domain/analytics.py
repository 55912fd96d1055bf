"""What the changes add up to: counters and mergeable histograms, from which estimates and the analytics are read.

A histogram's buckets grow by a fixed ratio, so any two can be added and a percentile is right to within that ratio.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders.domain.events import ORDER_STATUS_CHANGED, Signal
from orders.domain.identifiers import OrderId
from orders.domain.order import moment
from orders.domain.progress import Duration, History, transit_of
from orders.domain.steps import StepName
from orders.domain.tracking_pages import KNOWN

RATIO = 2 ** (1 / 8)
"""Each bucket is this much wider than the one before: a percentile is at most 9 % too high."""
SMALLEST_SECONDS = 0.001

Counters = Mapping[str, float]

PLACED, PAYMENT_FAILURES = "placed", "payment_failures"


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """One notification as the statistics take it; its event remembers ``event_id``, so that it never counts twice."""

    order_id: OrderId
    version: int
    event_id: str
    counters: Counter[str]
    day: str = ""
    """The UTC day of the change, as ``2026-11-20``."""
    of_day: Counter[str] = field(default_factory=Counter)
    """What it adds to that day's own counters, which only ever grow."""


def counted_event(detail: Mapping[str, Any]) -> CountedEvent | None:
    """What a notification adds to the counters; ``None`` when it adds nothing."""
    is_status = detail["event_type"] == ORDER_STATUS_CHANGED
    counters = _of_status(detail) if is_status else _of_signal(detail)
    of_day = _of_day(detail) if is_status else counters
    day = moment(detail["timestamp"]).date().isoformat()
    return CountedEvent(detail["order_id"], detail["version"], detail["event_id"], counters, day, of_day) if counters else None


def _of_day(detail: Mapping[str, Any]) -> Counter[str]:
    """What a change of status is to its day: who came in, who went where, and how long they had been there."""
    new, old, total = detail["new_status"], detail["old_status"], detail["total"]
    currency = total["currency"]
    counters: Counter[str] = Counter(
        {f"now:{new}": 1, f"worth:{new}:{currency}": total["amount"], f"orders:{new}:{currency}": 1}
    )
    counters.update({PLACED: 1} if old is None else _of_leaving(detail))
    return counters


def cancelled(reason: str) -> str:
    """The counter of the orders that were cancelled for a reason."""
    return f"cancelled:{reason}"


def _of_leaving(detail: Mapping[str, Any]) -> Counter[str]:
    old = detail["old_status"]
    counters: Counter[str] = Counter({f"move:{old}:{detail['new_status']}": 1})
    _observe(counters, f"status:{old}", detail["seconds_in_old_status"])
    for step, seconds in detail["step_seconds"].items():
        _observe(counters, f"step:{step}", seconds)
    # Events of earlier releases do not say why.
    if reason := detail.get("cancellation_reason"):
        counters[cancelled(reason)] += 1
    return counters


def _of_status(detail: Mapping[str, Any]) -> Counter[str]:
    new, old, total = detail["new_status"], detail["old_status"], detail["total"]
    currency = total["currency"]
    counters: Counter[str] = Counter(
        {f"now:{new}": 1, f"worth:{new}:{currency}": total["amount"], f"orders:{new}:{currency}": 1}
    )
    if old is None:
        counters[PLACED] = 1
        return counters
    counters[f"now:{old}"] -= 1
    counters[f"worth:{old}:{currency}"] -= total["amount"]
    counters[f"orders:{old}:{currency}"] -= 1
    counters.update(_of_leaving(detail))
    transit, took = transit_of(detail.get("carrier", "")), detail["step_seconds"].get(StepName.DELIVERY)
    if transit and took is not None:
        _observe(counters, transit, took)
    return counters


def _of_signal(detail: Mapping[str, Any]) -> Counter[str]:
    failed = detail["event_type"] == Signal.STEP_FAILED and detail.get("step") == StepName.PAYMENT
    return Counter({PAYMENT_FAILURES: 1}) if failed else Counter()


def _observe(counters: Counter[str], name: str, seconds: float) -> None:
    """Adds one observation to a histogram; times are kept as whole milliseconds, so that sums stay exact."""
    counters[f"{name}:n"] += 1
    counters[f"{name}:ms"] += round(max(0.0, seconds) * 1000)
    counters[f"{name}:b:{bucket(seconds)}"] += 1


def bucket(seconds: float) -> int:
    """The bucket of an observation."""
    return max(0, math.ceil(math.log(max(seconds, SMALLEST_SECONDS) / SMALLEST_SECONDS, RATIO) - 1e-9))


def upper_bound(number: int) -> float:
    """The longest time a bucket holds, in seconds."""
    return float(SMALLEST_SECONDS * RATIO**number)


def added(parts: Iterable[Counters]) -> Counters:
    """The sum of several sets of counters: shards, or batches."""
    total: Counter[str] = Counter()
    for part in parts:
        for name, value in part.items():
            total[name] += value  # type: ignore[assignment]  # a Counter of ints takes what DynamoDB holds: whole numbers
    return total


def duration(counters: Counters, name: str) -> Duration | None:
    """Mean and 95th percentile of one histogram, in seconds; ``None`` before its first observation."""
    observed = counters.get(f"{name}:n", 0)
    if observed <= 0:
        return None
    prefix = f"{name}:b:"
    buckets = sorted((int(key.removeprefix(prefix)), held) for key, held in counters.items() if key.startswith(prefix))
    wanted, seen = math.ceil(0.95 * observed), 0.0
    p95 = 0.0
    for number, held in buckets:
        seen += held
        p95 = upper_bound(number)
        if seen >= wanted:
            break
    return Duration(counters[f"{name}:ms"] / observed / 1000, p95)


def step_history(counters: Counters) -> dict[StepName, Duration]:
    """What each step took so far."""
    found = {step: duration(counters, f"step:{step}") for step in StepName}
    return {step: known for step, known in found.items() if known}


def history(counters: Counters) -> History:
    """What each step took so far, and each carrier to deliver: what the estimates rest on."""
    transits = {name: duration(counters, name) for one in KNOWN if (name := transit_of(one))}
    steps: dict[str, Duration] = {str(step): known for step, known in step_history(counters).items()}
    return steps | {name: known for name, known in transits.items() if known}
