"""How an order ends early: cancelled, failed or returned; what had taken effect is marked to be undone."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from orders.domain import facts, goods, recording, returns
from orders.domain.errors import ConstraintViolated, IllegalTransition, OrderOver
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.order import Cancellation, Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.statuses import (
    CANCELLABLE,
    RETURNABLE,
    TRANSITIONS,
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    ParcelEnd,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import UNDOINGS, CancelReason, StepName
from orders.domain.waits import GRACE

NOT_DELIVERED = "The parcel came back without being delivered"
"""What customers read in a failed step; the reason that staff gave is on the audit trail, for staff."""


def cancel(snapshot: Snapshot, reason: CancelReason, now: datetime, by: str, note: str | None = None) -> Change:
    """Cancels at once; what had taken effect is marked to be undone, in reverse, by the unwinding machine."""
    order = snapshot.order
    if order.status not in CANCELLABLE:
        raise IllegalTransition(order.status, OrderStatus.CANCELLED, TRANSITIONS[order.status])
    if order.is_over:
        raise ConstraintViolated("The order is already being unwound.", order_status=order.status)
    if goods.is_partly_handed_over(order):
        raise ConstraintViolated("A parcel is handed over: only what is not can be cancelled.", order_status=order.status)
    marked = to_be_undone(snapshot, now, interrupted=StepStatus.SKIPPED)
    after = replace(marked, cancellation=Cancellation(reason, now, by, note))
    closed = _closed(snapshot)
    return recording.move(
        order,
        after,
        OrderStatus.CANCELLED,
        EventType.ORDER_CANCELLED,
        now,
        by,
        reason=note,
        payment=closed,
        metadata=facts.of_end(order, closed or snapshot.payment, reason),
        follow_up=FollowUp.STOP_AND_UNWIND,
    )


def fail(snapshot: Snapshot, reason: CancelReason, message: str, now: datetime, name: StepName | None = None) -> Change | None:
    """A step of the workflow failed permanently, the current one or that of the name: it becomes FAILED, and the unwinding
    begins.

    The order is closed with its reason at the end of the unwinding, or here when nothing had taken effect yet. ``None``
    when the order is over already.
    """
    order = snapshot.order
    if order.is_over or order.status not in CANCELLABLE:
        return None
    approval = order.approval
    if approval is not None and reason is CancelReason.APPROVAL_TIMEOUT:
        order = replace(order, approval=replace(approval, status=ApprovalStatus.TIMED_OUT))
    failing = name or (order.current_step.name if order.current_step else StepName.INVENTORY)
    cause = Cancellation(reason, now, SYSTEM)
    decided = replace(snapshot, order=order)
    change = failed_at(decided, failing, message, cause, EventType.STEP_FAILED, FollowUp.START_UNWINDING)
    return replace(change, before=snapshot.order)


def return_order(
    snapshot: Snapshot,
    now: datetime,
    by: str,
    reason: str | None = None,
    *,
    to_sender: bool = False,
    parcel: Shipment | None = None,
) -> Change:
    """Takes the goods back: RETURNED at once, refund and restock by the unwinding machine.

    ``to_sender`` is a parcel the carrier brings back undelivered, the last of them where they are several; otherwise the
    customer returns what was delivered. ``parcel`` is it as it is then, where that is known already.
    """
    order = snapshot.order
    wanted_from = RETURNABLE if to_sender else RETURNABLE - {OrderStatus.SHIPPED}
    if order.status not in wanted_from:
        raise IllegalTransition(order.status, OrderStatus.RETURNED, TRANSITIONS[order.status] - {OrderStatus.RETURNED})
    why = reason or ("Returned to sender" if to_sender else None)
    closed = _closed(snapshot)
    known = replace(snapshot, payment=closed or snapshot.payment)
    after = to_be_undone(known, now, interrupted=StepStatus.FAILED, message=NOT_DELIVERED, recall=False)
    after = goods.returned(after, goods.kept(snapshot))
    change = recording.move(
        order,
        after,
        OrderStatus.RETURNED,
        EventType.ORDER_RETURNED,
        now,
        by,
        reason=why,
        payment=closed,
        metadata=facts.of_end(order, known.payment),
        shipment=parcel or (_returned(snapshot.shipment) if to_sender else snapshot.shipment),
        returns=returns.taken_back(snapshot.returns, now, by),
        follow_up=FollowUp.STOP_AND_UNWIND,
    )
    written = {one.number for one in change.shipments}
    others = [_returned(one) for one in goods.under_way(snapshot) if to_sender and one.number not in written]
    return replace(change, shipments=(*change.shipments, *(one for one in others if one)))


def _returned(shipment: Shipment | None) -> Shipment | None:
    return shipment and replace(
        shipment,
        status=ShipmentStatus.RETURNED_TO_SENDER,
        estimated_delivery=None,
        unconfirmed_delivery_at=None,
        ended=ParcelEnd.RETURNED if shipment.items else None,
    )


def alive(snapshot: Snapshot) -> Order:
    """The order, unless it is being unwound or closed."""
    order = snapshot.order
    if order.overall in (OverallStatus.ROLLING_BACK, OverallStatus.ROLLED_BACK, OverallStatus.FAILED):
        raise OrderOver(f"The order is {order.status} and is being unwound or closed.", order_status=order.status)
    return order


def failed_at(
    snapshot: Snapshot, name: StepName, message: str, cause: Cancellation, kind: EventType, follow_up: FollowUp
) -> Change:
    """One step failed permanently. If no step had an effect, the same change closes the order."""
    before, now = snapshot.order, cause.at
    failed = before.with_step(name, StepStatus.FAILED, now, message)
    marked = to_be_undone(replace(snapshot, order=failed), now, interrupted=StepStatus.SKIPPED)
    after = replace(marked, cancellation=cause)
    record = partial(recording.change, before, after)
    if after.overall is OverallStatus.FAILED:
        kind = EventType.ORDER_CANCELLED if kind is EventType.STEP_FAILED else kind
        record = partial(recording.move, before, after, OrderStatus.CANCELLED)
    closed = _closed(snapshot)
    end = facts.of_end(before, closed or snapshot.payment, cause.reason)
    return record(kind, now, cause.by, reason=cause.note or message, payment=closed, metadata=end, follow_up=follow_up)


def _closed(snapshot: Snapshot) -> Payment | None:
    """The cash of which no more is collected: what was, with the parcels that have arrived, is all of it; or it is voided.

    ``None`` where there is no such payment.
    """
    payment = snapshot.payment
    return payment.ended(payment.amount_captured) if payment and payment.status is PaymentStatus.PENDING else None


def to_be_undone(
    snapshot: Snapshot, now: datetime, *, interrupted: StepStatus, message: str | None = None, recall: bool = True
) -> Order:
    """Marks each step for the unwinding: effects COMPENSATING, what never began SKIPPED, what was cut short ``interrupted``."""
    order = snapshot.order
    effects = {name for name, undoing in UNDOINGS.items() if undoing.took_effect(snapshot)}
    effects -= set() if recall else {StepName.SHIPPING}
    after = replace(order, hold=None)
    for step in order.steps:
        if step.name in effects and step.status in (StepStatus.COMPLETED, StepStatus.IN_PROGRESS):
            after = after.with_step(step.name, StepStatus.COMPENSATING, now)
        elif step.status is StepStatus.IN_PROGRESS:
            after = after.with_step(step.name, interrupted, now, message)
        elif step.status is StepStatus.PENDING:
            after = after.with_step(step.name, StepStatus.SKIPPED, now)
    if not effects:
        return replace(after, overall=how_ended(after), due_at=None)
    if StepName.INVENTORY in effects and (left := goods.to_restock(snapshot)) != order.pieces:
        after = replace(after, restock=left)
    return replace(after, overall=OverallStatus.ROLLING_BACK, unwind_run=order.unwind_run + 1, due_at=now + GRACE)


def how_ended(order: Order) -> OverallStatus:
    """The final status of an order that was not delivered: FAILED if nothing had to be undone.

    Money that its provider gives back in its own time is still being given back then.
    """
    undone = any(step.status in (StepStatus.COMPENSATED, StepStatus.COMPENSATING) for step in order.steps)
    return OverallStatus.ROLLED_BACK if undone else OverallStatus.FAILED
