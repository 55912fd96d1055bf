"""One customer's personal data: everything we keep of them, to hand over, and its erasure where the law asks for it.

What an order was worth and what became of it stays: accounts need it. Who it was for, where it went and what people wrote goes.
The customer's id stays too, as a pseudonym: the account it belongs to is the user pool's, to be deleted there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orders import facts, store, views
from orders.changes import Clock, apply, utc_now
from orders.errors import ConstraintViolated
from orders.events import EventType
from orders.ids import CustomerId, OrderId
from orders.order import Address, Change, Event, Order, Snapshot, timestamp
from orders.statuses import OverallStatus

ERASED = "(erased)"
OPEN = frozenset({OverallStatus.QUEUED, OverallStatus.IN_PROGRESS, OverallStatus.ROLLING_BACK})

IMPERSONAL = frozenset(
    {
        "cancellation_reason",
        "carrier",
        "event_id",
        "expires_at",
        "fulfillment_id",
        "fulfillment_status",
        "reported_at",
        "source",
        "tracking_number",
    }
)
"""What an audit event's metadata may keep: all else was written by people, or may be."""


def export(customer_id: CustomerId, clock: Clock = utc_now) -> dict[str, Any]:
    """Everything kept of a customer, in the shapes of the API."""
    return {
        "customer_id": customer_id,
        "exported_at": timestamp(clock()),
        "orders": [_exported(order_id) for order_id in _orders_of(customer_id)],
    }


def _exported(order_id: OrderId) -> dict[str, Any]:
    history = views.history_view(order_id, store.history(order_id))["history"]
    snapshot = store.load(order_id, to_show=True)
    number = snapshot.shipment and snapshot.shipment.tracking_number
    return {**views.snapshot_view(snapshot), "history": history, "carrier_reports": store.scans(number) if number else []}


def erase(customer_id: CustomerId, by: str, clock: Clock = utc_now) -> list[OrderId]:
    """Erases a customer's personal data from all their orders, and answers those orders' ids. Doing it again changes nothing.

    Raises:
        ConstraintViolated: an order is still open; nothing has been erased then.
    """
    order_ids = _orders_of(customer_id)
    still_open = [order.order_id for order in store.orders_by_id(order_ids) if order.overall in OPEN]
    if still_open:
        raise ConstraintViolated(f"Still open: {', '.join(still_open)}. Cancel them or let them end first.", orders=still_open)
    for order_id in order_ids:
        snapshot = apply(order_id, lambda found: _without_person(found, by, clock))
        store.redact_trail(order_id, _impersonal)
        if snapshot.shipment:
            store.redact_booking(snapshot.shipment.shipment_id, ERASED)
            if snapshot.shipment.tracking_number:
                store.redact_scans(snapshot.shipment.tracking_number, _report_without_place)
    store.redact_deliveries(frozenset(order_ids), ERASED)
    return order_ids


def _orders_of(customer_id: CustomerId) -> list[OrderId]:
    return [reference.order_id for reference in store.orders_of_customer(customer_id)]


def _without_person(found: Snapshot, by: str, clock: Clock) -> Change | None:
    order, shipment = found.order, found.shipment
    if order.overall in OPEN:
        raise ConstraintViolated(f"Order {order.order_id} was opened again meanwhile.", orders=[order.order_id])
    if order.shipping_address.name == ERASED:
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
    after = replace(_redacted(order), version=event.version, updated_at=now)
    placeless = replace(shipment, current_location=ERASED) if shipment and shipment.current_location else None
    return Change(before=order, order=after, event=event, shipment=placeless)


def _redacted(order: Order) -> Order:
    # The country stays: which tax was due depends on it.
    address = Address(ERASED, ERASED, ERASED, ERASED, order.shipping_address.country)
    cancellation, approval = order.cancellation, order.approval
    return replace(
        order,
        shipping_address=address,
        payment_token=None,
        cancellation=replace(cancellation, note=ERASED) if cancellation and cancellation.note else cancellation,
        approval=replace(approval, reason=ERASED) if approval and approval.reason else approval,
    )


def _impersonal(event: Event) -> Event:
    kept = {name: value for name, value in event.metadata.items() if name in IMPERSONAL or facts.is_impersonal(name, value)}
    return replace(event, reason=ERASED if event.reason else None, metadata=kept)


def _report_without_place(report: Mapping[str, Any]) -> dict[str, Any]:
    """A carrier's report as it was kept, without where the parcel was seen."""
    told = report.get("metadata", {})
    scan = told.get("scan", {})
    placeless = {**scan, "location": ERASED} if scan.get("location") else scan
    kept = {name: value for name, value in told.items() if name in IMPERSONAL}
    return {**report, "metadata": {**kept, "scan": placeless}}
