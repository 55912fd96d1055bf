"""A parcel on its way to the customer, and what the fulfillment reports of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, goods, recording
from orders.domain.decisions import cash, taken_late
from orders.domain.errors import ConstraintViolated, NotFound
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.order import Change, Order, Snapshot, timestamp
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.refund import Refund
from orders.domain.scans import is_undecided
from orders.domain.statuses import (
    OrderStatus,
    OverallStatus,
    ParcelEnd,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import StepName
from orders.domain.waits import GRACE

CONFIRM_DELIVERY = "Reported as delivered while on its way back: to be confirmed"


def deliver(
    snapshot: Snapshot,
    now: datetime,
    by: str = SYSTEM,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    delivered_at: datetime | None = None,
    number: int | None = None,
) -> Change | None:
    """The customer has a parcel, that of the number or the first under way; ``None`` when that is on record already.

    Cash is collected with it where that was agreed. The order is DELIVERED with the last of its parcels.
    ``delivered_at`` is when they were given it, where somebody says so; else what a carrier said before, or ``now``.
    """
    order = snapshot.order
    parcels = [one for one in goods.under_way(snapshot) if number in (None, one.number)]
    if order.status is OrderStatus.DELIVERED or (snapshot.shipments and not parcels and number):
        return None
    shipment = parcels[0] if parcels else None
    arrived = delivered_at or (shipment and shipment.unconfirmed_delivery_at) or now
    pieces = goods.in_parcel(order, shipment) if shipment else goods.kept(snapshot)
    said = {**(metadata or {}), "delivered_at": timestamp(arrived)}
    after = goods.delivered(order, pieces) if shipment else goods.arrived(order, pieces)
    parcel = shipment and _handed_over(shipment, arrived)
    if shipment and not is_last(snapshot, shipment):
        payment = cash.collected(snapshot, shipment, now)
        follow_up = FollowUp.ANSWER_DELIVERED if payment else None
        kind = EventType.PARCEL_DELIVERED
        return recording.change(
            order, after, kind, now, by, reason=reason, metadata=said, payment=payment, shipment=parcel, follow_up=follow_up
        )
    return arrived_at_last(snapshot, after, parcel, now, by, reason=reason, metadata=said)


def is_last(snapshot: Snapshot, shipment: Shipment) -> bool:
    """Whether the order is over its way once this parcel is."""
    others = [one for one in goods.under_way(snapshot) if one.number != shipment.number]
    return snapshot.order.status is OrderStatus.SHIPPED and not others


def arrived_at_last(snapshot: Snapshot, after: Order, parcel: Shipment | None, now: datetime, by: str, **rest: Any) -> Change:
    """The order is DELIVERED: the last of its parcels is over its way, and at least one has arrived."""
    order = snapshot.order
    after = after.with_step(StepName.DELIVERY, StepStatus.COMPLETED, now)
    payment = None
    collects = (order.pays_on_delivery and not order.is_settled_unpaid) or _agreed_on_cash(snapshot.payment)
    if collects:
        payment = cash.settled(snapshot, parcel if parcel and parcel.ended is not ParcelEnd.RETURNED else None, now)
        is_taken = payment.status is not PaymentStatus.VOIDED
        after = after.with_step(StepName.PAYMENT, StepStatus.COMPLETED if is_taken else StepStatus.SKIPPED, now)
        rest["refunds"] = (*rest.get("refunds", ()), *_owed_in_cash(replace(snapshot, order=after), payment, now))
    is_held = snapshot.payment is not None and snapshot.payment.status is PaymentStatus.AUTHORIZED
    after = replace(after, overall=OverallStatus.COMPLETED, due_at=now + GRACE if is_held else None)
    return recording.move(
        order,
        after,
        OrderStatus.DELIVERED,
        EventType.ORDER_DELIVERED,
        now,
        by,
        payment=payment,
        shipment=parcel,
        # The workflow's own step comes after the wait: nothing waits for it. Collected cash is recorded
        # in the gateway's ledger by the delivery itself, or by the follow-up if the delivery is interrupted.
        follow_up=FollowUp.ANSWER_DELIVERED if collects or (order.delivery_token and by != SYSTEM) else None,
        **rest,
    )


def _owed_in_cash(snapshot: Snapshot, payment: Payment, now: datetime) -> tuple[Refund, ...]:
    """What was collected for pieces that came back before the rest arrived: people hand it out."""
    return tuple(replace(one, due_at=None) for one in taken_late.given_back(snapshot, payment, now))


def _agreed_on_cash(payment: Payment | None) -> bool:
    """Whether cash was agreed on, of nothing too: earlier releases made a payment of that."""
    return payment is not None and payment.method is PaymentMethod.CASH_ON_DELIVERY


def _handed_over(shipment: Shipment, at: datetime) -> Shipment:
    ended = ParcelEnd.DELIVERED if shipment.items else None
    return replace(shipment, status=ShipmentStatus.DELIVERED, delivered_at=at, unconfirmed_delivery_at=None, ended=ended)


def report_overdue(snapshot: Snapshot, overdue_seconds: float, now: datetime) -> Change | None:
    """A parcel without any report from the carrier: recorded on the trail, and checked again after the same time."""
    order = snapshot.order
    if order.status is not OrderStatus.SHIPPED:
        return None
    after = replace(order, due_at=now + timedelta(seconds=overdue_seconds))
    parcel = facts.of_parcel(snapshot.shipment)
    reason = "No delivery reported by the carrier in time"
    return recording.change(order, after, EventType.DELIVERY_OVERDUE, now, reason=reason, metadata=parcel)


def update_location(
    snapshot: Snapshot,
    location: str,
    estimated_delivery: datetime | None,
    now: datetime,
    by: str,
    shipment_id: str | None = None,
) -> Change:
    """Records the location of a parcel, the latest where none is named, and its expected arrival."""
    order = snapshot.order
    shipment = snapshot.shipment if shipment_id is None else found(snapshot, shipment_id)
    if shipment is None or shipment not in goods.under_way(snapshot):
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


def found(snapshot: Snapshot, shipment_id: str) -> Shipment:
    """The order's parcel of that id; raises ``NotFound`` where there is none."""
    for one in snapshot.shipments:
        if one.shipment_id == shipment_id:
            return one
    raise NotFound(f"Order {snapshot.order.order_id} has no such parcel.")


