"""An order follows the events of its fulfillment, in whatever order they arrive (``docs/behavior.md#fulfillment-events``).

An event moves the order forward only. The steps between the order's status and the event's are recorded
too: a ``completed`` on a paid order records its shipping and its delivery. The last change carries the event's marker,
so the event is applied once however often it is delivered; a crash before it lets the next delivery go on from there.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from orders import logs, settings
from orders.adapters.store import orders, scans
from orders.domain.decisions import delivering, ending, reviewing, shipping
from orders.domain.errors import AlreadyApplied, ApprovalPending, OrderError, PaymentPending
from orders.domain.fulfillment import FulfillmentEvent, event_of
from orders.domain.identifiers import TrackingNumber
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.scans import Scan, is_foreign, scanned
from orders.domain.statuses import CANCELLABLE, FULFILLMENT_MEANS, OrderStatus, ShipmentStatus, has_reached
from orders.domain.steps import CancelReason, OutOfStock, PaymentDeclined
from orders.services import charging, fulfilling
from orders.services.changes import Clock, Decide, apply, utc_now

logger = logs.logger()

OUTSIDE_CARRIER = "external"


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    RECORDED = "recorded"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


def replay(found: Snapshot, clock: Clock = utc_now) -> bool:
    """Takes again all that carriers have reported of the order's parcel; returns whether something had been missed."""
    number = found.shipment.tracking_number if found.shipment else None
    kept = scans.of_parcel(number) if number else []
    outcomes = [take(event_of(found.order.order_id, detail), clock) for detail in kept]
    return any(outcome is not Outcome.DUPLICATE for outcome in outcomes)


def take(event: FulfillmentEvent, clock: Clock = utc_now) -> Outcome:
    """Applies, records or refuses an event, once.

    Raises:
        NotFound: no such order (yet): to be delivered again.
        TransientError: to be delivered again.
    """
    try:
        outcome = _taken(event, clock)
    except AlreadyApplied:
        return Outcome.DUPLICATE
    if outcome is Outcome.REFUSED:
        logger.warning("Refused a fulfillment event", fulfillment_status=event.new_status)
    return outcome


class ForeignParcel(OrderError):
    """The parcel is another sender's to report."""

    title = "Another sender's parcel"


def _apply(event: FulfillmentEvent, decide: Decide) -> Snapshot:
    """``apply`` for an event: its sender must be the parcel's own at the moment that counts."""
    sender = event.scan.sender if event.scan else None

    def checked(found: Snapshot) -> Change | None:
        if is_foreign(found.shipment, sender):
            raise ForeignParcel(f"Reported by {sender}, which is not this parcel's sender")
        return decide(found)

    return apply(event.order_id, checked)


def _taken(event: FulfillmentEvent, clock: Clock) -> Outcome:
    try:
        return _followed(event, clock)
    except ForeignParcel as refusal:
        # It says nothing about this parcel, not even where it is.
        return _note(replace(event, scan=None), clock, refusal.detail)


def _followed(event: FulfillmentEvent, clock: Clock) -> Outcome:
    wanted = FULFILLMENT_MEANS.get(event.new_status)
    if wanted is OrderStatus.CANCELLED:
        return _cancel(event, clock)
    if _returns_to_sender(event):
        return _return(event, clock)
    if wanted is None:
        return _note(event, clock)
    return _advance(event, wanted, clock)


def _advance(event: FulfillmentEvent, wanted: OrderStatus, clock: Clock) -> Outcome:
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
    charging.collect_cash(after)
    if moved:
        return Outcome.APPLIED
    return Outcome.REFUSED if not has_reached(after.order.status, wanted) else Outcome.RECORDED


def _is_on_its_way_back(found: Snapshot, scan: Scan | None) -> bool:
    """Whether the parcel is on its way back by its scans, those listed included, and the order is not yet returned."""
    parcel = scanned(found.shipment, scan and replace(scan, status=None))
    turned = parcel is not None and parcel.status is ShipmentStatus.RETURNING
    return turned and found.order.status is OrderStatus.SHIPPED and not found.order.is_over


def _noted(found: Snapshot, event: FulfillmentEvent, wanted: OrderStatus, now: datetime) -> Change:
    """What is left of an event that comes late, or for an order that is over: its place on the trail, and its scan."""
    order = found.order
    refused = None if has_reached(order.status, wanted) else f"The order is {order.status}"
    return _marked(event, delivering.record_fulfillment(found, now, event.source, event.facts, event.scan, refused))


