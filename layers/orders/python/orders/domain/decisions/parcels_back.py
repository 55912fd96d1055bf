"""A parcel that does not arrive: it has come back, or is lost and given back. The others go on."""

from dataclasses import replace
from datetime import datetime

from orders.domain import facts, goods, recording
from orders.domain.decisions import refunds
from orders.domain.decisions.delivering import arrived_at_last, is_last
from orders.domain.decisions.ending import return_order
from orders.domain.errors import ConstraintViolated
from orders.domain.events import EventType
from orders.domain.order import Change, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.refund import pieces as pieces_refunded
from orders.domain.statuses import OrderStatus, ParcelEnd, ShipmentStatus


def return_parcel(
    snapshot: Snapshot, shipment: Shipment, now: datetime, by: str, reason: str | None = None, refund_id: str | None = None
) -> Change:
    """A parcel has come back to its sender: its goods are put back, and paid back by the refund of that id.

    Raises:
        ConstraintViolated: it is not on its way.
    """
    order = snapshot.order
    if shipment.number not in {one.number for one in goods.under_way(snapshot)}:
        raise ConstraintViolated("The parcel is not on its way.", order_status=order.status)
    parcel = replace(
        shipment,
        status=ShipmentStatus.RETURNED_TO_SENDER,
        estimated_delivery=None,
        unconfirmed_delivery_at=None,
        ended=ParcelEnd.RETURNED if shipment.items else None,
    )
    return _ended(snapshot, parcel, EventType.PARCEL_RETURNED, now, by, reason, refund_id)


def lose_parcel(snapshot: Snapshot, shipment: Shipment, now: datetime, by: str) -> Change:
    """A parcel that the carrier has lost is given back: nothing comes of it any more."""
    return _ended(
        snapshot, replace(shipment, ended=ParcelEnd.LOST), EventType.PARCEL_LOST, now, by, "Lost by the carrier", None
    )


def _ended(
    snapshot: Snapshot, parcel: Shipment, kind: EventType, now: datetime, by: str, reason: str | None, refund_id: str | None
) -> Change:
    order = snapshot.order
    last, arrived = is_last(snapshot, parcel), goods.is_partly_delivered(order)
    if last and not arrived:
        known = snapshot.with_shipments(parcel) if parcel.ended is ParcelEnd.LOST else snapshot
        return return_order(known, now, by, reason, to_sender=True, parcel=parcel)
    pieces = goods.in_parcel(order, parcel) if parcel.ended is not ParcelEnd.LOST else {}
    after = goods.returned(order, pieces)
    if last and not goods.out(after):
        # The last parcel has come back, and what had arrived before it was sent back too: nothing is kept of the order.
        return return_order(snapshot, now, by, reason, to_sender=True, parcel=parcel)
    refund = refunds.for_pieces(snapshot, after, pieces, refund_id, reason, now, parcel) if refund_id else None
    stock, given_back = goods.by_product(order, pieces), (refund,) if refund else ()
    if last:
        said = facts.of_parcel(parcel)
        return arrived_at_last(snapshot, after, parcel, now, by, reason=reason, metadata=said, stock=stock, refunds=given_back)
    return recording.change(order, after, kind, now, by, reason=reason, shipment=parcel, stock=stock, refunds=given_back)


def lost_ones(snapshot: Snapshot) -> list[Shipment]:
    """The parcels that a carrier has lost, and for all of whose pieces money was given back."""
    given_back = pieces_refunded(snapshot.refunds)
    found = []
    for one in goods.under_way(snapshot):
        packed = goods.in_parcel(snapshot.order, one)
        if one.status is ShipmentStatus.LOST and all(given_back.get(line, 0) >= count for line, count in packed.items()):
            found.append(one)
    return found


def settled(snapshot: Snapshot, now: datetime, by: str) -> Change | None:
    """The order over its way, where each of its parcels is and the rest is cancelled. ``None`` where it is not."""
    order = snapshot.order
    if order.status is not OrderStatus.SHIPPED or order.is_over or not snapshot.shipments or goods.under_way(snapshot):
        return None
    if goods.is_partly_delivered(order) and not goods.out(order):
        return return_order(snapshot, now, by, "Everything has come back", to_sender=True)
    if goods.is_partly_delivered(order):
        return arrived_at_last(snapshot, order, None, now, by, metadata=facts.of_parcel(snapshot.shipment))
    return return_order(snapshot, now, by, "All parcels have come back", to_sender=True, parcel=snapshot.shipment)
