"""The pieces of an order, line by line: cancelled, handed over, delivered, given back; and which of them are in a parcel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from orders.domain.order import Line, Order
from orders.domain.parcels import Shipment
from orders.domain.statuses import OrderStatus, ShipmentStatus
from orders.domain.steps import StepName

Pieces = Mapping[str, int]
"""How many pieces of which line, by the lines' ids."""
Quantities = tuple[int, int, int, int]
"""Of one line: the pieces that are cancelled, handed over, delivered and given back."""


def left(order: Order) -> Pieces:
    """What is still to be handed over."""
    found = {line_id: line.wanted - line.quantity_shipped for line_id, line in order.lines_by_id.items()}
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def under_way(order: Order) -> Pieces:
    """What is handed over, and neither delivered nor given back."""
    found = {
        line_id: line.quantity_shipped - max(line.quantity_delivered, line.quantity_returned)
        for line_id, line in order.lines_by_id.items()
    }
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def handed_over_and_kept(order: Order) -> Pieces:
    """What is handed over, and not given back."""
    found = {line_id: line.quantity_shipped - line.quantity_returned for line_id, line in order.lines_by_id.items()}
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


def all_of(order: Order) -> Pieces:
    """Every piece that was ordered."""
    return {line_id: line.quantity for line_id, line in order.lines_by_id.items()}


def in_parcel(order: Order, shipment: Shipment) -> Pieces:
    """What is in a parcel."""
    return shipment.items or all_of(order)


def shipped_at(order: Order, shipment: Shipment) -> datetime | None:
    """When a parcel was handed over; an order's only parcel, when the order was shipped."""
    if shipment.shipped_at or shipment.status is ShipmentStatus.CREATED:
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
    found = {line_id: line.wanted - line.quantity_returned for line_id, line in order.lines_by_id.items()}
    return {line_id: pieces for line_id, pieces in found.items() if pieces > 0}


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
