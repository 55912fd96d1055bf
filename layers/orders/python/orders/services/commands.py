"""The commands of customers and staff on an order: cancelling, reviewing, correcting.

Each request is one change of the row; what the workflow has to do follows from it through the table's stream.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from orders import settings
from orders.adapters.carriers.registry import parcel_carrier
from orders.adapters.store import orders
from orders.domain import goods
from orders.domain.actors import Actor
from orders.domain.address import Address
from orders.domain.decisions import cancelling, delivering, describing, ending, parcels_back, reviewing, shipping, shortage
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.decisions.reported import OUTSIDE_CARRIER
from orders.domain.decisions.shipping import RequestedParcel
from orders.domain.digests import KeyedCall
from orders.domain.errors import ConstraintViolated, IllegalTransition
from orders.domain.identifiers import OrderId, TrackingNumber
from orders.domain.order import Change, Order, Snapshot
from orders.domain.statuses import TRANSITIONS, OrderStatus, may_become
from orders.domain.steps import CancelReason, PaymentDeclined
from orders.services import arrivals, charging, deliveries, failing, fulfilling, handovers, refunding
from orders.services.changes import Apply, Clock, SeenAt, apply, utc_now

PARCEL = "ship"
"""What the ids of parcels begin with that are given here."""


def cancel(
    order_id: OrderId,
    actor: Actor,
    note: str | None,
    seen: SeenAt,
    clock: Clock = utc_now,
    items: Mapping[str, int] | None = None,
) -> Snapshot:
    """Cancels so many pieces of an order's lines, or all that is not handed over yet."""
    reason, transit = CancelReason.STAFF if actor.staff else CancelReason.CUSTOMER, settings.waits().delivery
    refund = refunding.new_id(clock)
    after = seen(
        order_id, lambda now: cancelling.cancel(now, items, reason, transit, clock(), actor.by, note=note, refund_id=refund)
    )
    return refunding.tried(arrivals.settle(after, actor.by, clock), clock)


def parcel(
    items: Mapping[str, int] | None,
    carrier: str | None,
    tracking_number: str | None,
    clock: Clock = utc_now,
    call: KeyedCall | None = None,
) -> RequestedParcel:
    """A parcel to be handed over: at the configured carrier, unless it travels under a number of its own already."""
    number = TrackingNumber(tracking_number) if tracking_number else None
    configured = parcel_carrier().name
    named = (carrier or OUTSIDE_CARRIER) if number else configured
    shipment_id = call.id_of(PARCEL, 0) if call else fulfilling.new_id(PARCEL, clock)
    return RequestedParcel(shipment_id, named, items, number)