def record_fulfillment(
    snapshot: Snapshot,
    now: datetime,
    by: str,
    metadata: Mapping[str, Any],
    parcel: Shipment | None = None,
    refused: str | None = None,
    kind: EventType = EventType.FULFILLMENT_RECORDED,
) -> Change:
    """Records a fulfillment event that does not change the order's status; ``refused`` is the reason if it was refused.

    ``parcel`` is the one it is about, after it. The workflow that waits for one that was lost, and is found again, goes on
    where a timer delivers.
    """
    order, kind = snapshot.order, EventType.FULFILLMENT_REFUSED if refused else kind
    before = next((one for one in snapshot.shipments if parcel and one.number == parcel.number), None)
    is_found = order.delivery_token is not None and is_undecided(before) and not is_undecided(parcel)
    follow_up = FollowUp.ANSWER_DELIVERED if is_found else None
    return recording.change(
        order, order, kind, now, by, reason=refused, metadata=metadata, shipment=parcel, follow_up=follow_up
    )


def question_delivery(
    snapshot: Snapshot, parcel: Shipment, now: datetime, by: str, metadata: Mapping[str, Any], at: datetime
) -> Change:
    """Records a delivery of a parcel on its way back: overdue until staff confirm who received it."""
    order, asked = snapshot.order, replace(parcel, unconfirmed_delivery_at=at)
    after = replace(order, due_at=now)
    return recording.change(
        order, after, EventType.FULFILLMENT_REFUSED, now, by, reason=CONFIRM_DELIVERY, metadata=metadata, shipment=asked
    )
