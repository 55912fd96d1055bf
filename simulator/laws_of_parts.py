"""The laws of the parts of an order: its pieces, and the parcels that they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from orders.domain import goods
from orders.domain.events import SYSTEM
from orders.domain.parcels import Shipment
from orders.domain.statuses import OrderStatus, ParcelEnd
from simulator.books import Account, Books, Entry
from simulator.laws_of_returns import came_back
from simulator.parties import parts

_O = OrderStatus
OURS = "SimEx"
OF_PARTS = (parts.CANCELLED, parts.HANDED_OVER, parts.ARRIVED, parts.CAME_BACK)
"""The promises that are about parts of an order."""
ENDS = {parts.ARRIVED: ParcelEnd.DELIVERED, parts.CAME_BACK: ParcelEnd.RETURNED}


def pieces(books: Books) -> Iterator[str]:
    """Each piece that was ordered is canceled or handed over, in one parcel, and arrived, came back or was lost once."""
    wishes = books.world.people.by_id()
    for name, account in books.accounts.items():
        for error in (*_errors_of_lines(account), *_errors_of_promises(wishes.get(name), account)):
            yield f"{name}: {error}: {account.story()}"


def in_parcels(account: Account, *ends: ParcelEnd | None) -> Counter[str]:
    """How many pieces of each line are in the parcels that have left and ended so; ``None`` is one that has not ended."""
    found: Counter[str] = Counter()
    for one in account.shipments:
        if goods.is_handed_over(account.order, one) and not one.recalled and goods.end_of(account.order, one) in ends:
            found.update(goods.in_parcel(account.order, one))
    return found


def _errors_of_lines(account: Account) -> Iterator[str]:
    order, back = account.order, came_back(account)
    if order.status is _O.CANCELLED:
        yield from (f"line {line_id}: {line}" for line_id, line in order.lines_by_id.items() if line.wanted)
        return
    arrived, returned, lost = (in_parcels(account, end) for end in (ParcelEnd.DELIVERED, ParcelEnd.RETURNED, ParcelEnd.LOST))
    under_way = in_parcels(account, None)
    for line_id, line in order.lines_by_id.items():
        sent = arrived[line_id] + returned[line_id] + lost[line_id]
        if line.quantity_cancelled + line.quantity_shipped != line.quantity:
            yield f"line {line_id}: {line.quantity_cancelled} canceled and {line.quantity_shipped} sent of {line.quantity}"
        if line.quantity_shipped != sent or under_way[line_id]:
            yield f"line {line_id}: {line.quantity_shipped} sent, {sent} in parcels, {under_way[line_id]} on their way"
        if line.quantity_delivered != arrived[line_id]:
            yield f"line {line_id}: {line.quantity_delivered} arrived, {arrived[line_id]} in parcels"
        all_back = line.quantity_shipped - lost[line_id]
        wanted_back = all_back if order.status is _O.RETURNED else returned[line_id] + back[line_id]
        if line.quantity_returned != wanted_back:
            yield f"line {line_id}: {line.quantity_returned} came back, {wanted_back} should have"


def _errors_of_promises(wish: Any, account: Account) -> Iterator[str]:
    """What was said to be canceled is, each piece as often as it was said."""
    told: Counter[str] = Counter()
    for promise, what in wish.promises if wish else ():
        if promise == parts.CANCELLED:
            told.update({item["line_id"]: item["quantity"] for item in what[1]})
    for line_id, count in told.items():
        if account.order.lines_by_id[line_id].quantity_cancelled < count:
            yield f"{count} of line {line_id} were to be canceled"


def is_done(account: Account, promise: str, what: Any) -> bool:
    """Whether a hand-over was begun, which may be given up, or a parcel has ended as it was said.

    What was canceled is counted by the law of pieces.
    """
    if promise in ENDS:
        return any(goods.end_of(account.order, one) is ENDS[promise] for one in account.shipments if one.shipment_id == what)
    return promise == parts.CANCELLED or bool(account.times("HANDOVER_STARTED"))


def parcels(books: Books) -> Iterator[str]:
    """The carrier has the parcels of what was delivered, for the right address, and none of what was cancelled."""
    for name, account in books.accounts.items():
        if account.order.status in (_O.DELIVERED, _O.RETURNED) and not account.shipments:
            yield f"{name}: {account.order.status} without a parcel: {account.story()}"
        for shipment in account.shipments:
            for error in _errors_of_parcel(account, shipment, books.bookings.get(shipment.shipment_id)):
                yield f"{name}: {error}: {account.story()}"
    known = {shipment.shipment_id for account in books.accounts.values() for shipment in account.shipments}
    for key, entry in books.bookings.items():
        if key not in known and entry.state == "booked":
            yield f"the carrier's {key} belongs to no parcel"


def _errors_of_parcel(account: Account, shipment: Shipment, entry: Entry | None) -> Iterator[str]:
    order, state = account.order, entry.state if entry else "nothing"
    # One that the warehouse reported as shipped before our carrier had answered is the warehouse's parcel.
    handed_over = next((event for event in account.trail if _hands_over(event.type.value, event.metadata, shipment)), None)
    by_us = handed_over is not None and handed_over.by == SYSTEM and shipment.carrier == OURS
    if entry and state == "booked":
        yield from _errors_of_booking(account, shipment, entry.facts)
        if by_us and shipment.tracking_number is None:
            yield f"{order.status}, booked, and without a tracking number"
    arrived = goods.end_of(order, shipment) is ParcelEnd.DELIVERED and order.status is _O.DELIVERED
    if arrived and by_us and state != "booked":
        yield f"delivered, and the carrier says {state}"


def _hands_over(kind: str, metadata: Mapping[str, Any], shipment: Shipment) -> bool:
    """Whether the parcel left by this event; that of an order with one parcel is known by nothing else."""
    is_its = not shipment.items or metadata.get("shipment_id") == shipment.shipment_id
    return kind in ("ORDER_SHIPPED", "PARCEL_SHIPPED") and is_its


def _errors_of_booking(account: Account, shipment: Shipment, facts: Mapping[str, Any]) -> Iterator[str]:
    order = account.order
    expected = {name: getattr(order.shipping_address, name) for name in facts}
    if dict(facts) != expected:
        yield f"the carrier was given {facts}, the order says {expected}"
    if order.status is _O.CANCELLED or shipment.recalled:
        yield "cancelled, and the carrier has the parcel"
