"""Cash that is collected with the parcels of an order: each parcel's share at its delivery, the rest of it with the last."""

from datetime import datetime

from orders.domain import goods
from orders.domain.decisions.paying import payment_of
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.payment import Capture, Payment, cash_key
from orders.domain.statuses import CaptureStatus, PaymentMethod, PaymentStatus


def share_of(order: Order, shipment: Shipment) -> int:
    """What is collected for a parcel, after all that was cancelled or delivered before it."""
    lines = order.lines_by_id
    before = {line_id: line.quantity_cancelled + line.quantity_delivered for line_id, line in lines.items()}
    delivery = 0 if goods.is_partly_delivered(order) else order.shares.shipping
    return order.shares.of_goods(goods.in_parcel(order, shipment), before) + delivery


def collected(snapshot: Snapshot, shipment: Shipment, now: datetime) -> Payment | None:
    """The payment with the share of a parcel collected; ``None`` where no cash was agreed on, or nothing is due."""
    payment = snapshot.payment
    if payment is None or payment.method is not PaymentMethod.CASH_ON_DELIVERY or payment.status is not PaymentStatus.PENDING:
        return None
    amount = share_of(snapshot.order, shipment)
    if not amount:
        return None
    return payment.with_capture(Capture(cash_key(shipment.shipment_id), amount, CaptureStatus.COMPLETED, now))


def settled(snapshot: Snapshot, delivered: Shipment | None, now: datetime) -> Payment:
    """The payment once the last parcel is over its way: all of it, or what was collected with the parcels that have arrived.

    It is voided where that is nothing.
    """
    if all(not one.items for one in snapshot.shipments):
        return payment_of(snapshot).completed()
    last = collected(snapshot, delivered, now) if delivered else None
    payment = last or payment_of(snapshot)
    return payment.ended(payment.amount_captured)
