"""How far an order has come, and when it should be done: read from the order's own item, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders.domain import steps
from orders.domain.order import Order, Step
from orders.domain.parcels import Shipment
from orders.domain.statuses import UNDECIDED_BY_TIME, ApprovalStatus, OrderStatus, StepStatus, has_reached
from orders.domain.steps import StepName
from orders.domain.waits import Waits


@dataclass(frozen=True, slots=True)
class Duration:
    """What a step took so far, in seconds, over all orders that finished it."""

    mean: float
    p95: float


History = Mapping[StepName, Duration]


def expected(waits: Waits) -> dict[StepName, float]:
    """What each step takes by configuration, in seconds: used while there is no history of it."""
    return {one.name: _configured(one.wait, waits) for one in steps.DEFINITIONS}


def _configured(wait: steps.Wait | None, waits: Waits) -> float:
    # A wait that only has a limit has no estimate before the limit; after the limit it is over.
    return 0 if wait is None or wait.is_limit else float(getattr(waits, wait.name))


def estimate(
    order: Order, shipment: Shipment | None, history: History, waits: Waits, now: datetime, *, timed: bool = True
) -> datetime | None:
    """When the order should be delivered: the mean of what remains, plus a buffer to its 95th percentile.

    The step under way counts for what is left of it. Where no timer delivers (``timed``), it is what the carrier says, as long
    as that lies ahead. ``None`` where only people can tell, and once the order is over.
    """
    if order.is_over or _is_for_people(order, shipment) or _is_for_warehouse(order, waits):
        return None
    if not timed:
        estimated = shipment and shipment.estimated_delivery
        return estimated if estimated and estimated >= now else None
    configured = expected(waits)
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


def _is_for_people(order: Order, shipment: Shipment | None) -> bool:
    """Whether the order waits for a reviewer or for its customer's payment, or its parcel is lost."""
    in_review = order.approval is not None and order.approval.status is ApprovalStatus.PENDING
    to_be_paid = order.confirmation_token is not None and order.status is OrderStatus.PENDING
    return in_review or to_be_paid or (shipment is not None and shipment.status in UNDECIDED_BY_TIME)


def _is_for_warehouse(order: Order, waits: Waits) -> bool:
    """Whether only the warehouse knows when the order is handed over."""
    return waits.warehouse > 0 and not has_reached(order.status, OrderStatus.SHIPPED)


def running_step(order: Order) -> Step | None:
    """The step under way; one being undone counts when none is."""
    undoing = next((step for step in reversed(order.steps) if step.status is StepStatus.COMPENSATING), None)
    return order.current_step or undoing
