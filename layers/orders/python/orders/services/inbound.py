"""An order follows the events of its fulfillment, in whatever order they arrive (``docs/behavior.md#fulfillment-events``).

An event moves the order forward only. What lies between where the order is and where the event says it is gets recorded on
the way: a ``completed`` on a paid order records its shipping and its delivery. The last change carries the event's marker,
so the event is applied once however often it is delivered; a crash before it lets the next delivery go on from there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from orders import settings
from orders.adapters.store import orders, scans
from orders.domain import facts
from orders.domain import legacy as edition_one
from orders.domain.decisions import delivering, ending, reviewing, shipping
from orders.domain.errors import AlreadyApplied, ApprovalPending, OrderError, OutOfStock, PaymentDeclined
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT, FULFILLMENT_STATUS_CHANGED
from orders.domain.identifiers import OrderId, TrackingNumber, fingerprint
from orders.domain.order import Change, Order, Shipment, Snapshot, TrackingDetail, moment, timestamp
from orders.domain.reports import Report
from orders.domain.scans import Scan, is_foreign, scanned
from orders.domain.statuses import (
    CANCELLABLE,
    FULFILLMENT_MEANS,
    SCAN_MEANS,
    CancelReason,
    OrderStatus,
    ShipmentStatus,
    has_reached,
)
from orders.services import fulfilling as fulfilment
from orders.services.changes import Clock, Decide, apply, utc_now

OUTSIDE_CARRIER = "external"


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    RECORDED = "recorded"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class FulfilmentEvent:
    """News of an order's fulfilment; ``scan`` is there when a carrier is behind it.

    ``at`` is the sender's own time, or, where ``is_dated`` is false, when the event came to us.
    """

    order_id: OrderId
    fulfillment_id: str
    new_status: str
    at: datetime
    old_status: str | None = None
    event_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    scan: Scan | None = None
    source: str = FULFILLMENT
    is_dated: bool = True

    @property
    def marker(self) -> str:
        """What makes this event itself: its id, or, without one, all that it says; sent again it comes at another time."""
        said = f"{self.fulfillment_id}|{self.old_status}|{self.new_status}|{timestamp(self.at) if self.is_dated else ''}"
        return self.event_id or fingerprint(said)

    @property
    def facts(self) -> dict[str, Any]:
        """How it stands on the audit trail."""
        own = {"fulfillment_id": self.fulfillment_id, "fulfillment_status": self.new_status, "event_id": self.marker}
        return {
            **(self.metadata or {}),
            **own,
            **facts.of_scans(self.scan.details if self.scan else ()),
            "reported_at": timestamp(self.at),
        }


EARLIER_BYTES = 5 * 1024
"""How many bytes of JSON a report's earlier scans may have: an event's metadata is bounded, the latest go first."""
NO_SCAN = ""
"""The exact status of what a carrier says about its own system."""


def detail_of(source: str, order_id: OrderId | None, report: Report) -> dict[str, Any]:
    """A carrier's report as the event that travels on the bus.

    The statuses are such as edition one reads; ``exact_status`` stands beside one that it does not have.
    """
    scan = report.scan
    new_status, exact = (SCAN_MEANS[scan.status], scan.status.value) if scan.status else (report.notice, NO_SCAN)
    told = _written(scan.at, exact or ShipmentStatus.CREATED, scan.location, scan.message)
    told |= {"exact_status": NO_SCAN} if exact == NO_SCAN else {}
    told |= {"estimated_delivery": timestamp(scan.estimated_delivery)} if scan.estimated_delivery else {}
    earlier = _bounded([_written(one.at, one.status.value, one.location, one.message) for one in scan.earlier])
    return {
        "event_type": FULFILLMENT_STATUS_CHANGED,
        "event_id": report.event_id,
        "fulfillment_id": report.tracking_number,
        "order_id": order_id,
        "new_status": new_status,
        "timestamp": timestamp(scan.at),
        "metadata": {
            "source": source,
            "tracking_number": report.tracking_number,
            "scan": told,
            **({"earlier_scans": earlier} if earlier else {}),
            **({"carrier": report.carrier} if report.carrier else {}),
        },
    }


def event_of(order_id: OrderId, detail: Mapping[str, Any]) -> FulfilmentEvent:
    """A carrier's report as it was kept, back from ``detail_of``, for the order that its parcel is known to belong to."""
    told = dict(detail["metadata"])
    return FulfilmentEvent(
        order_id=order_id,
        fulfillment_id=detail["fulfillment_id"],
        new_status=detail["new_status"],
        at=moment(detail["timestamp"]),
        event_id=detail["event_id"],
        metadata=told,
        scan=scan_of(told.pop("scan"), told.pop("earlier_scans", ()), told["source"]),
        source=f"{CARRIER_PREFIX}{told['source']}",
    )


