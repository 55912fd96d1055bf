"""The payment of an order, until it is charged or declined."""

from dataclasses import replace
from datetime import datetime

from orders.domain import facts, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive, fail
from orders.domain.decisions.reviewing import review_answered
from orders.domain.errors import ConstraintViolated, OrderChanged, OutcomeUnknown
from orders.domain.events import SYSTEM, EventType
from orders.domain.order import Change, Order, Snapshot
from orders.domain.payment import AT_THE_DOOR, GatewayOutcome, OpenedPayment, OutcomeKind, Payment
from orders.domain.statuses import UNSETTLED, OrderStatus, PaymentStatus, StepStatus, has_reached
from orders.domain.steps import CancelReason, PaymentDeclined, StepName


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


def check_due(snapshot: Snapshot) -> None:
    """Raises where no payment is due: the order is over, or waits for its review."""
    order = alive(snapshot)
    if snapshot.payment is None:
        review_answered(order)


def new_payment(order: Order, payment_id: str, provider: str, now: datetime) -> Payment:
    """The payment that a provider is to be asked for."""
    return Payment(payment_id, PaymentStatus.PROCESSING, order.total, order.method, provider, created_at=now)


def start_payment(snapshot: Snapshot, opened: OpenedPayment, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent, with the provider's own id of it, before money is asked for; ``None`` when that is written.

    An intent that an earlier release has written gets that id.
    """
    check_due(snapshot)
    order, found = snapshot.order, snapshot.payment
    if found is not None and (found.provider_reference or found.payment_id != opened.payment_id):
        return None
    begun = found or new_payment(order, opened.payment_id, opened.provider, now)
    payment = replace(begun, provider_reference=opened.reference)
    return recording.change(order, order, EventType.PAYMENT_STARTED, now, by, payment=payment)


def charged(snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str = SYSTEM) -> Change | None:
    """Follows what the provider has decided; ``None`` when that is already recorded.

    Raises:
        PaymentDeclined: it has refused.
    """
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if outcome.kind is OutcomeKind.DECLINED:
        raise PaymentDeclined(outcome.reason or "The payment was declined.")
    if outcome.kind is not OutcomeKind.SETTLED:
        raise OutcomeUnknown("The payment is not settled yet.")
    return payment_completed(snapshot, now, by)


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