def _next_change(found: Snapshot, event: FulfillmentEvent, wanted: OrderStatus, now: datetime) -> Change | None:
    """The next change on the way to ``wanted``; the last one carries the event's marker."""
    status, by = found.order.status, event.source
    reason = f"Fulfillment is {event.new_status}"
    if status is OrderStatus.CONFIRMED:
        change = shipping.start_preparation(found, now, by, event.facts, reason)
    elif status is OrderStatus.PROCESSING:
        parcel = _parcel(found, event)
        change = shipping.ship(found, parcel, settings.waits().delivery, None, now, by)
    else:
        change = delivering.deliver(found, now, by, reason, event.facts, event.at)
        if change and event.scan:
            change = _scanned(change, event.scan)
    last = change is not None and change.order.status is wanted
    return _marked(event, change) if change and last else change


def _scanned(change: Change, scan: Scan | None) -> Change:
    return replace(change, shipments=tuple(scanned(one, scan) or one for one in change.shipments))


def _marked(event: FulfillmentEvent, change: Change) -> Change:
    return replace(change, marker=event.marker)


def _parcel(found: Snapshot, event: FulfillmentEvent) -> Shipment:
    """The parcel as the outside world ships it: ours if we had begun to hand one over, theirs otherwise."""
    metadata = event.metadata or {}
    known = found.shipment or Shipment(event.fulfillment_id, ShipmentStatus.CREATED, OUTSIDE_CARRIER)
    parcel = replace(
        known,
        status=ShipmentStatus.IN_TRANSIT,
        sender=known.sender or metadata.get("sender"),
        carrier=str(metadata.get("carrier", known.carrier)),
        tracking_number=TrackingNumber(str(metadata["tracking_number"]))
        if metadata.get("tracking_number")
        else known.tracking_number,
    )
    return scanned(parcel, event.scan) or parcel


def _bring_in_what_is_due(order: Order, event: FulfillmentEvent, clock: Clock) -> str | None:
    """An event ahead of the workflow: reserves and charges now what the workflow would have; returns why it cannot be."""
    try:
        reviewing.review_answered(order)
        fulfilling.reserve_stock(event.order_id, clock)
        charging.charge_payment(event.order_id, event.source, clock)
    except (ApprovalPending, PaymentPending) as pending:
        return pending.detail
    except (PaymentDeclined, OutOfStock) as refusal:
        fulfilling.begin_unwinding(event.order_id, type(refusal).__name__, fulfilling.report_of(refusal), clock)
        return refusal.detail
    return None


def _cancel(event: FulfillmentEvent, clock: Clock) -> Outcome:
    refused = False

    def step(found: Snapshot) -> Change:
        nonlocal refused
        order = found.order
        refused = order.status not in CANCELLABLE or order.is_over
        if refused:
            why = f"Cancelled by the fulfillment, but the order is {order.status}"
            late = order.status is not OrderStatus.CANCELLED
            return _marked(
                event, delivering.record_fulfillment(found, clock(), event.source, event.facts, refused=why if late else None)
            )
        change = ending.cancel(found, _cancel_reason(event), clock(), event.source, "Cancelled by the fulfillment")
        return _marked(event, change)

    after = _apply(event, step)
    if not refused:
        return Outcome.APPLIED
    return Outcome.RECORDED if after.order.status is OrderStatus.CANCELLED else Outcome.REFUSED


def _cancel_reason(event: FulfillmentEvent) -> CancelReason:
    reason = (event.metadata or {}).get("reason")
    if isinstance(reason, str) and reason in set(CancelReason):
        return CancelReason(reason)
    return CancelReason.STAFF


def _returns_to_sender(event: FulfillmentEvent) -> bool:
    return event.scan is not None and event.scan.status is ShipmentStatus.RETURNED_TO_SENDER


def _return(event: FulfillmentEvent, clock: Clock) -> Outcome:
    returned = False

    def step(found: Snapshot) -> Change:
        nonlocal returned
        returned = found.order.status is OrderStatus.SHIPPED and not found.order.is_over
        if not returned:
            return _marked(event, delivering.record_fulfillment(found, clock(), event.source, event.facts, event.scan))
        change = ending.return_order(found, clock(), event.source, to_sender=True)
        return _marked(event, _scanned(change, event.scan))

    _apply(event, step)
    return Outcome.APPLIED if returned else Outcome.RECORDED


def _note(event: FulfillmentEvent, clock: Clock, refusal: str | None = None) -> Outcome:
    def step(found: Snapshot) -> Change:
        note = delivering.record_fulfillment(found, clock(), event.source, event.facts, event.scan, refusal)
        return _marked(event, note)

    _apply(event, step)
    return Outcome.REFUSED if refusal else Outcome.RECORDED
