"""The money that is held for an order: captured with its parcels, released where it is not wanted, renewed or lost.

A capture is written down before the provider is asked, in the change that begins or records the hand-over of its parcel.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain import facts, goods, recording
from orders.domain.decisions import taken_late
from orders.domain.events import SYSTEM, EventType
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import Capture, GatewayOutcome, Payment, capture_key
from orders.domain.refund import Refund
from orders.domain.shares import shares
from orders.domain.statuses import CaptureStatus, OrderStatus, OverallStatus, ParcelEnd, PaymentStatus, has_reached
from orders.domain.waits import GRACE

LOOKED_AT_BEFORE = timedelta(days=1)
"""How long before a hold ends the sweep renews it."""
NO_LONGER_HELD = "The money is held no longer."


def is_held(payment: Payment | None) -> bool:
    """Whether money is held, of which more may be taken."""
    return payment is not None and payment.status is PaymentStatus.AUTHORIZED


# --- what is taken ---


def begun(snapshot: Snapshot, shipment: Shipment, now: datetime) -> Payment | None:
    """The payment with the capture for a parcel written down; ``None`` where there is nothing (more) to take for it now."""
    payment, key = snapshot.payment, capture_key(shipment.shipment_id)
    if payment is None or not is_held(payment) or payment.capture(key) or payment.pending_capture:
        return None
    amount = _share(snapshot, payment, shipment)
    return payment.with_capture(Capture(key, amount, CaptureStatus.PENDING, now)) if amount else None


def _share(snapshot: Snapshot, payment: Payment, shipment: Shipment) -> int:
    """What the pieces of a parcel come to, with the delivery for the first one; all that is wanted where it is taken once."""
    order = snapshot.order
    worth = shares(order.lines_by_id, order.shipping_charge, order.discounts)
    earlier = [one for one in snapshot.shipments if _is_counted(payment.capture(capture_key(one.shipment_id)))]
    counted = {line_id: line.quantity_cancelled for line_id, line in order.lines_by_id.items()}
    for one in earlier:
        for line_id, count in goods.in_parcel(order, one).items():
            counted[line_id] += count
    wanted = goods.all_of(order) if payment.captures_once else goods.in_parcel(order, shipment)
    total = goods.all_of(order)
    pieces = {line_id: min(count, total[line_id] - counted[line_id]) for line_id, count in wanted.items()}
    delivery = 0 if payment.amount_captured else worth.shipping
    return min(worth.of_goods(pieces, counted) + delivery, payment.amount.amount - payment.amount_captured)


def _is_counted(capture: Capture | None) -> bool:
    return capture is not None and capture.status is not CaptureStatus.FAILED


def is_to_be_settled(payment: Payment | None, *, is_last: bool) -> bool:
    """Whether a hand-over leaves something to do for the money: a capture, or the release of what is not wanted."""
    return payment is not None and is_held(payment) and (is_last or payment.pending_capture is not None)


def is_due(snapshot: Snapshot) -> bool:
    """Whether there is something to do for the money after a hand-over; nothing is while the order is on hold."""
    if not is_held(snapshot.payment) or not _goes_on(snapshot.order) or snapshot.order.hold:
        return False
    return is_all_handed_over(snapshot.order) or _uncaptured(snapshot) is not None


def _goes_on(order: Order) -> bool:
    """Whether the order keeps what it was sent; of one that is undone, the unwinding releases or gives back the money."""
    return order.overall in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS, OverallStatus.COMPLETED)


def is_all_handed_over(order: Order) -> bool:
    """Whether no piece that is still wanted is left to be handed over."""
    return has_reached(order.status, OrderStatus.SHIPPED)


def _uncaptured(snapshot: Snapshot) -> Shipment | None:
    """A parcel that was handed over, and whose money is not taken, as far as is known."""
    payment = snapshot.payment
    for shipment in snapshot.shipments:
        known = payment.capture(capture_key(shipment.shipment_id)) if payment else None
        is_open = known is None or known.status is CaptureStatus.PENDING
        is_back = shipment.ended is ParcelEnd.RETURNED
        if is_open and not (shipment.recalled or is_back) and goods.is_handed_over(snapshot.order, shipment):
            return shipment
    return None


def begin_for(snapshot: Snapshot, shipment: Shipment, now: datetime) -> Change | None:
    """Writes down the capture for a parcel whose hand-over has begun; ``None`` where it is, or nothing is to be taken."""
    order, payment = snapshot.order, begun(snapshot, shipment, now) if _goes_on(snapshot.order) else None
    return recording.change(order, order, EventType.CAPTURE_STARTED, now, payment=payment) if payment else None


def begin(snapshot: Snapshot, now: datetime) -> Change | None:
    """Writes down the capture for a parcel that was handed over without one; ``None`` where there is none."""
    order, shipment = snapshot.order, _uncaptured(snapshot)
    payment = begun(snapshot, shipment, now) if shipment and is_due(snapshot) else None
    return recording.change(order, order, EventType.CAPTURE_STARTED, now, payment=payment) if payment else None


def captured(snapshot: Snapshot, capture_id: str, outcome: GatewayOutcome, transit: float, now: datetime) -> Change | None:
    """The provider has taken the money for a parcel; ``None`` when that is already recorded, or of no use any more."""
    order, found = snapshot.order, _pending(snapshot, capture_id)
    if found is None:
        return None
    payment, pending = found
    after = payment.with_capture(replace(pending, status=CaptureStatus.COMPLETED, at=now))
    is_last = after.amount_captured == after.amount.amount or payment.captures_once or outcome.captures_once
    after = after.completed(after.amount_captured) if is_last else after
    due = replace(order, due_at=_due_once_settled(order, transit, now))
    said = facts.of_capture(capture_id, pending.amount, payment.amount.currency)
    back = _given_back(snapshot, after, now)
    return recording.change(order, due, EventType.PAYMENT_CAPTURED, now, payment=after, metadata=said, refunds=back)


def _given_back(snapshot: Snapshot, payment: Payment, now: datetime) -> tuple[Refund, ...]:
    """What was taken for pieces that were given up before; of an order that is undone the unwinding gives it back."""
    return taken_late.given_back(snapshot, payment, now) if _goes_on(snapshot.order) else ()


def _pending(snapshot: Snapshot, capture_id: str) -> tuple[Payment, Capture] | None:
    """The payment and its capture, while that is not decided."""
    payment = snapshot.payment
    pending = payment.capture(capture_id) if payment and is_held(payment) else None
    return (payment, pending) if payment and pending and pending.status is CaptureStatus.PENDING else None


def _due_once_settled(order: Order, transit: float, now: datetime) -> datetime | None:
    """When the sweep looks at the order next: at the end of the transit where all parcels are under way."""
    if order.overall is OverallStatus.COMPLETED:
        return None
    if order.status is not OrderStatus.SHIPPED:
        return order.due_at
    return max(now, order.status_since + timedelta(seconds=transit)) + GRACE


def refused(snapshot: Snapshot, capture_id: str, message: str, transit: float, now: datetime) -> Change | None:
    """The provider takes no money for a parcel that is on its way: recorded, the parcel cannot be stopped.

    ``None`` when that is recorded, or the payment is closed.
    """
    order, found = snapshot.order, _pending(snapshot, capture_id)
    if found is None:
        return None
    payment, pending = found
    due = replace(order, due_at=_due_once_settled(order, transit, now))
    said = facts.of_capture(capture_id, pending.amount, payment.amount.currency)
    after = lost(payment, now, message)
    return recording.change(order, due, EventType.CAPTURE_REFUSED, now, reason=message, payment=after, metadata=said)


def lost(payment: Payment, now: datetime, message: str) -> Payment:
    """The payment of which no more can be taken: failed, or completed with what was captured before."""
    pending = payment.pending_capture
    known = payment.with_capture(replace(pending, status=CaptureStatus.FAILED, at=now)) if pending else payment
    if known.amount_captured:
        return known.completed(known.amount_captured)
    return replace(known.become(PaymentStatus.FAILED), failure_reason=message)


def released(snapshot: Snapshot, outcome: GatewayOutcome, transit: float, now: datetime) -> Change | None:
    """The provider has released what is not wanted; ``None`` when that is already recorded."""
    order, payment = snapshot.order, snapshot.payment
    if payment is None or not is_held(payment) or not _goes_on(order):
        return None
    after = payment.ended(outcome.captured)
    due = replace(order, due_at=_due_once_settled(order, transit, now))
    back = _given_back(snapshot, after, now)
    return recording.change(order, due, EventType.AUTHORIZATION_RELEASED, now, payment=after, refunds=back)


# --- how long it is held ---


def to_look_at(payment: Payment | None, due: datetime | None, now: datetime) -> datetime | None:
    """When the sweep looks at an order: where its money is held, a day before the hold ends, or then, if that is sooner."""
    ends = payment.authorization_expires_at if payment and is_held(payment) else None
    if due is None or payment is None or ends is None:
        return due
    look = ends + GRACE if payment.is_expiry_known else ends - LOOKED_AT_BEFORE
    return min(due, max(look, now + GRACE))


def ends_soon(snapshot: Snapshot, now: datetime) -> bool:
    """Whether the hold ends within a day, with parcels still to be handed over."""
    payment, order = snapshot.payment, snapshot.order
    if payment is None or not is_held(payment) or order.is_over or is_all_handed_over(order):
        return False
    ends = payment.authorization_expires_at
    return ends is not None and ends - LOOKED_AT_BEFORE <= now


def renewed(
    snapshot: Snapshot, outcome: GatewayOutcome, now: datetime, by: str = SYSTEM, *, late_after: float = 0
) -> Change | None:
    """The money is held for longer; ``None`` where none is held any more.

    ``late_after`` is how many seconds an order may wait for its warehouse, where it does: until then it is not late.
    """
    order, payment = snapshot.order, snapshot.payment
    if payment is None or not is_held(payment):
        return None
    after = replace(payment, authorization_expires_at=outcome.expires_at, is_expiry_known=False)
    until = {"expires_at": outcome.expires_at} if outcome.expires_at else {}
    late = max(order.due_at or now, order.status_since + timedelta(seconds=late_after), now + GRACE)
    due = replace(order, due_at=to_look_at(after, late, now))
    return recording.change(order, due, EventType.AUTHORIZATION_RENEWED, now, by, payment=after, metadata=until)
