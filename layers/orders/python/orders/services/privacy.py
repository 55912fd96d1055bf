"""One customer's personal data: everything we keep of them, to hand over, and its erasure where the law asks for it.

What an order was worth and what became of it stays: accounts need it. Who it was for, where it went and what people wrote goes.
The customer's id stays too, as a pseudonym: the account it belongs to is the user pool's, to be deleted there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orders.adapters.store import indexes, mails, orders, redaction, scans
from orders.domain import erasure, facts
from orders.domain.errors import ConstraintViolated
from orders.domain.events import EventType
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber, comparable
from orders.domain.mails import Mail
from orders.domain.order import Change, Event, Order, Snapshot
from orders.domain.refund import is_open
from orders.domain.statuses import OverallStatus
from orders.services.changes import Clock, apply, utc_now, with_retries

OPEN = frozenset({OverallStatus.QUEUED, OverallStatus.IN_PROGRESS, OverallStatus.ROLLING_BACK})


@dataclass(frozen=True, slots=True)
class KeptOrder:
    """All that is kept of one order: itself, its audit trail, what carriers have reported, the mails about it."""

    snapshot: Snapshot
    trail: Sequence[Event]
    carrier_reports: Sequence[Mapping[str, Any]]
    mails: Sequence[Mail] = ()


def collect(customer_id: CustomerId) -> list[KeptOrder]:
    """All that is kept of a customer's orders."""
    return [_kept(order_id) for order_id in _orders_of(customer_id)]


def _kept(order_id: OrderId) -> KeptOrder:
    trail, snapshot = orders.history(order_id), orders.load(order_id, to_show=True)
    reports = [report for number in _parcels(snapshot, trail) for report in scans.of_parcel(number)]
    return KeptOrder(snapshot, trail, reports, mails.of_order(order_id))


def _parcels(snapshot: Snapshot, trail: Iterable[Event]) -> list[TrackingNumber]:
    """Every number a parcel of the order has had: the warehouse may have sent it under another one than was booked."""
    numbers = [event.metadata.get("tracking_number") for event in trail]
    numbers += [shipment.tracking_number for shipment in snapshot.shipments]
    return [TrackingNumber(str(number)) for number in dict.fromkeys(numbers) if number]


def erase(customer_id: CustomerId, by: str, clock: Clock = utc_now) -> list[OrderId]:
    """Erases a customer's personal data from all their orders, and returns those orders' ids. Doing it again changes nothing.

    Raises:
        ConstraintViolated: an order, or a return, a refund or a dispute of one, is open; nothing has been erased then.
    """
    order_ids = _orders_of(customer_id)
    found = indexes.orders_by_id(order_ids)
    still_open = [order for order in found if order.overall in OPEN]
    if still_open:
        raise _refusal(still_open)
    for order in found:
        _refuse_what_is_open(orders.load(order.order_id, to_show=True))
    for order_id in order_ids:
        snapshot = apply(order_id, lambda found: _without_person(found, by, clock))
        _erase_parcels(snapshot, orders.history(order_id))
        redaction.redact_trail(order_id, erasure.redacted_event)
        redaction.redact_markers(order_id)
        mails.remove(order_id)
        for shipment in snapshot.shipments:
            redaction.redact_booking(shipment.shipment_id)
    redaction.redact_deliveries(frozenset(order_ids), erasure.redacted_payload)
    with_retries(lambda: redaction.redact_idempotency_keys(customer_id))
    return order_ids


def _refuse_what_is_open(found: Snapshot) -> None:
    _refuse_open_returns(found)
    _refuse_open_refunds(found)
    _refuse_open_dispute(found)


def _refuse_open_dispute(found: Snapshot) -> None:
    """What the shop answers the customer's bank with is needed until the bank has decided."""
    dispute, order_id = found.payment and found.payment.dispute, found.order.order_id
    if dispute and dispute.is_open:
        raise ConstraintViolated(f"The payment of {order_id} is disputed: wait for what is decided.", orders=[order_id])


def _refuse_open_refunds(found: Snapshot) -> None:
    """Raises where somebody still waits for money of the order's."""
    payment, refunds = found.payment, found.refunds
    if payment and any(is_open(refund, payment, refunds) for refund in refunds):
        order_id = found.order.order_id
        raise ConstraintViolated(f"A refund of {order_id} is not completed: complete or retry it.", orders=[order_id])


def _refusal(still_open: Sequence[Order]) -> ConstraintViolated:
    """Which orders are open, and how far each has come: one that is over by its status may still be unwound."""
    found = (f"{order.order_id} ({order.status}, {order.overall})" for order in still_open)
    return ConstraintViolated(
        f"Still open: {', '.join(found)}. Cancel them or wait for their end.", orders=[order.order_id for order in still_open]
    )


def _refuse_open_returns(snapshot: Snapshot) -> None:
    """What was written with a return is needed until it is closed."""
    if any(one.is_open for one in snapshot.returns):
        order_id = snapshot.order.order_id
        raise ConstraintViolated(f"Still open: a return of {order_id}. Receive, decline or cancel it.", orders=[order_id])


def _erase_parcels(snapshot: Snapshot, trail: Iterable[Event]) -> None:
    """Removes the carriers' reports of an erased order's parcels under every number they have had.

    By its present number a later report finds the order, and is stored without words; by a replaced one it finds none.
    """
    present = {comparable(one.tracking_number) for one in snapshot.shipments if one.tracking_number}
    for number in _parcels(snapshot, trail):
        if comparable(number) in present:
            scans.remove_scans(number)
        elif snapshot.order.erased_at:
            scans.erase_parcel(number, snapshot.order.erased_at)


def _orders_of(customer_id: CustomerId) -> list[OrderId]:
    return [reference.order_id for reference in indexes.orders_of_customer(customer_id)]


def _without_person(found: Snapshot, by: str, clock: Clock) -> Change | None:
    order, payment = found.order, found.payment
    if order.overall in OPEN:
        raise _refusal([order])
    _refuse_what_is_open(found)
    if order.erased_at:
        return None
    now = clock()
    event = Event(
        order_id=order.order_id,
        customer_id=order.customer_id,
        version=order.version + 1,
        type=EventType.PERSONAL_DATA_ERASED,
        status=order.status,
        old_status=order.status,
        at=now,
        by=by,
        metadata=facts.of_erasure(),
    )
    after = replace(order, version=event.version, updated_at=now, erased_at=now)
    whole = Change(
        before=order,
        order=after,
        event=event,
        payment=payment,
        shipments=found.shipments,
        returns=found.returns,
        refunds=found.refunds,
    )
    return erasure.redacted(whole)
