"""The pieces of an order, line by line: cancelled, handed over, delivered, given back; and which of them are in a parcel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from orders.domain.identifiers import TrackingNumber
from orders.domain.lines import Line
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import TERMINAL, OrderStatus, ParcelEnd, ShipmentStatus, StepStatus, has_reached
from orders.domain.steps import StepName

Pieces = Mapping[str, int]
"""How many pieces of which line, by the lines' ids."""
Quantities = tuple[int, int, int, int]
"""Of one line: the pieces that are cancelled, handed over, delivered and given back."""


def left(order: Order) -> Pieces:
    """What is still to be handed over."""
    found = {line_id: line.wanted - line.quantity_shipped for line_id, line in order.lines_by_id.items()}
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def all_of(order: Order) -> Pieces:
    """Every piece that was ordered."""
    return {line_id: line.quantity for line_id, line in order.lines_by_id.items()}


def in_parcel(order: Order, shipment: Shipment) -> Pieces:
    """What is in a parcel."""
    return shipment.items or all_of(order)


def lines_of(order: Order, shipment: Shipment) -> tuple[Line, ...]:
    """The lines of a parcel, each with as many pieces as are in it."""
    lines = order.lines_by_id
    return tuple(replace(lines[line_id], quantity=pieces) for line_id, pieces in in_parcel(order, shipment).items())


def kept(snapshot: Snapshot) -> Pieces:
    """What is handed over, and neither given back nor lost."""
    lost = _lost(snapshot)
    found = {
        line_id: line.quantity_shipped - line.quantity_returned - lost.get(line_id, 0)
        for line_id, line in snapshot.order.lines_by_id.items()
    }
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def _lost(snapshot: Snapshot) -> Pieces:
    found: dict[str, int] = {}
    for shipment in snapshot.shipments:
        if shipment.ended is ParcelEnd.LOST:
            for line_id, pieces in in_parcel(snapshot.order, shipment).items():
                found[line_id] = found.get(line_id, 0) + pieces
    return found


def is_partly_handed_over(order: Order) -> bool:
    """Whether a part of the order has left."""
    return any(line.quantity_shipped for line in order.lines)


def is_partly_delivered(order: Order) -> bool:
    """Whether a part of the order has arrived."""
    return any(line.quantity_delivered for line in order.lines)


def is_handed_over(order: Order, shipment: Shipment) -> bool:
    """Whether a parcel has left; one whose hand-over has only begun, or was given up, has not."""
    if shipment.shipped_at is not None:
        return True
    # The order's only parcel, which is recalled when the order is over, had left with it.
    is_withdrawn = shipment.recalled and (bool(shipment.items) or order.status not in TERMINAL)
    return has_reached(order.status, OrderStatus.SHIPPED) and not is_withdrawn


def is_withdrawn(order: Order, shipment: Shipment) -> bool:
    """Whether a parcel was given up before it left."""
    return shipment.recalled and not is_handed_over(order, shipment)


def is_to_be_handed_over(order: Order, shipment: Shipment) -> bool:
    """Whether the hand-over of a parcel has begun, and is neither recorded nor given up."""
    return not (is_handed_over(order, shipment) or shipment.recalled)


def end_of(order: Order, shipment: Shipment) -> ParcelEnd | None:
    """What became of a parcel; of one with the whole order in it, what became of the order."""
    if shipment.ended or shipment.items or is_withdrawn(order, shipment):
        return shipment.ended
    was_delivered = order.step(StepName.DELIVERY).status is StepStatus.COMPLETED
    if order.status is OrderStatus.RETURNED and not was_delivered:
        return ParcelEnd.RETURNED
    return ParcelEnd.DELIVERED if has_reached(order.status, OrderStatus.DELIVERED) else None


def under_way(snapshot: Snapshot) -> list[Shipment]:
    """The parcels that have left, and neither arrived nor come back."""
    order = snapshot.order
    return [one for one in snapshot.shipments if is_handed_over(order, one) and end_of(order, one) is None]


def begun(snapshot: Snapshot) -> list[Shipment]:
    """The parcels whose hand-over has begun, and is not recorded."""
    return [one for one in snapshot.shipments if is_to_be_handed_over(snapshot.order, one)]


def unpacked(snapshot: Snapshot) -> Pieces:
    """What is still to be handed over and in no parcel whose hand-over has begun."""
    found = dict(left(snapshot.order))
    for shipment in begun(snapshot):
        for line_id, pieces in in_parcel(snapshot.order, shipment).items():
            found[line_id] = found.get(line_id, 0) - pieces
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def parcel(
    snapshot: Snapshot, shipment_id: str, pieces: Pieces, carrier: str, number: TrackingNumber | None = None
) -> Shipment:
    """The order's next parcel, not handed over yet."""
    place = max((one.number for one in snapshot.shipments), default=0) + 1
    packed = {} if pieces == all_of(snapshot.order) else pieces
    return Shipment(shipment_id, ShipmentStatus.CREATED, carrier, number, items=packed, number=place)


def with_parcel(order: Order, shipment: Shipment) -> Order:
    """The order that knows of its further parcel."""
    if shipment.number == 1 or shipment.shipment_id in order.further_parcels:
        return order
    return replace(order, further_parcels=(*order.further_parcels, shipment.shipment_id))


