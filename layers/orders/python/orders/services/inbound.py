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
from orders.domain import goods
from orders.domain.decisions import cancelling, delivering, parcels_back, reported, reviewing, shipping, shortage
from orders.domain.errors import (
    AlreadyApplied,
    ApprovalPending,
    ConstraintViolated,
    IllegalTransition,
    InvalidArgument,
    OrderError,
    OrderOnHold,
    OrderOver,
    PaymentPending,
    ShortagePending,
)
from orders.domain.events import EventType
from orders.domain.fulfillment import FulfillmentEvent, event_of
from orders.domain.order import Change, Order, Snapshot
from orders.domain.scans import Scan, is_foreign, scanned
from orders.domain.statuses import CANCELLABLE, FULFILLMENT_MEANS, TERMINAL, OrderStatus, ShipmentStatus, has_reached
from orders.domain.steps import CancelReason, OutOfStock, PaymentDeclined
from orders.services import arrivals, capturing, charging, failing, fulfilling, refunding
from orders.services.changes import Clock, Decide, apply, utc_now

logger = logs.logger()

PACKED = "packed"
"""The status of a fulfillment whose parcel is packed, which has a name of its own on the trail."""


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    RECORDED = "recorded"
    REFUSED = "refused"
    DUPLICATE = "duplicate"


def replay(found: Snapshot, clock: Clock = utc_now) -> bool:
    """Takes again all that carriers have reported of the order's parcels; returns whether something had been missed."""
    numbers = dict.fromkeys(one.tracking_number for one in found.shipments if one.tracking_number)
    kept = [detail for number in numbers for detail in scans.of_parcel(number)]
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
        if is_foreign(reported.known(found, event), sender):
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
    order = orders.load_order(event.order_id)
    steps = _Steps(event, wanted, clock)
    if order.status is OrderStatus.PENDING and not order.is_over:
        steps.moved = True
        refusal = _bring_in_what_is_due(order, event, clock)
        if refusal:
            return _note(event, clock, refusal)
    after = _apply(event, steps.next)
    while not steps.is_done:
        after = _apply(event, steps.next)
    charging.collect_cash(after)
    capturing.settle(after, clock)
    if steps.refused:
        return Outcome.REFUSED
    return Outcome.APPLIED if steps.moved else Outcome.RECORDED


class _Steps:
    """The changes by which an order follows one event, each decided on the order as it is then; the last has its marker."""

    def __init__(self, event: FulfillmentEvent, wanted: OrderStatus, clock: Clock) -> None:
        self._event, self._wanted, self._clock = event, wanted, clock
        self.moved = self.is_done = self.refused = False

    def next(self, found: Snapshot) -> Change:
        """The next change; what is decided twice, as another writer was first, is forgotten."""
        self.is_done, self.refused, moved = True, False, self.moved
        change = self._next(found)
        self.moved = moved or self.moved
        return _marked(self._event, change) if self.is_done else change

    def _next(self, found: Snapshot) -> Change:
        event, now = self._event, self._clock()
        order = found.order
        if order.is_over or (order.status in TERMINAL) or not self._is_ahead(found):
            return self._note(found, now)
        if order.status is OrderStatus.CONFIRMED:
            self.moved, self.is_done = True, self._wanted is OrderStatus.PROCESSING
            prepared = shipping.start_preparation(found, now, event.source, event.facts, self._reason)
            return prepared or self._note(found, now)
        if self._wanted is OrderStatus.SHIPPED or reported.is_caught_up(found, event):
            return self._shipped(found, now)
        return self._delivered(found, now)

    def _is_ahead(self, found: Snapshot) -> bool:
        """Whether the event says more than is recorded."""
        event, order = self._event, found.order
        if self._wanted is OrderStatus.PROCESSING:
            return not has_reached(order.status, OrderStatus.PROCESSING)
        known = reported.known(found, event)
        if self._wanted is OrderStatus.SHIPPED:
            return goods.is_to_be_handed_over(order, known) if known else bool(goods.left(order))
        if reported.is_caught_up(found, event):
            return True
        arriving = reported.to_deliver(found, event)
        return arriving is not None and arriving in goods.under_way(found)

    @property
    def _reason(self) -> str:
        return f"Fulfillment is {self._event.new_status}"

    def _shipped(self, found: Snapshot, now: datetime) -> Change:
        event = self._event
        try:
            parcel = reported.to_ship(found, event)
        except (ConstraintViolated, InvalidArgument) as refusal:
            return self._note(found, now, refusal.detail)
        shipped = shipping.ship(found, parcel, settings.waits().delivery, None, now, event.source) if parcel else None
        if shipped is None:
            return self._note(found, now)
        self.moved, self.is_done = True, self._wanted is OrderStatus.SHIPPED
        return shipped

    def _delivered(self, found: Snapshot, now: datetime) -> Change:
        event = self._event
        parcel = reported.to_deliver(found, event)
        seen = scanned(parcel, event.scan and replace(event.scan, status=None))
        if seen is not None and seen.status is ShipmentStatus.RETURNING:
            self.refused = True
            asked = scanned(parcel, event.scan) or seen
            return delivering.question_delivery(found, asked, now, event.source, event.facts, event.at)
        number = parcel.number if parcel else None
        change = delivering.deliver(found, now, event.source, self._reason, event.facts, event.at, number)
        if change is None:
            return self._note(found, now)
        self.moved = True
        return _scanned(change, event.scan) if event.scan else change

    def _note(self, found: Snapshot, now: datetime, refusal: str | None = None) -> Change:
        """What is left of an event that comes late, or for an order that is over: its place on the trail, and its scan."""
        event, order = self._event, found.order
        late = has_reached(order.status, self._wanted) or (goods.is_partly_handed_over(order) and not order.is_over)
        refused = refusal or (None if late else f"The order is {order.status}")
        self.refused = refused is not None
        parcel = reported.adopted(found, event) or scanned(reported.known(found, event), event.scan)
        kind = EventType.PACKAGE_PREPARED if event.new_status == PACKED else EventType.FULFILLMENT_RECORDED
        return delivering.record_fulfillment(found, now, event.source, event.facts, parcel, refused, kind)


