"""How far an order has come, and when it should be done: read from the order's own item, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders.lifecycle import Waits
from orders.order import Order, Step
from orders.statuses import StepName, StepStatus


@dataclass(frozen=True, slots=True)
class Duration:
    """What a step took so far, in seconds, over all orders that finished it."""

    mean: float
    p95: float


History = Mapping[StepName, Duration]


def expected(order: Order, waits: Waits) -> dict[StepName, float]:
    """What each step takes by configuration, in seconds: the answer while there is no history of it."""
    return {
        StepName.INVENTORY: 0,
        StepName.REVIEW: waits.approval if order.approval else 0,
        StepName.PAYMENT: waits.payment,
        StepName.SHIPPING: waits.preparation,
        StepName.DELIVERY: waits.delivery,
    }


def estimate(order: Order, history: History, waits: Waits, now: datetime) -> datetime | None:
    """When the order should be delivered: the mean of what remains, plus a buffer to its 95th percentile.

    The step under way counts for what is left of it. ``None`` once the order is over.
    """
    if order.is_over:
        return None
    configured = expected(order, waits)
    remaining = spread = 0.0
    for step in order.steps:
        if step.status not in (StepStatus.PENDING, StepStatus.IN_PROGRESS):
            continue
        known = history.get(step.name)
        mean = known.mean if known else configured[step.name]
        gone = (now - step.started_at).total_seconds() if step.started_at else 0.0
        remaining += max(0.0, mean - gone)
        spread += max(0.0, known.p95 - max(known.mean, gone)) if known else 0.0
    return now + timedelta(seconds=remaining + spread)


def running_step(order: Order) -> Step | None:
    """The step under way; one being undone counts when none is."""
    undoing = next((step for step in reversed(order.steps) if step.status is StepStatus.COMPENSATING), None)
    return order.current_step or undoing
