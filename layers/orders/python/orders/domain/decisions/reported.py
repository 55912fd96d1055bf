"""Which of an order's parcels an event of its fulfillment is about."""

from collections.abc import Iterable
from dataclasses import replace

from orders.domain import goods
from orders.domain.decisions.shipping import check_pieces
from orders.domain.errors import ConstraintViolated
from orders.domain.fulfillment import FulfillmentEvent, ReportedItem
from orders.domain.identifiers import TrackingNumber, comparable
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.scans import scanned
from orders.domain.statuses import ShipmentStatus

OUTSIDE_CARRIER = "external"


def known(snapshot: Snapshot, event: FulfillmentEvent) -> Shipment | None:
    """The parcel that an event names: a warehouse by its own id of it, a carrier by the number it travels under.

    A carrier's report of an order with one parcel is about that one: its number may have been replaced.
    """
    if event.scan is None:
        return next((one for one in snapshot.shipments if one.is_called(event.fulfillment_id)), None)
    number = comparable(TrackingNumber(event.fulfillment_id))
    found = [one for one in snapshot.shipments if one.tracking_number and comparable(one.tracking_number) == number]
    open_ones = [one for one in found if goods.end_of(snapshot.order, one) is None]
    only = snapshot.shipments if len(snapshot.shipments) == 1 else ()
    return next(iter([*reversed(open_ones), *reversed(found), *only]), None)


def pieces_of(snapshot: Snapshot, event: FulfillmentEvent) -> goods.Pieces:
    """The pieces that an event is about, or all that is left where it names none.

    Raises:
        ConstraintViolated, InvalidArgument: the order has no such pieces left.
    """
    free = goods.unpacked(snapshot)
    return check_pieces(snapshot, _on_lines(snapshot.order, free, event.items)) if event.items else free


def _on_lines(order: Order, free: goods.Pieces, items: Iterable[ReportedItem]) -> dict[str, int]:
    """The pieces by line: those of a product are on its lines in their order, as far as there are any left."""
    found: dict[str, int] = {}
    for item in items:
        lines = [item.line_id] if item.line_id else _lines_of_product(order, item.product_id)
        if not lines:
            raise ConstraintViolated("The order has no such product.", product_id=item.product_id)
        count = item.quantity
        for line_id in lines:
            room = count if line_id == lines[-1] else min(count, free.get(line_id, 0) - found.get(line_id, 0))
            if room > 0:
                found[line_id] = found.get(line_id, 0) + room
                count -= room
    return found


def _lines_of_product(order: Order, product_id: str | None) -> list[str]:
    return [line_id for line_id, line in order.lines_by_id.items() if line.product_id == product_id]


def _fits(event: FulfillmentEvent, packed: goods.Pieces) -> bool:
    """Whether a parcel may be the one that an event is about: it names the same pieces, or none."""
    return not event.items or {one.line_id: one.quantity for one in event.items} == dict(packed)


def to_ship(snapshot: Snapshot, event: FulfillmentEvent) -> Shipment | None:
    """The parcel that an event says is handed over, as it is then; ``None`` where nothing is left for it.

    It is ours where we have begun to hand one over, or else a new one of the event's items, or of all that is left.

    Raises:
        ConstraintViolated, InvalidArgument: its items are not there to be handed over.
    """
    order, found = snapshot.order, known(snapshot, event)
    ours = [one for one in goods.begun(snapshot) if one.fulfillment_id is None and _fits(event, goods.in_parcel(order, one))]
    shipment = found or next(iter(ours), None)
    if shipment is None:
        pieces = pieces_of(snapshot, event)
        if not pieces:
            return None
        shipment = goods.parcel(snapshot, event.fulfillment_id, pieces, OUTSIDE_CARRIER)
    return _handed_over(shipment, event)


def _handed_over(shipment: Shipment, event: FulfillmentEvent) -> Shipment:
    metadata = event.metadata or {}
    number = metadata.get("tracking_number")
    parcel = replace(
        _adopted(shipment, event),
        status=ShipmentStatus.IN_TRANSIT,
        sender=shipment.sender or metadata.get("sender"),
        carrier=str(metadata.get("carrier", shipment.carrier)),
        tracking_number=TrackingNumber(str(number)) if number else shipment.tracking_number,
    )
    return scanned(parcel, event.scan) or parcel


def _adopted(shipment: Shipment, event: FulfillmentEvent) -> Shipment:
    """The parcel under the warehouse's name for it, where it has none yet."""
    if event.scan or shipment.is_called(event.fulfillment_id) or shipment.fulfillment_id:
        return shipment
    return replace(shipment, fulfillment_id=event.fulfillment_id)


def adopted(snapshot: Snapshot, event: FulfillmentEvent) -> Shipment | None:
    """The parcel without a warehouse's name that gets the event's, where all is handed over."""
    if event.scan or known(snapshot, event) or goods.left(snapshot.order):
        return None
    ours = [one for one in snapshot.shipments if one.is_ours and goods.is_handed_over(snapshot.order, one)]
    return _adopted(ours[0], event) if ours else None


def to_deliver(snapshot: Snapshot, event: FulfillmentEvent) -> Shipment | None:
    """The parcel that an event says is delivered: the one that it names, or the only one under way."""
    found, under_way = known(snapshot, event), goods.under_way(snapshot)
    if found is None and len(under_way) == 1 and event.scan is None:
        return under_way[0]
    return found


def is_caught_up(snapshot: Snapshot, event: FulfillmentEvent) -> bool:
    """Whether a delivery is of a parcel whose hand-over was not reported: that of one of ours, or the first of the order."""
    order, found = snapshot.order, known(snapshot, event)
    if found is not None:
        return goods.is_to_be_handed_over(order, found)
    return not goods.is_partly_handed_over(order) and bool(goods.left(order))
