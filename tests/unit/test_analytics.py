"""What the changes add up to, however they are split, repeated and merged."""

import math
from collections import Counter
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orders.domain import analytics, notifications
from orders.domain.analytics import (
    RATIO,
    SMALLEST_SECONDS,
    CountedEvent,
    added,
    bucket,
    counted_event,
    duration,
    upper_bound,
)
from orders.domain.decisions import paying
from orders.domain.order import Event
from orders.domain.statuses import OrderStatus, StepStatus
from orders.domain.steps import CancelReason, StepName
from orders.web.analytics_views import of_all as summary
from tests.harness.examples import examples
from tests.harness.orders import Life, a_cod_order, a_wish, an_order

TIMES = st.floats(min_value=0, max_value=5_000_000, allow_nan=False)


# --- histograms -------------------------------------------------------------------------------------------------------


@given(TIMES)
def test_a_bucket_holds_what_is_at_most_its_bound_and_more_than_the_bound_before(seconds: float) -> None:
    number = bucket(seconds)
    assert seconds <= upper_bound(number) * (1 + 1e-9)
    assert number == 0 or seconds > upper_bound(number - 1) * (1 - 1e-9)


def observed(times: list[float]) -> Counter[str]:
    counters: Counter[str] = Counter()
    for seconds in times:
        analytics._observe(counters, "step:x", seconds)
    return counters


@given(st.lists(TIMES, min_size=1, max_size=200))
def test_the_mean_is_exact_to_the_millisecond_and_the_p95_right_to_within_the_ratio(times: list[float]) -> None:
    known = duration(observed(times), "step:x")
    assert known
    assert math.isclose(known.mean, sum(times) / len(times), abs_tol=0.0005 + 1e-9)
    true = sorted(times)[math.ceil(0.95 * len(times)) - 1]
    assert true * (1 - 1e-9) <= known.p95 <= max(true, SMALLEST_SECONDS) * RATIO * (1 + 1e-9)


@given(st.lists(st.lists(TIMES, max_size=30), min_size=1, max_size=8))
def test_histograms_of_parts_add_up_to_the_histogram_of_all(parts: list[list[float]]) -> None:
    assert added(map(observed, parts)) == observed([seconds for part in parts for seconds in part])


def test_nothing_observed_is_no_duration() -> None:
    assert duration({}, "step:x") is None


# --- changes ----------------------------------------------------------------------------------------------------------


def lives() -> list[Life]:
    made = [an_order(status, order_id=f"{status}-{n}") for status in OrderStatus for n in range(3) if status != "CONFIRMED"]
    made += [a_cod_order(status, order_id=f"cod-{status}") for status in (OrderStatus.CONFIRMED, OrderStatus.DELIVERED)]
    declined = Life(a_wish(order_id="declined", payment_token="tok_declined")).reserve().start_payment()
    declined.apply(paying.payment_declined(declined.snapshot, "The card was declined.", declined.tick()))
    made.append(declined.unwind())
    made.append(an_order(OrderStatus.PROCESSING, order_id="regret").cancel(CancelReason.CUSTOMER).unwind())
    return made


LIVES = lives()
EVENTS = [event for life in LIVES for event in life.trail]


def counted_by(events: list[Event]) -> list[CountedEvent]:
    details = [detail for event in events for _, detail, _ in notifications.messages(event)]
    return [one for one in map(counted_event, details) if one]


class Counts:
    """What the table does: each event id counts once, and each batch goes to some shard, all of it or nothing."""

    def __init__(self) -> None:
        self.shards: list[Counter[str]] = [Counter() for _ in range(8)]
        self.seen: set[str] = set()

    def count(self, shard: int, batch: list[CountedEvent]) -> None:
        fresh = {one.event_id: one for one in batch if one.event_id not in self.seen}
        for one in fresh.values():
            self.shards[shard].update(one.counters)
        self.seen |= set(fresh)

    def total(self) -> dict[str, float]:
        return {name: value for name, value in added(self.shards).items() if value}


ONCE = Counts()
ONCE.count(0, counted_by(EVENTS))