def refund(order_id: OrderId, wanted: WantedRefund, actor: Actor, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Gives money back without goods; a parcel that is lost, and given back as a whole, is over its way."""
    return settle_lost(refunding.request(order_id, wanted, actor, seen, clock), actor.by, clock)


def settle_lost(snapshot: Snapshot, by: str, clock: Clock = utc_now) -> Snapshot:
    """The order without the parcels that are lost and given back: nothing comes of them any more."""

    def lost(now: Snapshot) -> Change | None:
        found = parcels_back.lost_ones(now)
        return parcels_back.lose_parcel(now, found[0], clock(), by) if found and not now.order.is_over else None

    while parcels_back.lost_ones(snapshot) and not snapshot.order.is_over:
        snapshot = apply(snapshot.order.order_id, lost, snapshot)
    charging.collect_cash(snapshot)
    return snapshot


def hand_over(order_id: OrderId, actor: Actor, wanted: RequestedParcel, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Hands a parcel over."""
    return handovers.hand_over(order_id, wanted, actor.by, seen, clock)


def hand_over_again(
    order_id: OrderId, actor: Actor, wanted: RequestedParcel, call: KeyedCall, clock: Clock = utc_now
) -> Snapshot:
    """What a repeated request for a parcel led to, once that is handed over: the first may have failed midway.

    One that the carrier has refused is tried again as another parcel, as no refusal is kept.
    """
    found = orders.load(order_id)
    if found.order.is_over:
        return found
    made = {one.shipment_id: one for one in found.shipments}
    attempts = iter(map(partial(call.id_of, PARCEL), count()))
    last = next(attempts)
    while (parcel := made.get(last)) and goods.is_withdrawn(found.order, parcel):
        last = next(attempts)
    if last in made or last == wanted.shipment_id:
        return handovers.finish_begun(found, clock=clock, withdraws=True) if goods.begun(found) else found
    return handovers.hand_over(order_id, replace(wanted, shipment_id=last), actor.by, SeenAt(), clock)


def change_address(order_id: OrderId, actor: Actor, address: Address, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Changes the address, until the parcel is handed over."""
    return seen(order_id, lambda now: shipping.change_address(now, address, clock(), actor.by))


def change_details(order_id: OrderId, actor: Actor, patch: Mapping[str, Any], seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Changes what is said of an order besides what is ordered, at any time."""
    return seen(order_id, lambda now: describing.change_details(now, patch, clock(), actor.by))


def mark_returned(
    order_id: OrderId,
    shipment_id: str,
    actor: Actor,
    reason: str | None,
    seen: SeenAt,
    clock: Clock = utc_now,
) -> Snapshot:
    """The parcel is back without having been delivered: refund and restock follow.

    Raises:
        NotFound: the order has no such parcel.
        IllegalTransition: the order is not on its way.
    """

    def returned(now: Snapshot) -> Change:
        parcel = delivering.found(now, shipment_id)
        if not goods.is_handed_over(now.order, parcel) or goods.end_of(now.order, parcel):
            raise _refused(now.order, OrderStatus.RETURNED)
        return parcels_back.return_parcel(now, parcel, clock(), actor.by, reason, refund_id)

    refund_id = refunding.new_id(clock)
    return refunding.tried(seen(order_id, returned), clock)


def amend(order_id: OrderId, actor: Actor, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Takes what is there of an order of which a part is out of stock."""
    waits, thresholds = settings.waits(), settings.review_thresholds()
    return seen(order_id, lambda now: shortage.amend(now, clock(), actor.by, waits, thresholds))


def approve(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Approves the order in the manual review."""
    return seen(order_id, lambda now: reviewing.approve(now, clock(), actor.by, reason))


def reject(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Rejects the order in the manual review."""
    return seen(order_id, lambda now: reviewing.reject(now, clock(), actor.by, reason))


def update_location(
    order_id: OrderId,
    actor: Actor,
    location: str,
    estimated_delivery: datetime | None,
    seen: SeenAt,
    shipment_id: str | None = None,
    clock: Clock = utc_now,
) -> Snapshot:
    """Records the location of a parcel, the latest where none is named."""
    return seen(
        order_id,
        lambda now: delivering.update_location(now, location, estimated_delivery, clock(), actor.by, shipment_id),
    )


def mark_delivered(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """The customer has every parcel under way: only what was handed over can be delivered, and only once."""
    found = orders.load(order_id)
    seen.check(found)
    if not may_become(found.order.status, OrderStatus.DELIVERED) and not goods.under_way(found):
        raise _refused(found.order, OrderStatus.DELIVERED)
    return deliveries.record_delivery(order_id, actor.by, reason, clock, seen)


def mark_parcel_delivered(
    order_id: OrderId, shipment_id: str, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now
) -> Snapshot:
    """The customer has one of the parcels.

    Raises:
        NotFound: the order has no such parcel.
        IllegalTransition: it is not on its way.
    """
    found = orders.load(order_id)
    seen.check(found)
    parcel = delivering.found(found, shipment_id)
    if parcel not in goods.under_way(found):
        raise _refused(found.order, OrderStatus.DELIVERED)
    return deliveries.record_parcel_delivery(order_id, parcel.number, actor.by, reason, clock, seen)


def set_status(
    order_id: OrderId,
    wanted: OrderStatus,
    actor: Actor,
    seen: SeenAt,
    clock: Clock = utc_now,
) -> Snapshot:
    """A manual update under the transition table, with the side effects of the status: see ``docs/architecture.md``."""
    found = orders.load(order_id)
    seen.check(found)
    if not may_become(found.order.status, wanted):
        raise _refused(found.order, wanted)
    if wanted is OrderStatus.CANCELLED:
        reason = CancelReason.STAFF if actor.staff else CancelReason.CUSTOMER
        return seen(order_id, lambda now: ending.cancel(now, reason, clock(), actor.by, seen.reason))
    if wanted is OrderStatus.RETURNED:
        return seen(order_id, lambda now: _taken_back(now, clock(), actor, seen.reason))
    if found.order.is_over:
        raise ConstraintViolated("The order is being unwound.", order_status=found.order.status)
    if wanted is OrderStatus.DELIVERED:
        return deliveries.record_delivery(order_id, actor.by, seen.reason, clock, seen)
    if wanted is OrderStatus.SHIPPED:
        return handovers.ship_parcel(order_id, None, actor.by, clock, seen)
    if wanted is OrderStatus.CONFIRMED and not found.order.pays_on_delivery:
        raise ConstraintViolated(
            "Only a cash-on-delivery order can be confirmed before payment.", order_status=found.order.status
        )
    return _bring_to_preparation(found, wanted, actor, clock, seen)


def _taken_back(now: Snapshot, at: datetime, actor: Actor, reason: str | None) -> Change:
    """Returned by hand: to its sender while it is under way, by its customer once it is delivered."""
    return ending.return_order(now, at, actor.by, reason, to_sender=now.order.status is OrderStatus.SHIPPED)


def _bring_to_preparation(found: Snapshot, wanted: OrderStatus, actor: Actor, clock: Clock, change: Apply) -> Snapshot:
    """CONFIRMED or PROCESSING by hand: reserves the stock and settles the payment, as the workflow would have done."""
    order_id = found.order.order_id
    if found.order.status is OrderStatus.PENDING:
        shortage.answered(found.order)
        reviewing.review_answered(found.order)
        fulfilling.reserve_stock(order_id, clock, change, actor.by)
        try:
            charging.charge_payment(order_id, actor.by, clock, change)
        except PaymentDeclined as declined:
            failing.begin_unwinding(order_id, PaymentDeclined.__name__, failing.report_of(declined), clock)
            raise
    if wanted is OrderStatus.CONFIRMED:
        return orders.load(order_id)
    return change(order_id, lambda now: shipping.start_preparation(now, clock(), actor.by, {}))


def _refused(order: Order, wanted: OrderStatus) -> Exception:
    return IllegalTransition(order.status, wanted, TRANSITIONS[order.status])
