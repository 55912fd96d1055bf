"""The payment of an order, until it is charged or declined."""

from dataclasses import replace
from datetime import datetime

from orders.domain import facts, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive, fail
from orders.domain.decisions.reviewing import review_answered
from orders.domain.errors import ConstraintViolated, OrderChanged
from orders.domain.events import SYSTEM, EventType
from orders.domain.order import Change, Snapshot
from orders.domain.payment import AT_THE_DOOR, Payment
from orders.domain.statuses import UNSETTLED, OrderStatus, PaymentStatus, StepStatus, has_reached
from orders.domain.steps import CancelReason, StepName


def accept_cash(snapshot: Snapshot, payment_id: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Confirms a cash-on-delivery order: nothing is charged before the parcel is handed over to the customer."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.CONFIRMED):
        return None
    review_answered(order)
    after = step_done(order, StepName.PAYMENT, now, StepStatus.SKIPPED)
    payment = Payment(payment_id, PaymentStatus.PENDING, order.total, order.method, AT_THE_DOOR, created_at=now)
    return recording.move(order, after, OrderStatus.CONFIRMED, EventType.ORDER_CONFIRMED, now, by, payment=payment)


def skip_payment(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """Goes on with an order that comes to nothing: it is PROCESSING, and no payment is made."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if snapshot.payment is not None:
        raise OrderChanged("A payment has been begun in the meantime.")
    review_answered(order)
    after = step_done(order, StepName.PAYMENT, now, StepStatus.SKIPPED)
    total = facts.of_total(order)
    return recording.move(order, after, OrderStatus.PROCESSING, EventType.PAYMENT_SKIPPED, now, by, metadata=total)


def start_payment(snapshot: Snapshot, payment_id: str, provider: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the payment intent before the gateway is called; ``None`` when it is already written or settled."""
    order = alive(snapshot)
    if snapshot.payment is not None:
        return None
    review_answered(order)
    payment = Payment(payment_id, PaymentStatus.PROCESSING, order.total, order.method, provider, created_at=now)
    return recording.change(order, order, EventType.PAYMENT_STARTED, now, by, payment=payment)


def payment_completed(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """The payment is charged: the order is PROCESSING. ``None`` when that is already recorded."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    after = step_done(order, StepName.PAYMENT, now)
    payment = payment_of(snapshot).completed()
    return recording.move(order, after, OrderStatus.PROCESSING, EventType.PAYMENT_COMPLETED, now, by, payment=payment)


def payment_declined(snapshot: Snapshot, message: str, now: datetime) -> Change | None:
    """The gateway declined: the intent is closed as FAILED and the unwinding begins."""
    if snapshot.payment is None or snapshot.payment.status not in UNSETTLED:
        return None
    declined = replace(snapshot.payment.become(PaymentStatus.FAILED), failure_reason=message)
    change = fail(replace(snapshot, payment=declined), CancelReason.PAYMENT_FAILED, message, now)
    return change and replace(change, payment=declined)


def payment_of(snapshot: Snapshot) -> Payment:
    """The order's payment; raises where it has none."""
    if snapshot.payment is None:
        raise ConstraintViolated("The order has no payment.", order_status=snapshot.order.status)
    return snapshot.payment
