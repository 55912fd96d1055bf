"""Undoes the steps that had an effect, in reverse order, and closes the order."""

from dataclasses import replace
from datetime import datetime

from orders.domain import facts, recording, returns
from orders.domain.decisions import shipping
from orders.domain.decisions.ending import how_ended
from orders.domain.events import EventType
from orders.domain.order import Change, Order, Snapshot
from orders.domain.statuses import TERMINAL, OrderStatus, OverallStatus, StepStatus
from orders.domain.steps import NOTHING, UNDOINGS, StepName


def undo_from(snapshot: Snapshot) -> str:
    """Where the unwinding has to enter its chain, from what the row says is still to be undone."""
    left = (undoing.entry for undoing in UNDOINGS.values() if undoing.is_left(snapshot))
    return next(left, NOTHING)


def shipment_recalled(snapshot: Snapshot, number: int, now: datetime) -> Change | None:
    """A parcel is recalled: the carrier returned it, or never had it; ``None`` when that is on record."""
    order = snapshot.order
    parcel = next((one for one in snapshot.shipments if one.number == number and not one.recalled), None)
    if parcel is None:
        return None
    recalled, after = replace(parcel, recalled=True, due_at=None), shipping.without(snapshot, parcel, now)
    return recording.change(order, after, EventType.SHIPMENT_RECALLED, now, shipment=recalled)


def release_stock(snapshot: Snapshot, now: datetime) -> Change | None:
    """Puts the goods back into stock, once."""
    order = snapshot.order
    if order.step(StepName.INVENTORY).status is not StepStatus.COMPENSATING:
        return None
    after = order.with_step(StepName.INVENTORY, StepStatus.COMPENSATED, now)
    released = order.pieces if order.restock is None else order.restock
    return recording.change(order, after, EventType.STOCK_RELEASED, now, stock=released)


def close(snapshot: Snapshot, now: datetime) -> Change | None:
    """Ends the unwinding: a failed order becomes CANCELLED with its reason; one that is over already keeps its status."""
    order = snapshot.order
    if order.overall is not OverallStatus.ROLLING_BACK:
        return None
    after = replace(order, overall=how_ended(order), due_at=None)
    if order.status in TERMINAL:
        undone = facts.of_steps_undone(step.name for step in order.steps if step.status is StepStatus.COMPENSATED)
        ended = returns.closed(snapshot.returns, snapshot.payment, snapshot.refunds, now)
        return recording.change(order, after, EventType.UNWINDING_COMPLETED, now, metadata=undone, returns=ended)
    cause = order.cancellation
    return recording.move(
        order,
        after,
        OrderStatus.CANCELLED,
        EventType.ORDER_CANCELLED,
        now,
        reason=_why_failed(order),
        metadata=facts.of_end(order, snapshot.payment, cause.reason if cause else None),
    )


def _why_failed(order: Order) -> str | None:
    return next((step.error_message for step in order.steps if step.status is StepStatus.FAILED), None)
