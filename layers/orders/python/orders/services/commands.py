"""What people ask of an order, as sentences: placing, cancelling, returning, reviewing, correcting.

Each request is one change of the row; what the workflow has to be told follows from it through the table's stream.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orders import settings
from orders.adapters.store import catalog, orders
from orders.domain.actors import Actor
from orders.domain.decisions import delivering, ending, placing, reviewing, shipping
from orders.domain.digests import IdempotencyRecord, RequestDigest
from orders.domain.errors import (
    AlreadyExists,
    ConstraintViolated,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidArgument,
    NotFound,
    PaymentDeclined,
)
from orders.domain.identifiers import CustomerId, OrderId, uuid7
from orders.domain.order import Address, Change, Line, Order, Snapshot
from orders.domain.statuses import TRANSITIONS, CancelReason, OrderStatus, PaymentMethod, may_become
from orders.services import fulfilling as fulfilment
from orders.services.changes import Apply, Clock, Decide, SeenAt, check_version, patiently, utc_now


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks to order; prices are not for the caller to say."""

    customer_id: CustomerId
    quantities: dict[str, int]
    shipping_address: Address
    method: PaymentMethod
    payment_token: str | None = None
    order_id: OrderId | None = None
    require_approval: bool = False


def place_order(
    wish: Wish, actor: Actor, key: str | None = None, digest: RequestDigest | None = None, clock: Clock = utc_now
) -> tuple[Snapshot, bool]:
    """Places an order and answers it with whether it is new; the same key and body answer the same order, for ever.

    Raises:
        InvalidArgument: a product that is not in the catalogue.
        AlreadyExists: the order id is taken.
        IdempotencyMismatch: the key was used with another body.
    """
    try:
        lines = _priced(wish.quantities)
    except InvalidArgument:
        # The catalogue may have moved on since the key was used: what the key led to stands.
        kept = orders.idempotency_record(wish.customer_id, key) if key else None
        if kept is None:
            raise
        return _as_recorded(kept, digest), False
    now = clock()
    order_id = wish.order_id or OrderId(uuid7(now, os.urandom(10)))
    total = sum(line.unit_price.amount * line.quantity for line in lines)
    placement = placing.Placement(
        order_id=order_id,
        customer_id=wish.customer_id,
        lines=lines,
        shipping_address=wish.shipping_address,
        method=wish.method,
        payment_token=wish.payment_token,
        needs_review=wish.require_approval or total >= settings.review_threshold(),
    )
    change = placing.place(placement, settings.waits(), now, actor.by)
    record = IdempotencyRecord(wish.customer_id, key, digest, order_id) if key and digest else None
    return _commit_new(change, record)


def _priced(quantities: Mapping[str, int]) -> tuple[Line, ...]:
    """The order's lines at the catalogue's names and prices."""
    catalogue = catalog.products(quantities)
    unknown = [product_id for product_id in quantities if product_id not in catalogue]
    if unknown:
        position = list(quantities).index(unknown[0])
        raise InvalidArgument.of(f"items.{position}.product_id", f"There is no product {unknown[0]}.")
    currencies = {product.unit_price.currency for product in catalogue.values()}
    if len(currencies) > 1:
        raise InvalidArgument.of("items", "All products of an order must be priced in one currency.")
    return tuple(
        Line(product_id, catalogue[product_id].name, quantity, catalogue[product_id].unit_price)
        for product_id, quantity in quantities.items()
    )


def _as_recorded(kept: IdempotencyRecord, digest: RequestDigest | None) -> Snapshot:
    if digest is None or not kept.digest.is_of_same_request(digest):
        raise IdempotencyMismatch("This Idempotency-Key was used with another request before.")
    return orders.load(kept.order_id, to_show=True)


def _commit_new(change: Change, record: IdempotencyRecord | None) -> tuple[Snapshot, bool]:
    """Commits a new order under its idempotency key; whoever loses the race for the key answers the winner's order."""
    try:
        patiently(lambda: orders.commit(change, record))
    except AlreadyExists:
        kept = record and orders.idempotency_record(record.customer_id, record.key)
        if not record or not kept:
            raise
        return _as_recorded(kept, record.digest), False
    return Snapshot(change.order), True