def shipped_at(order: Order, shipment: Shipment) -> datetime | None:
    """When a parcel was handed over; an order's only parcel, when the order was shipped."""
    if shipment.shipped_at or shipment.status is ShipmentStatus.CREATED or is_withdrawn(order, shipment):
        return shipment.shipped_at
    return order.step(StepName.SHIPPING).completed_at


def by_product(order: Order, pieces: Pieces) -> dict[str, int]:
    """The same by product, as stock is counted."""
    found: dict[str, int] = {}
    lines = order.lines_by_id
    for line_id, count in pieces.items():
        product = lines[line_id].product_id
        found[product] = found.get(product, 0) + count
    return found


def cancelled(order: Order, pieces: Pieces) -> Order:
    """The order without these pieces."""
    return _counted(order, pieces, lambda line, n: replace(line, quantity_cancelled=line.quantity_cancelled + n))


def handed_over(order: Order, pieces: Pieces) -> Order:
    """The order with these pieces handed over."""
    return _counted(order, pieces, lambda line, n: replace(line, quantity_shipped=line.quantity_shipped + n))


def delivered(order: Order, pieces: Pieces) -> Order:
    """The order with these pieces delivered."""
    return _counted(order, pieces, lambda line, n: replace(line, quantity_delivered=line.quantity_delivered + n))


def arrived(order: Order, pieces: Pieces) -> Order:
    """The order with these pieces delivered, as far as they were not before."""
    undelivered = {line_id: line.quantity_shipped - line.quantity_delivered for line_id, line in order.lines_by_id.items()}
    return delivered(order, {line_id: min(count, undelivered[line_id]) for line_id, count in pieces.items()})


def digital_delivered(order: Order) -> Order:
    """The order with what is not sent handed over and delivered."""
    pieces = {line_id: count for line_id, count in left(order).items() if not order.lines_by_id[line_id].requires_shipping}
    return delivered(handed_over(order, pieces), pieces)


def returned(order: Order, pieces: Pieces) -> Order:
    """The order with these pieces given back."""
    return _counted(order, pieces, lambda line, n: replace(line, quantity_returned=line.quantity_returned + n))


def _counted(order: Order, pieces: Pieces, count: Callable[[Line, int], Line]) -> Order:
    lines = tuple(count(line, pieces[line_id]) if line_id in pieces else line for line_id, line in order.lines_by_id.items())
    return replace(order, lines=lines)


def as_implied(order: Order) -> Order:
    """The order with the pieces that its status says: cancelled all that was not handed over, or handed over all the rest."""
    if order.status is OrderStatus.CANCELLED:
        return cancelled(order, left(order))
    if order.status is OrderStatus.SHIPPED:
        return handed_over(order, left(order))
    return order


def out(order: Order) -> Pieces:
    """What was taken out of stock for the order, and is neither cancelled nor given back."""
    missing = order.shortage.missing if order.shortage and order.is_asked else {}
    found = {
        line_id: line.wanted - line.quantity_returned - missing.get(line_id, 0) for line_id, line in order.lines_by_id.items()
    }
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def to_restock(snapshot: Snapshot) -> dict[str, int]:
    """What an unwinding puts back into stock, by product: all that is out, but for what is lost."""
    lost = _lost(snapshot)
    found = {line_id: pieces - lost.get(line_id, 0) for line_id, pieces in out(snapshot.order).items()}
    return by_product(snapshot.order, {line_id: pieces for line_id, pieces in found.items() if pieces > 0})


# --- what the status of an order says of a line ---


def implied(status: OrderStatus, line: Line, *, was_delivered: bool) -> Quantities:
    """The pieces of a line by the status of an order with one parcel; ``was_delivered`` is whether that had arrived."""
    every = line.quantity
    by_status: Mapping[OrderStatus, Quantities] = {
        OrderStatus.SHIPPED: (0, every, 0, 0),
        OrderStatus.DELIVERED: (0, every, every, 0),
        OrderStatus.CANCELLED: (every, 0, 0, 0),
        OrderStatus.RETURNED: (0, every, every if was_delivered else 0, every),
    }
    return by_status.get(status, (0, 0, 0, 0))


def quantities(line: Line) -> Quantities:
    """The pieces of a line."""
    return line.quantity_cancelled, line.quantity_shipped, line.quantity_delivered, line.quantity_returned


def with_quantities(line: Line, found: Sequence[int]) -> Line:
    """The line with these pieces; ``quantities`` is the inverse."""
    gone, shipped, arrived, back, *_ = found
    return replace(line, quantity_cancelled=gone, quantity_shipped=shipped, quantity_delivered=arrived, quantity_returned=back)


def overtaken(status: OrderStatus, line: Line, found: Sequence[int], *, was_delivered: bool) -> Line:
    """The line whose order a release has moved on to another status that does not count pieces: what is wanted went with it."""
    gone, *others = found
    kept = replace(line, quantity=line.quantity - gone)
    if status is OrderStatus.CANCELLED:
        return with_quantities(line, implied(status, line, was_delivered=was_delivered))
    _, *now = implied(status, kept, was_delivered=was_delivered)
    return with_quantities(line, (gone, *map(max, others, now)))
