"""How far an order has come, and when it should be done: read from the order's own item, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders.domain import steps
from orders.domain.order import Order, Step
from orders.domain.parcels import Shipment
from orders.domain.statuses import UNDECIDED_BY_TIME, ApprovalStatus, OrderStatus, ShipmentStatus, StepStatus, has_reached
from orders.domain.steps import StepName
from orders.domain.tracking_pages import known_name
from orders.domain.waits import Waits


@dataclass(frozen=True, slots=True)
class Duration:
    """What a step took so far, in seconds, over all orders that finished it."""

    mean: float
    p95: float


History = Mapping[str, Duration]
"""What each step took, by its name, and what each carrier took to deliver, by ``transit_of`` it."""


def transit_of(carrier: str) -> str | None:
    """Under which name a carrier's time to deliver is counted: those that are known by name, so that there are not many."""
    name = known_name(carrier)
    return f"transit:{name}" if name else None


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

    The step under way counts for what is left of it; a parcel on its way for what its own carrier takes, where that is known.
    Where no timer delivers (``timed``), it is what the carrier says, or what it took so far for others, as long as that lies
    ahead. ``None`` where only people can tell, and once the order is over.
    """
    if order.is_over or _is_for_people(order, shipment) or _is_for_warehouse(order, waits):
        return None
    transit = _transit(order, shipment, history)
    if not timed:
        estimated = shipment and (shipment.estimated_delivery or _by_history(order, shipment, transit))
        return estimated if estimated and estimated >= now else None
    configured = expected(waits)
    remaining = spread = 0.0
    for step in order.steps:
        if step.status not in (StepStatus.PENDING, StepStatus.IN_PROGRESS):
            continue
        known = (transit if step.name is StepName.DELIVERY else None) or history.get(step.name)
        mean = known.mean if known else configured[step.name]
        gone = (now - step.started_at).total_seconds() if step.started_at else 0.0
        remaining += max(0.0, mean - gone)
        spread += max(0.0, known.p95 - max(known.mean, gone)) if known else 0.0
    return now + timedelta(seconds=remaining + spread)


def _transit(order: Order, shipment: Shipment | None, history: History) -> Duration | None:
    """What the carrier of the order's parcel took for others, once it has the last of its goods."""
    name = transit_of(shipment.carrier) if shipment and order.status is OrderStatus.SHIPPED else None
    return history.get(name) if name else None


def _by_history(order: Order, shipment: Shipment, transit: Duration | None) -> datetime | None:
    """When a parcel should arrive that its carrier says nothing of; one to be fetched waits for its customer."""
    began = order.step(StepName.DELIVERY).started_at
    if transit is None or began is None or shipment.status is ShipmentStatus.AVAILABLE_FOR_PICKUP:
        return None
    return began + timedelta(seconds=max(transit.mean, transit.p95))


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