def _scanned(change: Change, scan: Scan | None) -> Change:
    return replace(change, shipments=tuple(scanned(one, scan) or one for one in change.shipments))


def _marked(event: FulfillmentEvent, change: Change) -> Change:
    return replace(change, marker=event.marker)


def _bring_in_what_is_due(order: Order, event: FulfillmentEvent, clock: Clock) -> str | None:
    """An event ahead of the workflow: reserves and charges now what the workflow would have; returns why it cannot be."""
    try:
        shortage.answered(order)
        reviewing.review_answered(order)
        fulfilling.reserve_stock(event.order_id, clock)
        charging.charge_payment(event.order_id, event.source, clock)
    except (ApprovalPending, PaymentPending, ShortagePending, OrderOnHold) as pending:
        return pending.detail
    except OrderOver:
        # It has ended meanwhile: the event is followed, or noted, by the order as it is then.
        return None
    except (PaymentDeclined, OutOfStock) as refusal:
        failing.begin_unwinding(event.order_id, type(refusal).__name__, failing.report_of(refusal), clock)
        return refusal.detail
    return None


def _cancel(event: FulfillmentEvent, clock: Clock) -> Outcome:
    refused, refund = False, refunding.new_id(clock)
    why = "Cancelled by the fulfillment"

    def step(found: Snapshot) -> Change:
        nonlocal refused
        order, now, transit = found.order, clock(), settings.waits().delivery
        try:
            items = reported.pieces_of(found, event) if event.items else None
            change = cancelling.cancel(
                found, items, _cancel_reason(event), transit, now, event.source, note=why, refund_id=refund
            )
        except (ConstraintViolated, IllegalTransition, InvalidArgument) as refusal:
            refused = True
            late = order.status is not OrderStatus.CANCELLED
            said = f"{why}, but {refusal.detail}" if order.status in CANCELLABLE else f"{why}, but the order is {order.status}"
            note = delivering.record_fulfillment(found, now, event.source, event.facts, refused=said if late else None)
            return _marked(event, note)
        refused = False
        return _marked(event, change)

    after = arrivals.settle(_apply(event, step), event.source, clock)
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
    returned, refund = False, refunding.new_id(clock)

    def step(found: Snapshot) -> Change:
        nonlocal returned
        parcel = reported.known(found, event)
        returned = parcel is not None and parcel in goods.under_way(found) and not found.order.is_over
        if parcel is None or not returned:
            seen = scanned(parcel, event.scan)
            return _marked(event, delivering.record_fulfillment(found, clock(), event.source, event.facts, seen))
        change = parcels_back.return_parcel(found, parcel, clock(), event.source, "Returned to sender", refund)
        return _marked(event, _scanned(change, event.scan))

    charging.collect_cash(_apply(event, step))
    return Outcome.APPLIED if returned else Outcome.RECORDED


def _note(event: FulfillmentEvent, clock: Clock, refusal: str | None = None) -> Outcome:
    def step(found: Snapshot) -> Change:
        seen = scanned(reported.known(found, event), event.scan)
        return _marked(event, delivering.record_fulfillment(found, clock(), event.source, event.facts, seen, refusal))

    _apply(event, step)
    return Outcome.REFUSED if refusal else Outcome.RECORDED