def scan_of(told: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]], sender: str) -> Scan:
    """A scan as ``detail_of`` has written it, or an earlier release.

    Raises:
        ValueError: it has a status that this release does not know, or no time.
    """
    own, estimated = _read(told), told.get("estimated_delivery")
    return Scan(
        status=None if told.get("exact_status") == NO_SCAN else own.status,
        at=own.at,
        location=own.location,
        estimated_delivery=moment(estimated) if estimated else None,
        sender=sender,
        message=own.message,
        earlier=tuple(map(_read, earlier)),
    )


def _written(at: datetime, status: str, location: str | None, message: str | None) -> dict[str, Any]:
    nearest = edition_one.shipment_status(status)
    exact = {"exact_status": status} if status != nearest else {}
    words = {"message": message} if message else {}
    return {"status": nearest, "at": timestamp(at), "location": location, **exact, **words}


def _read(told: Mapping[str, Any]) -> TrackingDetail:
    status = edition_one.exact_shipment_status(told["status"], told.get("exact_status"))
    return TrackingDetail(moment(told["at"]), ShipmentStatus(status), told.get("location"), told.get("message"))


def _bounded(earlier: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest of them that have room; they come by their times."""
    room, kept = EARLIER_BYTES, list[dict[str, Any]]()
    for one in reversed(earlier):
        room -= len(json.dumps(one)) + 2
        if room < 0:
            break
        kept.insert(0, one)
    return kept


def replay(found: Snapshot, clock: Clock = utc_now) -> bool:
    """Takes again all that carriers have reported of the order's parcel; answers whether something had been missed."""
    number = found.shipment.tracking_number if found.shipment else None
    kept = scans.of_parcel(number) if number else []
    outcomes = [take(event_of(found.order.order_id, detail), clock) for detail in kept]
    return any(outcome is not Outcome.DUPLICATE for outcome in outcomes)


def take(event: FulfilmentEvent, clock: Clock = utc_now) -> Outcome:
    """Applies, records or refuses an event, once.

    Raises:
        NotFound: no such order (yet): to be delivered again.
        TransientError: to be delivered again.
    """
    try:
        return _taken(event, clock)
    except AlreadyApplied:
        return Outcome.DUPLICATE


class ForeignParcel(OrderError):
    """The parcel is another sender's to report."""

    title = "Somebody else's parcel"


def _apply(event: FulfilmentEvent, decide: Decide) -> Snapshot:
    """``apply`` for an event: its sender must be the parcel's own at the moment that counts."""
    sender = event.scan.sender if event.scan else None

    def checked(found: Snapshot) -> Change | None:
        if is_foreign(found.shipment, sender):
            raise ForeignParcel(f"Reported by {sender}, but the parcel is not theirs to report")
        return decide(found)

    return apply(event.order_id, checked)


def _taken(event: FulfilmentEvent, clock: Clock) -> Outcome:
    try:
        return _followed(event, clock)
    except ForeignParcel as refusal:
        # It says nothing about this parcel, not even where it is.
        return _note(replace(event, scan=None), clock, refusal.detail)


def _followed(event: FulfilmentEvent, clock: Clock) -> Outcome:
    wanted = FULFILLMENT_MEANS.get(event.new_status)
    if wanted is OrderStatus.CANCELLED:
        return _cancel(event, clock)
    if _returns_to_sender(event):
        return _return(event, clock)
    if wanted is None:
        return _note(event, clock)
    return _advance(event, wanted, clock)


def _advance(event: FulfilmentEvent, wanted: OrderStatus, clock: Clock) -> Outcome:
    order, questioned = orders.load_order(event.order_id), False
    moved = order.status is OrderStatus.PENDING and not order.is_over
    if moved:
        refusal = _bring_in_what_is_due(order, event, clock)
        if refusal:
            return _note(event, clock, refusal)

    def step(found: Snapshot) -> Change | None:
        nonlocal moved, questioned
        questioned = wanted is OrderStatus.DELIVERED and _is_on_its_way_back(found, event.scan)
        if questioned:
            return _marked(event, delivering.question_delivery(found, clock(), event.source, event.facts, event.at, event.scan))
        if has_reached(found.order.status, wanted) or found.order.is_over:
            return _noted(found, event, wanted, clock())
        moved = True
        return _next_change(found, event, wanted, clock())

    after = _apply(event, step)
    while not (questioned or has_reached(after.order.status, wanted) or after.order.is_over):
        after = _apply(event, step)
    fulfilment.collect_cash(after)
    if moved:
        return Outcome.APPLIED
    return Outcome.REFUSED if not has_reached(after.order.status, wanted) else Outcome.RECORDED


def _is_on_its_way_back(found: Snapshot, scan: Scan | None) -> bool:
    """Whether the order's parcel was seen to have turned round, by what the scan lists too, and nothing has come of it yet."""
    parcel = scanned(found.shipment, scan and replace(scan, status=None))
    turned = parcel is not None and parcel.status is ShipmentStatus.RETURNING
    return turned and found.order.status is OrderStatus.SHIPPED and not found.order.is_over


def _noted(found: Snapshot, event: FulfilmentEvent, wanted: OrderStatus, now: datetime) -> Change:
    """What is left of an event that comes late, or for an order that is over: its place on the trail, and its scan."""
    order = found.order
    refused = None if has_reached(order.status, wanted) else f"The order is {order.status}"
    return _marked(event, delivering.record_fulfilment(found, now, event.source, event.facts, event.scan, refused))


def _next_change(found: Snapshot, event: FulfilmentEvent, wanted: OrderStatus, now: datetime) -> Change | None:
    """The next hop on the way to ``wanted``; the last one carries the event's marker."""
    status, by = found.order.status, event.source
    reason = f"Fulfilment is {event.new_status}"
    if status is OrderStatus.CONFIRMED:
        change = shipping.start_preparation(found, now, by, event.facts, reason)
    elif status is OrderStatus.PROCESSING:
        parcel = _parcel(found, event)
        change = shipping.ship(found, parcel, settings.waits().delivery, None, now, by)
    else:
        change = delivering.deliver(found, now, by, reason, event.facts, event.at)
        if change and change.shipment and event.scan:
            change = replace(change, shipment=scanned(change.shipment, event.scan))
    last = change is not None and change.order.status is wanted
    return _marked(event, change) if change and last else change


def _marked(event: FulfilmentEvent, change: Change) -> Change:
    return replace(change, marker=event.marker)


def _parcel(found: Snapshot, event: FulfilmentEvent) -> Shipment:
    """The parcel as the outside world ships it: ours if we had begun to hand one over, theirs otherwise."""
    told = event.metadata or {}
    known = found.shipment or Shipment(event.fulfillment_id, ShipmentStatus.CREATED, OUTSIDE_CARRIER)
    parcel = replace(
        known,
        status=ShipmentStatus.IN_TRANSIT,
        sender=known.sender or told.get("sender"),
        carrier=str(told.get("carrier", known.carrier)),
        tracking_number=TrackingNumber(str(told["tracking_number"])) if told.get("tracking_number") else known.tracking_number,
    )
    return scanned(parcel, event.scan) or parcel


def _bring_in_what_is_due(order: Order, event: FulfilmentEvent, clock: Clock) -> str | None:
    """An event ahead of the workflow: reserves and charges now what the workflow would have; answers why it cannot be."""
    try:
        reviewing.review_answered(order)
        fulfilment.reserve_stock(event.order_id, clock)
        fulfilment.charge_payment(event.order_id, event.source, clock)
    except ApprovalPending as pending:
        return pending.detail
    except (PaymentDeclined, OutOfStock) as refusal:
        fulfilment.begin_unwinding(event.order_id, type(refusal).__name__, fulfilment.report_of(refusal), clock)
        return refusal.detail
    return None


def _cancel(event: FulfilmentEvent, clock: Clock) -> Outcome:
    refused = False

    def step(found: Snapshot) -> Change:
        nonlocal refused
        order = found.order
        refused = order.status not in CANCELLABLE or order.is_over
        if refused:
            why = f"Cancelled by the fulfilment, but the order is {order.status}"
            late = order.status is not OrderStatus.CANCELLED
            return _marked(
                event, delivering.record_fulfilment(found, clock(), event.source, event.facts, refused=why if late else None)
            )
        change = ending.cancel(found, _cancel_reason(event), clock(), event.source, "Cancelled by the fulfilment")
        return _marked(event, change)

    after = _apply(event, step)
    if not refused:
        return Outcome.APPLIED
    return Outcome.RECORDED if after.order.status is OrderStatus.CANCELLED else Outcome.REFUSED


def _cancel_reason(event: FulfilmentEvent) -> CancelReason:
    told = (event.metadata or {}).get("reason")
    if isinstance(told, str) and told in set(CancelReason):
        return CancelReason(told)
    return CancelReason.STAFF


def _returns_to_sender(event: FulfilmentEvent) -> bool:
    return event.scan is not None and event.scan.status is ShipmentStatus.RETURNED_TO_SENDER


def _return(event: FulfilmentEvent, clock: Clock) -> Outcome:
    returned = False

    def step(found: Snapshot) -> Change:
        nonlocal returned
        returned = found.order.status is OrderStatus.SHIPPED and not found.order.is_over
        if not returned:
            return _marked(event, delivering.record_fulfilment(found, clock(), event.source, event.facts, event.scan))
        change = ending.return_order(found, clock(), event.source, to_sender=True)
        return _marked(event, replace(change, shipment=scanned(change.shipment, event.scan)))

    _apply(event, step)
    return Outcome.APPLIED if returned else Outcome.RECORDED


def _note(event: FulfilmentEvent, clock: Clock, refusal: str | None = None) -> Outcome:
    def step(found: Snapshot) -> Change:
        note = delivering.record_fulfilment(found, clock(), event.source, event.facts, event.scan, refusal)
        return _marked(event, note)

    _apply(event, step)
    return Outcome.REFUSED if refusal else Outcome.RECORDED
