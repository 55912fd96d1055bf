"""A parcel on its way to the customer, and what the fulfillment reports of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, goods, recording
from orders.domain.decisions.paying import payment_of
from orders.domain.errors import ConstraintViolated
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.order import Change, Snapshot, timestamp
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.scans import Scan, scanned
from orders.domain.statuses import OrderStatus, OverallStatus, PaymentMethod, ShipmentStatus, StepStatus
from orders.domain.steps import StepName

CONFIRM_DELIVERY = "Reported as delivered while on its way back: to be confirmed"


def deliver(
    snapshot: Snapshot,
    now: datetime,
    by: str = SYSTEM,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    delivered_at: datetime | None = None,
) -> Change | None:
    """The customer has the parcel, and cash has been collected where that was agreed; ``None`` when on record already.

    ``delivered_at`` is when they were given it, where somebody says so; else what a carrier said before, or ``now``.
    """
    order = snapshot.order
    if order.status is OrderStatus.DELIVERED:
        return None
    after = order.with_step(StepName.DELIVERY, StepStatus.COMPLETED, now)
    payment = None
    collects = order.pays_on_delivery or _agreed_on_cash(snapshot.payment)
    if collects:
        payment = payment_of(snapshot).completed()
        after = after.with_step(StepName.PAYMENT, StepStatus.COMPLETED, now)
    shipment = snapshot.shipment
    arrived = delivered_at or (shipment and shipment.unconfirmed_delivery_at) or now
    after = goods.delivered(replace(after, overall=OverallStatus.COMPLETED, due_at=None), goods.under_way(order))
    return recording.move(
        order,
        after,
        OrderStatus.DELIVERED,
        EventType.ORDER_DELIVERED,
        now,
        by,
        payment=payment,
        shipment=shipment and _handed_over(shipment, arrived),
        reason=reason,
        metadata={**(metadata or {}), "delivered_at": timestamp(arrived)},
        # The workflow's own step comes after the wait: nothing waits for it. Collected cash is recorded
        # in the gateway's ledger by the delivery itself, or by the follow-up if the delivery is interrupted.
        follow_up=FollowUp.ANSWER_DELIVERED if collects or (order.delivery_token and by != SYSTEM) else None,
    )


def _agreed_on_cash(payment: Payment | None) -> bool:
    """Whether cash was agreed on, of nothing too: earlier releases made a payment of that."""
    return payment is not None and payment.method is PaymentMethod.CASH_ON_DELIVERY


def _handed_over(shipment: Shipment, at: datetime) -> Shipment:
    return replace(shipment, status=ShipmentStatus.DELIVERED, delivered_at=at, unconfirmed_delivery_at=None)


def report_overdue(snapshot: Snapshot, overdue_seconds: float, now: datetime) -> Change | None:
    """A parcel without any report from the carrier: recorded on the trail, and checked again after the same time."""
    order = snapshot.order
    if order.status is not OrderStatus.SHIPPED:
        return None
    after = replace(order, due_at=now + timedelta(seconds=overdue_seconds))
    parcel = facts.of_parcel(snapshot.shipment)
    reason = "No delivery reported by the carrier in time"
    return recording.change(order, after, EventType.DELIVERY_OVERDUE, now, reason=reason, metadata=parcel)


def update_location(snapshot: Snapshot, location: str, estimated_delivery: datetime | None, now: datetime, by: str) -> Change:
    """Records the parcel's location and its expected arrival."""
    order, shipment = snapshot.order, snapshot.shipment
    if shipment is None or order.status is not OrderStatus.SHIPPED:
        raise ConstraintViolated("A location can be set only while the parcel is in transit.", order_status=order.status)
    status = ShipmentStatus.IN_TRANSIT if shipment.status is ShipmentStatus.CREATED else shipment.status
    moved = replace(
        shipment,
        status=status,
        current_location=location,
        estimated_delivery=estimated_delivery or shipment.estimated_delivery,
    )
    seen = {"location": location, **({"estimated_delivery": estimated_delivery} if estimated_delivery else {})}
    return recording.change(order, order, EventType.LOCATION_UPDATED, now, by, shipment=moved, metadata=seen)


def record_fulfillment(
    snapshot: Snapshot,
    now: datetime,
    by: str,
    metadata: Mapping[str, Any],
    scan: Scan | None = None,
    refused: str | None = None,
) -> Change:
    """Records a fulfillment event that does not change the order's status; ``refused`` is the reason if it was refused."""
    kind = EventType.FULFILLMENT_REFUSED if refused else EventType.FULFILLMENT_RECORDED
    shipment = scanned(snapshot.shipment, scan)
    return recording.change(snapshot.order, snapshot.order, kind, now, by, reason=refused, metadata=metadata, shipment=shipment)


def question_delivery(
    snapshot: Snapshot, now: datetime, by: str, metadata: Mapping[str, Any], at: datetime, scan: Scan | None
) -> Change:
    """Records a delivery of a parcel on its way back: overdue until staff confirm who received it."""
    order, shipment = snapshot.order, scanned(snapshot.shipment, scan)
    asked = shipment and replace(shipment, unconfirmed_delivery_at=at)
    after = replace(order, due_at=now)
    return recording.change(
        order, after, EventType.FULFILLMENT_REFUSED, now, by, reason=CONFIRM_DELIVERY, metadata=metadata, shipment=asked
    )
