"""The payment of an order, until it is charged or declined."""

from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain import facts, goods, recording
from orders.domain.decisions import capturing
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive, fail
from orders.domain.decisions.holding import AUTHORIZATION_EXPIRED, check_not_held
from orders.domain.decisions.reviewing import review_answered
from orders.domain.decisions.shortage import answered
from orders.domain.errors import ConstraintViolated, OrderChanged, OrderOver
from orders.domain.events import PAYMENTS, SYSTEM, EventType, FollowUp
from orders.domain.money import Money
from orders.domain.order import Change, Hold, Order, Snapshot
from orders.domain.payment import AT_THE_DOOR, GatewayOutcome, OpenedPayment, OutcomeKind, Payment
from orders.domain.payment_reports import PaymentReport
from orders.domain.refund import Refund
from orders.domain.statuses import (
    UNSETTLED,
    VOIDABLE,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    StepStatus,
    has_reached,
)
from orders.domain.steps import CancelReason, PaymentDeclined, StepName
from orders.domain.waits import GRACE

CANCELLED_MEANWHILE = "Cancelled while the payment was being made"
PROVIDER_DOWN = "The payment provider cannot be reached: it is asked again."
LONGEST_PAUSE = timedelta(hours=1)
"""How long at most a step is not tried again whose provider takes no calls."""
FIRST_LOOK = timedelta(minutes=2)
"""How long after the wait for a payment began the sweep asks the provider for the first time."""


