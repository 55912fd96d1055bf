"""A parcel on its way to the carrier: preparation, handover, shipment; and where it goes until then."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive
from orders.domain.errors import ConstraintViolated, IllegalTransition
from orders.domain.events import SYSTEM, EventType
from orders.domain.order import Address, Change, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import TERMINAL, TRANSITIONS, OrderStatus, ShipmentStatus, has_reached
from orders.domain.steps import StepName
from orders.domain.waits import GRACE


def start_preparation(
    snapshot: Snapshot, now: datetime, by: str, metadata: Mapping[str, Any], reason: str | None = None
) -> Change | None:
    """Fulfillment has begun on a cash-on-delivery order: CONFIRMED becomes PROCESSING."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if order.status is not OrderStatus.CONFIRMED:
        raise ConstraintViolated("The order must be paid, or cash on delivery, first.", order_status=order.status)
    due = {**metadata, **facts.of_payment(snapshot.payment)}
    return recording.move(
        order, order, OrderStatus.PROCESSING, EventType.PREPARATION_STARTED, now, by, metadata=due, reason=reason
    )


def start_handover(snapshot: Snapshot, shipment_id: str, carrier: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent to hand the parcel over, which also fixes the address; ``None`` when it is already written.

    A confirmed cash-on-delivery order that no fulfillment event has moved yet becomes PROCESSING here, at the latest.
    """
    order = alive(snapshot)
    if snapshot.shipment is not None:
        return None
    shipment = Shipment(shipment_id, ShipmentStatus.CREATED, carrier)
    if order.status is OrderStatus.CONFIRMED:
        return recording.move(order, order, OrderStatus.PROCESSING, EventType.HANDOVER_STARTED, now, by, shipment=shipment)
    if order.status is not OrderStatus.PROCESSING:
        raise IllegalTransition(order.status, OrderStatus.SHIPPED, TRANSITIONS[order.status])
    return recording.change(order, order, EventType.HANDOVER_STARTED, now, by, shipment=shipment)


def ship(
    snapshot: Snapshot, booked: Shipment, transit_seconds: float, token: str | None, now: datetime, by: str = SYSTEM
) -> Change | None:
    """The carrier has the parcel: SHIPPED. ``None`` when it was shipped before and nothing new has to be kept."""
    order = alive(snapshot)
    if has_reached(order.status, OrderStatus.SHIPPED):
        return _overtaken(snapshot, booked, token, now)
    after = step_done(order, StepName.SHIPPING, now)
    due = now + timedelta(seconds=transit_seconds) + GRACE
    after = replace(after, delivery_token=token or order.delivery_token, due_at=due)
    return recording.move(order, after, OrderStatus.SHIPPED, EventType.ORDER_SHIPPED, now, by, shipment=booked)


def _overtaken(snapshot: Snapshot, booked: Shipment, token: str | None, now: datetime) -> Change | None:
    """A report of the parcel arrived before its booking: stores the booked tracking number and the task token.

    Where the report has a tracking number of its own, that one stays the parcel's, and the booked one is noted.
    """
    order, known = snapshot.order, snapshot.shipment
    shipment, unused = None, {}
    if known is not None and known.shipment_id == booked.shipment_id:
        if known.tracking_number is None:
            shipment = replace(known, tracking_number=booked.tracking_number, sender=known.sender or booked.sender)
        elif booked.tracking_number not in (None, known.tracking_number):
            unused = {"booked_tracking_number": booked.tracking_number}
    if token is not None and token != order.delivery_token and order.status is OrderStatus.SHIPPED:
        after = replace(order, delivery_token=token)
        parcel = facts.of_parcel(shipment or known) | unused
        return recording.change(order, after, EventType.DELIVERY_AWAITED, now, shipment=shipment, metadata=parcel)
    if not unused and shipment in (None, known):
        return None
    metadata = facts.of_parcel(shipment or known) | unused
    return recording.change(order, order, EventType.FULFILLMENT_RECORDED, now, shipment=shipment, metadata=metadata)


def change_address(snapshot: Snapshot, address: Address, now: datetime, by: str) -> Change | None:
    """Changes the address, until the hand-over begins; ``None`` when the order already has this address."""
    order = snapshot.order
    if order.status in TERMINAL or order.is_over or snapshot.shipment is not None:
        raise ConstraintViolated(
            "The address can be changed only until the parcel is handed over to the carrier.", order_status=order.status
        )
    if address == order.shipping_address:
        return None
    after = replace(order, shipping_address=address)
    moved = facts.of_addresses(order.shipping_address, address)
    return recording.change(order, after, EventType.ADDRESS_CHANGED, now, by, metadata=moved)
