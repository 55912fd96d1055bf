"""What the changes add up to: counters and mergeable histograms, from which estimates and the analytics are read.

A histogram's buckets grow by a fixed ratio, so any two can be added and a percentile is right to within that ratio.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from orders.domain.events import ORDER_STATUS_CHANGED, Signal
from orders.domain.identifiers import OrderId
from orders.domain.order import moment
from orders.domain.progress import Duration
from orders.domain.statuses import FORWARD_PATH, TRANSITIONS, OrderStatus
from orders.domain.steps import StepName

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


def _of_leaving(detail: Mapping[str, Any]) -> Counter[str]:
    old = detail["old_status"]
    counters: Counter[str] = Counter({f"move:{old}:{detail['new_status']}": 1})
    _observe(counters, f"status:{old}", detail["seconds_in_old_status"])
    for step, seconds in detail["step_seconds"].items():
        _observe(counters, f"step:{step}", seconds)
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
    """What each step took so far: what the estimates rest on."""
    found = {step: duration(counters, f"step:{step}") for step in StepName}
    return {step: known for step, known in found.items() if known}


def summary(counters: Counters) -> dict[str, Any]:
    """``GET /analytics/summary`` of all orders there ever were; ``count`` is how many are in the status now."""
    return {"from": None, "to": None, **_figures(counters), "days": []}


def summary_of(days: Mapping[str, Counters], first: date, last: date) -> dict[str, Any]:
    """The same of some days (UTC), both included; ``count`` is how many orders came into the status in them."""
    listed = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        **_figures(added(days.values())),
        "days": [{"date": day, **_rates(days.get(day, {})), "entered": _entered(days.get(day, {}))} for day in listed],
    }


def _figures(counters: Counters) -> dict[str, Any]:
    return {
        **_rates(counters),
        "statuses": [_status_summary(status, counters) for status in OrderStatus],
        "conversion": [_conversion(stage, counters) for stage in FORWARD_PATH if TRANSITIONS[stage] & set(FORWARD_PATH)],
        "steps": [
            {"step": step, "mean_seconds": round(known.mean, 3), "p95_seconds": round(known.p95, 3)}
            for step, known in step_history(counters).items()
        ],
    }


def _rates(counters: Counters) -> dict[str, Any]:
    placed = int(counters.get(PLACED, 0))
    came_off_the_way = counters.get(f"status:{OrderStatus.SHIPPED}:n", 0)
    return {
        "orders_placed": placed,
        "payment_failures": int(counters.get(PAYMENT_FAILURES, 0)),
        "cancel_rate": _share(counters.get(f"now:{OrderStatus.CANCELLED}", 0), placed) or 0.0,
        "return_rate": _share(counters.get(f"now:{OrderStatus.RETURNED}", 0), came_off_the_way) or 0.0,
    }


def _entered(counters: Counters) -> dict[str, int]:
    return {status: int(counters.get(f"now:{status}", 0)) for status in OrderStatus}


def _conversion(stage: OrderStatus, counters: Counters) -> dict[str, Any]:
    """Of the orders that left a stage, how many went on; the others were cancelled or came back."""
    moved = {after: int(counters.get(f"move:{stage}:{after}", 0)) for after in TRANSITIONS[stage]}
    left, went_on = sum(moved.values()), sum(count for after, count in moved.items() if after in FORWARD_PATH)
    return {"status": stage, "left": left, "went_on": went_on, "rate": _share(went_on, left)}


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None


def _status_summary(status: OrderStatus, counters: Counters) -> dict[str, Any]:
    lasted = duration(counters, f"status:{status}")
    values = [_mean_value(status, currency, counters) for currency in _currencies(status, counters)]
    return {
        "status": status,
        "count": int(counters.get(f"now:{status}", 0)),
        "mean_order_value": values[0] if values else None,
        "mean_order_values": values,
        "time_in_status": lasted and {"mean_seconds": round(lasted.mean, 3), "p95_seconds": round(lasted.p95, 3)},
    }


def _currencies(status: OrderStatus, counters: Counters) -> list[str]:
    """The currencies of the status's orders, the most frequent first."""
    prefix = f"orders:{status}:"
    held = {name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix) and count > 0}
    return sorted(held, key=lambda currency: (-held[currency], currency))


def _mean_value(status: OrderStatus, currency: str, counters: Counters) -> dict[str, Any]:
    orders, worth = counters[f"orders:{status}:{currency}"], counters.get(f"worth:{status}:{currency}", 0)
    return {"amount": round(worth / orders), "currency": currency}