def cancel(order_id: OrderId, actor: Actor, note: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Cancels an order that is not shipped yet."""
    reason = CancelReason.STAFF if actor.staff else CancelReason.CUSTOMER
    return _change(order_id, if_match, lambda now: ending.cancel(now, reason, clock(), actor.by, note))


def change_address(order_id: OrderId, actor: Actor, address: Address, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Sends the parcel elsewhere, until it is handed over."""
    return _change(order_id, if_match, lambda now: shipping.change_address(now, address, clock(), actor.by))


def return_order(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Takes a delivered order back: refund and restock follow."""
    return _change(order_id, if_match, lambda now: ending.return_order(now, clock(), actor.by, reason))


def mark_returned(
    order_id: OrderId, shipment_id: str, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now
) -> Snapshot:
    """The parcel is back without having been delivered: refund and restock follow.

    Raises:
        NotFound: the order has no such parcel.
        IllegalTransition: the order is not on its way.
    """

    def returned(now: Snapshot) -> Change:
        if now.shipment is None or now.shipment.shipment_id != shipment_id:
            raise NotFound(f"Order {order_id} has no such parcel.")
        if now.order.status is not OrderStatus.SHIPPED:
            raise _refused(now.order, OrderStatus.RETURNED)
        return ending.return_order(now, clock(), actor.by, reason, to_sender=True)

    return _change(order_id, if_match, returned)


def approve(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Answers the manual review with yes."""
    return _change(order_id, if_match, lambda now: reviewing.approve(now, clock(), actor.by, reason))


def reject(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Answers the manual review with no."""
    return _change(order_id, if_match, lambda now: reviewing.reject(now, clock(), actor.by, reason))


def update_location(
    order_id: OrderId,
    actor: Actor,
    location: str,
    estimated_delivery: datetime | None,
    if_match: int | None,
    clock: Clock = utc_now,
) -> Snapshot:
    """Notes where the parcel is."""
    return _change(
        order_id,
        if_match,
        lambda now: delivering.update_location(now, location, estimated_delivery, clock(), actor.by),
    )


def mark_delivered(
    order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now
) -> Snapshot:
    """The customer has the parcel: only a shipped order can be delivered, and only once."""

    found = orders.load(order_id).order
    check_version(Snapshot(found), if_match)
    if not may_become(found.status, OrderStatus.DELIVERED):
        raise _refused(found, OrderStatus.DELIVERED)
    return fulfilment.record_delivery(order_id, actor.by, reason, clock, if_match)


def set_status(
    order_id: OrderId,
    wanted: OrderStatus,
    actor: Actor,
    reason: str | None,
    if_match: int | None,
    clock: Clock = utc_now,
) -> Snapshot:
    """A manual update under the transition table, with the side effects of the status: see ``docs/architecture.md``."""
    found = orders.load(order_id)
    check_version(found, if_match)
    if not may_become(found.order.status, wanted):
        raise _refused(found.order, wanted)
    if wanted is OrderStatus.CANCELLED:
        return cancel(order_id, actor, reason, if_match, clock)
    if wanted is OrderStatus.RETURNED:
        return _change(order_id, if_match, lambda now: _taken_back(now, clock(), actor, reason))
    if found.order.is_over:
        raise ConstraintViolated("The order is being unwound.", order_status=found.order.status)
    if wanted is OrderStatus.DELIVERED:
        return fulfilment.record_delivery(order_id, actor.by, reason, clock, if_match)
    if wanted is OrderStatus.SHIPPED:
        return fulfilment.ship_parcel(order_id, None, actor.by, clock, SeenAt(if_match, reason))
    if wanted is OrderStatus.CONFIRMED and not found.order.pays_on_delivery:
        raise ConstraintViolated(
            "Only a cash-on-delivery order is confirmed before it is paid.", order_status=found.order.status
        )
    return _bring_to_preparation(found, wanted, actor, clock, SeenAt(if_match, reason))


def _taken_back(now: Snapshot, at: datetime, actor: Actor, reason: str | None) -> Change:
    """Returned by hand: to its sender while it is under way, by its customer once it is delivered."""
    return ending.return_order(now, at, actor.by, reason, to_sender=now.order.status is OrderStatus.SHIPPED)


def _bring_to_preparation(found: Snapshot, wanted: OrderStatus, actor: Actor, clock: Clock, change: Apply) -> Snapshot:
    """CONFIRMED or PROCESSING by hand: reserves the stock and settles the payment, as the workflow would have done."""
    order_id = found.order.order_id
    if found.order.status is OrderStatus.PENDING:
        reviewing.review_answered(found.order)
        fulfilment.reserve_stock(order_id, clock, change, actor.by)
        try:
            fulfilment.charge_payment(order_id, actor.by, clock, change)
        except PaymentDeclined as declined:
            fulfilment.begin_unwinding(order_id, PaymentDeclined.__name__, fulfilment.report_of(declined), clock)
            raise
    if wanted is OrderStatus.CONFIRMED:
        return orders.load(order_id)
    return change(order_id, lambda now: shipping.start_preparation(now, clock(), actor.by, {}))


def _refused(order: Order, wanted: OrderStatus) -> Exception:
    return IllegalTransition(order.status, wanted, TRANSITIONS[order.status])


def _change(order_id: OrderId, if_match: int | None, decide: Decide) -> Snapshot:
    return SeenAt(if_match)(order_id, decide)
