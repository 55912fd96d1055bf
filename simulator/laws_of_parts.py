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
from simulator.parties import parts

_O = OrderStatus
OURS = "SimEx"
OF_PARTS = (parts.CANCELLED, parts.HANDED_OVER)
"""The promises that are about parts of an order."""


def pieces(books: Books) -> Iterator[str]:
    """Each piece that was ordered is canceled or handed over, in one parcel, and arrived, came back or was lost once."""
    wishes = books.world.people.by_id()
    for name, account in books.accounts.items():
        for error in (*_errors_of_lines(account), *_errors_of_promises(wishes.get(name), account)):
            yield f"{name}: {error}: {account.story()}"


def _errors_of_lines(account: Account) -> Iterator[str]:
    order, packed, ended = account.order, Counter[str](), Counter[str]()
    for one in account.shipments:
        if goods.is_handed_over(order, one) and not one.recalled:
            packed.update(goods.in_parcel(order, one))
            ended.update(goods.in_parcel(order, one) if goods.end_of(order, one) else {})
    for line_id, line in order.lines_by_id.items():
        if line.quantity_cancelled + line.quantity_shipped != line.quantity:
            yield f"line {line_id}: {line.quantity_cancelled} canceled and {line.quantity_shipped} sent of {line.quantity}"
        if order.status is not _O.CANCELLED and not packed[line_id] == ended[line_id] == line.quantity_shipped:
            yield f"line {line_id}: {line.quantity_shipped} sent, {packed[line_id]} in parcels, {ended[line_id]} at an end"
        if (
            not 0 <= line.quantity_delivered <= line.quantity_shipped
            or not 0 <= line.quantity_returned <= line.quantity_shipped
        ):
            yield f"line {line_id}: {line.quantity_delivered} arrived, {line.quantity_returned} came back"


def _errors_of_promises(wish: Any, account: Account) -> Iterator[str]:
    """What was said to be canceled is, each piece as often as it was said."""
    told: Counter[str] = Counter()
    for promise, what in wish.promises if wish else ():
        if promise == parts.CANCELLED:
            told.update({item["line_id"]: item["quantity"] for item in what[1]})
    for line_id, count in told.items():
        if account.order.lines_by_id[line_id].quantity_cancelled < count:
            yield f"{count} of line {line_id} were to be canceled"


def is_done(account: Account, promise: str, _: Any) -> bool:
    """Whether a hand-over was begun, which may be given up; what was canceled is counted by the law of pieces."""
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