@examples(200)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_however_batches_are_split_repeated_and_shuffled_the_counters_are_the_same(random: Random, size: int) -> None:
    everything = counted_by(EVENTS)
    delivered = [*everything, *random.choices(everything, k=len(everything))]
    random.shuffle(delivered)
    counts = Counts()
    for first in range(0, len(delivered), size):
        batch = delivered[first : first + size]
        if random.random() < 0.3:
            half = len(batch) // 2  # bisected after a failure
            counts.count(random.randrange(8), batch[:half])
            counts.count(random.randrange(8), batch[half:])
        counts.count(random.randrange(8), batch)
    assert counts.total() == ONCE.total()


def test_the_counters_are_a_recount_of_the_orders() -> None:
    total = ONCE.total()
    for status in OrderStatus:
        there = [life.order for life in LIVES if life.order.status is status]
        assert total.get(f"now:{status}", 0) == len(there)
        assert total.get(f"worth:{status}:USD", 0) == sum(order.total.amount for order in there)
    assert total["placed"] == len(LIVES)
    assert total["payment_failures"] == 1
    for status in OrderStatus:
        entered = [_spells(life, status) for life in LIVES]
        left = sum(count for count, _ in entered)
        assert total.get(f"status:{status}:n", 0) == left
        assert total.get(f"status:{status}:ms", 0) == sum(milliseconds for _, milliseconds in entered)


def _spells(life: Life, status: OrderStatus) -> tuple[int, int]:
    """How often an order has left a status, and how long it had been in it, from its trail alone."""
    count = milliseconds = 0
    since: datetime | None = None
    for event in life.trail:
        if event.old_status is event.status:
            continue
        if event.old_status is status and since:
            count += 1
            milliseconds += round((event.at - since).total_seconds() * 1000)
        since = event.at
    return count, milliseconds


def test_every_step_that_was_completed_is_observed_once() -> None:
    total = ONCE.total()
    for step in StepName:
        took = [
            seconds
            for life in LIVES
            for _, detail, _ in (message for event in life.trail for message in notifications.messages(event))
            for name, seconds in detail.get("step_seconds", {}).items()
            if name == step
        ]
        finished = [
            life for life in LIVES if (found := life.order.step(step)).completed_at and found.status is StepStatus.COMPLETED
        ]
        assert total.get(f"step:{step}:n", 0) == len(took) >= len(finished)
        assert total.get(f"step:{step}:ms", 0) == sum(round(seconds * 1000) for seconds in took)


def test_a_carrier_s_times_are_those_of_the_orders_that_it_delivered_in_one_parcel() -> None:
    events = [event for life in LIVES for event in life.trail if event.status is OrderStatus.DELIVERED is not event.old_status]
    took = [event.measures.step_seconds[StepName.DELIVERY] for event in events if event.measures]
    known = analytics.history(ONCE.total())["transit:simex"]
    assert len(took) == len(events)
    assert math.isclose(known.mean, sum(took) / len(took), abs_tol=0.001)

    def counted(**facts: Any) -> set[str]:
        told = counted_by([replace(events[0], metadata={**events[0].metadata, **facts})])
        return {name.split(":")[1] for one in told for name in (*one.counters, *one.of_day) if name.startswith("transit:")}

    assert counted() == counted(carrier="SimEx Express") == {"simex"}
    assert counted(carrier="UPS") == {"ups"}
    assert counted(carrier="Aunt Ada's bicycle") == counted(carrier=["simex"]) == set(), (
        "so many names there may be, and no more"
    )
    assert counted(lines=[{"line_id": "1", "quantity": 1}]) == set(), "the order's times are not the parcel's"


def test_the_summary_says_it_in_words() -> None:
    said = summary(ONCE.total())
    assert said["orders_placed"] == len(LIVES)
    by_status = {entry["status"]: entry for entry in said["statuses"]}
    assert by_status[OrderStatus.DELIVERED]["count"] == sum(life.order.status is OrderStatus.DELIVERED for life in LIVES)
    assert by_status[OrderStatus.DELIVERED]["mean_order_value"] == {"amount": 3000, "currency": "USD"}
    cancelled = sum(life.order.status is OrderStatus.CANCELLED for life in LIVES)
    assert said["cancel_rate"] == round(cancelled / len(LIVES), 4)
    waited = by_status[OrderStatus.PENDING]["time_in_status"]
    assert waited
    assert waited["mean_seconds"] > 0
    assert summary({})["cancel_rate"] == 0.0
    assert all(entry["mean_order_value"] is None for entry in summary({})["statuses"])