def accept_cash(snapshot: Snapshot, payment_id: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Confirms a cash-on-delivery order: nothing is charged before the parcel is handed over to the customer."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.CONFIRMED):
        return None
    answered(order)
    review_answered(order)
    check_not_held(order)
    after = step_done(order, StepName.PAYMENT, now, StepStatus.SKIPPED)
    payment = Payment(payment_id, PaymentStatus.PENDING, order.due, order.method, AT_THE_DOOR, created_at=now)
    return recording.move(order, after, OrderStatus.CONFIRMED, EventType.ORDER_CONFIRMED, now, by, payment=payment)


def skip_payment(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """Goes on with an order that comes to nothing: it is PROCESSING, and no payment is made."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if snapshot.payment is not None:
        raise OrderChanged("A payment has been begun in the meantime.")
    answered(order)
    review_answered(order)
    check_not_held(order)
    after = goods.digital_delivered(step_done(order, StepName.PAYMENT, now, StepStatus.SKIPPED))
    total = facts.of_total(order)
    return recording.move(order, after, OrderStatus.PROCESSING, EventType.PAYMENT_SKIPPED, now, by, metadata=total)


def check_due(snapshot: Snapshot) -> None:
    """Raises where no payment is due: the order is over, waits for its review, or is on hold; a charge in flight goes on."""
    order = alive(snapshot)
    if snapshot.payment is None:
        answered(order)
        check_not_held(order)
    review_answered(order)


def new_payment(order: Order, payment_id: str, provider: str, now: datetime, *, is_captured_later: bool = False) -> Payment:
    """The payment that a provider is to be asked for; a transfer cannot be held."""
    held = is_captured_later and order.method is not PaymentMethod.BANK_TRANSFER
    return Payment(
        payment_id,
        PaymentStatus.PROCESSING,
        order.due,
        order.method,
        provider,
        created_at=now,
        is_captured_later=held,
    )


def start_payment(snapshot: Snapshot, opened: OpenedPayment, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent, with the provider's own id of it, before money is asked for; ``None`` when that is written.

    An intent that an earlier release has written gets that id.
    """
    check_due(snapshot)
    order, found = snapshot.order, snapshot.payment
    if found is not None and (found.provider_reference or found.payment_id != opened.payment_id):
        return None
    begun = found or new_payment(order, opened.payment_id, opened.provider, now, is_captured_later=opened.is_captured_later)
    if found is None and opened.amount not in (None, order.due):
        raise OrderChanged("The order comes to another amount now.")
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
    if outcome.kind is OutcomeKind.SETTLED:
        return _settled(snapshot, outcome, now, by)
    return _waiting(snapshot, outcome, now, by)


def _settled(snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str) -> Change | None:
    """The money is taken, or held for the order's parcels."""
    payment = payment_of(snapshot)
    if payment.is_captured_later and outcome.captured < payment.amount.amount:
        return payment_authorized(snapshot, outcome, now, by)
    return payment_completed(snapshot, now, by)


def _waiting(snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str) -> Change | None:
    """Records what the payment waits for; ``None`` when that is recorded."""
    needs_action = outcome.kind is OutcomeKind.ACTION_REQUIRED
    status = PaymentStatus.REQUIRES_ACTION if needs_action else PaymentStatus.PROCESSING
    kind = EventType.PAYMENT_ACTION_REQUIRED if needs_action else EventType.PAYMENT_PENDING
    payment = payment_of(snapshot)
    after = payment if payment.status is status else payment.become(status)
    after = replace(after, next_action=outcome.next_action)
    return None if after == payment else recording.change(snapshot.order, snapshot.order, kind, now, by, payment=after)


def await_confirmation(snapshot: Snapshot, token: str, seconds: float, now: datetime, run: int | None = None) -> Change | None:
    """Keeps the callback token of the wait for the payment; ``None`` when the payment is decided.

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} processes this order now.", order_status=order.status)
    if snapshot.payment is None or snapshot.payment.status not in UNSETTLED:
        return None
    until = now + timedelta(seconds=seconds)
    look = min(until, now + FIRST_LOOK) + GRACE
    after = replace(order, confirmation_token=token, confirmation_due_at=until, due_at=look)
    return recording.change(order, after, EventType.PAYMENT_AWAITED, now, metadata={"expires_at": until})


def delayed(snapshot: Snapshot, now: datetime) -> Change | None:
    """The provider takes no calls, or not with our credentials: the order stays open, and the sweep tries its step again."""
    order = snapshot.order
    if order.is_over:
        return None
    since = order.provider_down_since or now
    again = min(max((now - since) / 8, GRACE), LONGEST_PAUSE)
    after = replace(order, provider_down_since=since, due_at=now + again)
    return recording.change(order, after, EventType.PAYMENT_DELAYED, now, reason=PROVIDER_DOWN)


def confirmed(snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str = SYSTEM) -> Change | None:
    """Follows what the provider says of a payment that is waited for; ``None`` when nothing comes of it (any more)."""
    payment, order = snapshot.payment, snapshot.order
    if payment is None or payment.status not in UNSETTLED or order.is_over:
        return None
    if outcome.kind is OutcomeKind.SETTLED:
        return _settled(snapshot, outcome, now, by)
    if outcome.kind is OutcomeKind.DECLINED:
        return payment_declined(snapshot, outcome.reason or "The payment failed.", now)
    return _waiting(snapshot, outcome, now, by)


def record_report(snapshot: Snapshot, report: PaymentReport, now: datetime, reason: str) -> Change:
    """Records an event about the payment from which nothing follows, and why."""
    order, said = snapshot.order, facts.of_report(report)
    return recording.change(order, order, EventType.PAYMENT_REPORTED, now, PAYMENTS, reason=reason, metadata=said)


def payment_completed(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """The payment is charged: the order is PROCESSING. ``None`` when that is already recorded."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    return _paid(order, payment_of(snapshot).completed(), EventType.PAYMENT_COMPLETED, _next_look(order, now), now, by)


def payment_authorized(snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str = SYSTEM) -> Change | None:
    """The money is held: the order is PROCESSING, and pays with its parcels. ``None`` when that is already recorded."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    payment = payment_of(snapshot).authorized(outcome)
    due = capturing.to_look_at(payment, _next_look(order, now), now)
    return _paid(order, payment, EventType.PAYMENT_AUTHORIZED, due, now, by)


def _paid(order: Order, payment: Payment, kind: EventType, due: datetime | None, now: datetime, by: str) -> Change:
    after = replace(goods.digital_delivered(step_done(order, StepName.PAYMENT, now)), due_at=due)
    follow_up = FollowUp.ANSWER_PAID if order.confirmation_token else None
    back = _cancelled_meanwhile(order, payment, now)
    return recording.move(
        order, after, OrderStatus.PROCESSING, kind, now, by, payment=payment, follow_up=follow_up, refunds=back
    )


def _cancelled_meanwhile(order: Order, payment: Payment, now: datetime) -> tuple[Refund, ...]:
    """The refund of what was taken for pieces that were cancelled while the payment was being made; the sweep asks for it."""
    more = payment.amount_captured - order.due.amount
    if more <= 0:
        return ()
    amount, refund_id = Money(more, payment.amount.currency), f"refund-{payment.payment_id}-cancelled"
    return (Refund(refund_id, RefundStatus.PENDING, amount, now, SYSTEM, CANCELLED_MEANWHILE, due_at=now + GRACE),)


def _next_look(order: Order, now: datetime) -> datetime | None:
    """When the sweep looks at a paid order: one that has waited for its payment is still to be prepared."""
    return max(order.due_at, now + GRACE) if order.due_at and order.confirmation_token else order.due_at


def payment_declined(snapshot: Snapshot, message: str, now: datetime) -> Change | None:
    """The gateway declined, or gives nothing of what it held: the intent is closed as FAILED and the unwinding begins."""
    if snapshot.payment is None or snapshot.payment.status not in VOIDABLE:
        return None
    if snapshot.payment.status is PaymentStatus.AUTHORIZED:
        declined = capturing.lost(snapshot.payment, now, message)
    else:
        declined = replace(snapshot.payment.become(PaymentStatus.FAILED), failure_reason=message)
    change = fail(replace(snapshot, payment=declined), CancelReason.PAYMENT_FAILED, message, now, StepName.PAYMENT)
    if change and snapshot.order.confirmation_token:
        # Whoever waits for the payment is told; the unwinding starts with that, as the row says that there is one.
        change = replace(change, event=replace(change.event, follow_up=FollowUp.ANSWER_PAID))
    return change and replace(change, payment=declined)


def hold_ran_out(snapshot: Snapshot, now: datetime) -> Change | None:
    """The money is held no longer: an order of which nothing is handed over ends, any other waits on hold for people."""
    order, payment = snapshot.order, snapshot.payment
    if payment is None or not capturing.is_held(payment) or order.is_over:
        return None
    if payment.amount_captured:
        after = replace(order, hold=order.hold or Hold(AUTHORIZATION_EXPIRED, now, SYSTEM))
        lost = capturing.lost(payment, now, capturing.NO_LONGER_HELD)
        return recording.change(order, after, EventType.ORDER_HELD, now, reason=AUTHORIZATION_EXPIRED, payment=lost)
    change = payment_declined(snapshot, capturing.NO_LONGER_HELD, now)
    # Its workflow may wait for the release: it is stopped.
    return change and replace(change, event=replace(change.event, follow_up=FollowUp.STOP_AND_UNWIND))


def payment_of(snapshot: Snapshot) -> Payment:
    """The order's payment; raises where it has none."""
    if snapshot.payment is None:
        raise ConstraintViolated("The order has no payment.", order_status=snapshot.order.status)
    return snapshot.payment
