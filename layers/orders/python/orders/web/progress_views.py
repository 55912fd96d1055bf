"""How far an order's workflow is, as the API shows it."""

from datetime import datetime
from typing import NotRequired, TypedDict

from orders.domain.decisions import ending, reviewing
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot, Step, timestamp
from orders.domain.progress import History, estimate, running_step
from orders.domain.statuses import FulfillmentStatus, OrderStatus, OverallStatus, StepStatus
from orders.domain.steps import StepName
from orders.domain.waits import Waits
from orders.web.shapes import Count, Time, present, when


class _StepView(TypedDict):
    name: StepName
    order: Count
    status: StepStatus
    started_at: NotRequired[Time | None]
    completed_at: NotRequired[Time | None]
    error_message: NotRequired[str | None]


class ProgressView(TypedDict):
    """The workflow's progress."""

    order_id: OrderId
    status: OrderStatus
    fulfillment_status: FulfillmentStatus
    overall_status: OverallStatus
    current_step: StepName | None
    last_updated: Time
    estimated_completion: Time | None
    steps: list[_StepView]


def progress_view(snapshot: Snapshot, history: History, waits: Waits, now: datetime, *, timed: bool = True) -> ProgressView:
    """The saga's progress. ``timed`` is whether a timer delivers, or only the carrier knows."""
    order = snapshot.order
    current = running_step(order)
    estimated = estimate(order, snapshot.shipment, history, waits, now, timed=timed)
    return {
        "order_id": order.order_id,
        "status": order.status,
        "fulfillment_status": order.fulfillment_status,
        "overall_status": order.overall,
        "current_step": current.name if current else None,
        "last_updated": timestamp(order.updated_at),
        "estimated_completion": when(estimated),
        "steps": [
            present(
                _StepView,
                name=step.name,
                order=position,
                status=step.status,
                started_at=when(step.started_at),
                completed_at=when(step.completed_at),
                error_message=_for_customers(step),
            )
            for position, step in enumerate(order.steps, start=1)
        ],
    }


def _for_customers(step: Step) -> str | None:
    """A step's message as a sentence for customers: earlier releases wrote staff's reason into it."""
    if step.error_message is None:
        return None
    if step.name is StepName.DELIVERY:
        return ending.NOT_DELIVERED
    return reviewing.REJECTED if step.error_message.startswith(reviewing.REJECTED) else step.error_message
