"""What people ask of an order, as sentences: placing, cancelling, returning, reviewing, correcting, repairing.

Each request is one change of the row; what the workflow has to be told follows from it through the table's stream.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders import fulfilment, fulfilment_events, lifecycle, settings, store, workflow
from orders.changes import Apply, Clock, Decide, SeenAt, apply, check_version, patiently, utc_now
from orders.digests import RequestDigest
from orders.errors import (
    AlreadyExists,
    ConstraintViolated,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidArgument,
    PaymentDeclined,
)
from orders.events import SYSTEM, FollowUp
from orders.ids import CustomerId, OrderId, uuid7
from orders.order import Address, Change, Line, Order, Snapshot
from orders.statuses import (
    CANCELLABLE,
    TRANSITIONS,
    CancelReason,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    has_reached,
    may_become,
)

MOST_RUNS = 10
"""After so many restarts an order is given up as expired: something is wrong that a restart cannot mend.

A parcel that is on its way cannot be given up, and neither can money that is owed: those are carried on for ever.
"""


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


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: ``by`` is written on the trail, ``staff`` decides which cancellation reason is given."""

    by: str
    staff: bool = False


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
        kept = store.promised(wish.customer_id, key) if key else None
        if kept is None:
            raise
        return _as_promised(kept, digest), False
    now = clock()
    order_id = wish.order_id or OrderId(uuid7(now, os.urandom(10)))
    total = sum(line.unit_price.amount * line.quantity for line in lines)
    placement = lifecycle.Placement(
        order_id=order_id,
        customer_id=wish.customer_id,
        lines=lines,
        shipping_address=wish.shipping_address,
        method=wish.method,
        payment_token=wish.payment_token,
        needs_review=wish.require_approval or total >= settings.review_threshold(),
    )
    change = lifecycle.place(placement, settings.waits(), now, actor.by)
    promise = store.Promise(wish.customer_id, key, digest, order_id) if key and digest else None
    return _commit_new(change, promise)


def _priced(quantities: Mapping[str, int]) -> tuple[Line, ...]:
    """The order's lines at the catalogue's names and prices."""
    catalogue = store.products(quantities)
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


def _as_promised(kept: store.Promise, digest: RequestDigest | None) -> Snapshot:
    if digest is None or not kept.digest.is_of_same_request(digest):
        raise IdempotencyMismatch("This Idempotency-Key was used with another request before.")
    return store.load(kept.order_id)


def _commit_new(change: Change, promise: store.Promise | None) -> tuple[Snapshot, bool]:
    """Commits a new order under its idempotency key; whoever loses the race for the key answers the winner's order."""
    try:
        patiently(lambda: store.commit(change, promise))
    except AlreadyExists:
        kept = promise and store.promised(promise.customer_id, promise.key)
        if not promise or not kept:
            raise
        return _as_promised(kept, promise.digest), False
    return Snapshot(change.order), True


def cancel(order_id: OrderId, actor: Actor, note: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Cancels an order that is not shipped yet."""
    reason = CancelReason.STAFF if actor.staff else CancelReason.CUSTOMER
    return _change(order_id, if_match, lambda now: lifecycle.cancel(now, reason, clock(), actor.by, note))


def change_address(order_id: OrderId, actor: Actor, address: Address, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Sends the parcel elsewhere, until it is handed over."""
    return _change(order_id, if_match, lambda now: lifecycle.change_address(now, address, clock(), actor.by))


def return_order(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Takes a delivered order back: refund and restock follow."""
    return _change(order_id, if_match, lambda now: lifecycle.return_order(now, clock(), actor.by, reason))


def approve(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Answers the manual review with yes."""
    return _change(order_id, if_match, lambda now: lifecycle.approve(now, clock(), actor.by, reason))


def reject(order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now) -> Snapshot:
    """Answers the manual review with no."""
    return _change(order_id, if_match, lambda now: lifecycle.reject(now, clock(), actor.by, reason))


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
        lambda now: lifecycle.update_location(now, location, estimated_delivery, clock(), actor.by),
    )


def mark_delivered(
    order_id: OrderId, actor: Actor, reason: str | None, if_match: int | None, clock: Clock = utc_now
) -> Snapshot:
    """The customer has the parcel: only a shipped order can be delivered, and only once."""

    found = store.load(order_id).order
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
    found = store.load(order_id)
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
    return lifecycle.return_order(now, at, actor.by, reason, to_sender=now.order.status is OrderStatus.SHIPPED)


def _bring_to_preparation(found: Snapshot, wanted: OrderStatus, actor: Actor, clock: Clock, change: Apply) -> Snapshot:
    """CONFIRMED or PROCESSING by hand: reserves the stock and settles the payment, as the workflow would have done."""
    order_id = found.order.order_id
    if found.order.status is OrderStatus.PENDING:
        lifecycle.review_answered(found.order)
        fulfilment.reserve_stock(order_id, clock, change)
        try:
            fulfilment.charge_payment(order_id, actor.by, clock, change)
        except PaymentDeclined as declined:
            fulfilment.begin_unwinding(order_id, PaymentDeclined.__name__, fulfilment.report_of(declined), clock)
            raise
    if wanted is OrderStatus.CONFIRMED:
        return store.load(order_id)
    return change(order_id, lambda now: lifecycle.start_preparation(now, clock(), actor.by, {}))


def _refused(order: Order, wanted: OrderStatus) -> Exception:
    return IllegalTransition(order.status, wanted, TRANSITIONS[order.status])


def _change(order_id: OrderId, if_match: int | None, decide: Decide) -> Snapshot:
    return SeenAt(if_match)(order_id, decide)


# --- following up, repairing ---


def follow_up(order_id: OrderId, wanted: FollowUp, clock: Clock = utc_now) -> None:
    """Tells the workflow service what follows from a committed change; telling it twice changes nothing.

    Reads the order as it is now: what has been overtaken meanwhile is not done any more.
    """
    snapshot = store.load(order_id)
    order = snapshot.order
    if wanted is FollowUp.START_FULFILMENT and not order.is_over:
        workflow.start_fulfilment(order, lifecycle.remaining_waits(order, settings.waits(), clock()))
    elif wanted is FollowUp.ANSWER_APPROVED and order.approval_token:
        workflow.answer(order.approval_token, {"approved": True})
    elif wanted is FollowUp.ANSWER_REJECTED and order.approval_token:
        reason = order.approval.reason if order.approval else None
        workflow.refuse(order.approval_token, "ApprovalRejected", reason or "Rejected in review")
    elif wanted is FollowUp.ANSWER_DELIVERED:
        fulfilment.collect_cash(snapshot)
        if order.delivery_token:
            workflow.answer(order.delivery_token, {"delivered": True})
    # The unwinding starts before the fulfilment ends: whoever hears of that end finds the order attended.
    if order.overall is OverallStatus.ROLLING_BACK:
        workflow.start_unwinding(snapshot)
    if wanted is FollowUp.STOP_AND_UNWIND:
        workflow.stop_fulfilment(order, f"The order is {order.status}.")


def sync(order_id: OrderId, by: str, clock: Clock = utc_now) -> Snapshot:
    """Re-derives what should be going on from the order's row and its parcel's scans, and starts again what is not.

    An order that is over is left alone; one whose execution is alive too, and looked at again later.
    """
    snapshot = store.load(order_id)
    if snapshot.order.due_at is not None and fulfilment_events.replay(snapshot, clock):
        snapshot = store.load(order_id)
    order = snapshot.order
    if order.due_at is None or _is_attended(snapshot):
        return snapshot
    if order.run >= MOST_RUNS and order.status in CANCELLABLE and not order.is_over:
        return apply(
            order_id,
            lambda now: lifecycle.fail(now, CancelReason.EXPIRED, "The order could not be completed.", clock()),
        )
    waits = settings.waits()
    reason = "The workflow was not running"

    def restart(found: Snapshot) -> Change | None:
        if found.order.version != order.version:
            return None
        return lifecycle.restart(found, waits, clock(), by, reason)

    return apply(order_id, restart, snapshot)


def _is_attended(snapshot: Snapshot) -> bool:
    order = snapshot.order
    unwinding = workflow.unwinding_arn(order)
    if order.overall is OverallStatus.ROLLING_BACK:
        return unwinding is not None and workflow.is_running(unwinding)
    if workflow.is_running(workflow.fulfilment_arn(order)):
        return True
    # A shipped parcel that only the carrier may report has nothing to be restarted for once its wait is over.
    return has_reached(order.status, OrderStatus.SHIPPED) and not settings.delivery_is_timed()


def sweep(everything: bool = False, clock: Clock = utc_now) -> Iterator[OrderId]:
    """Repairs each order that is overdue (or every open one), and yields the ids of those it restarted.

    Raises:
        ExceptionGroup: at the end, with what went wrong: the longest overdue order comes first in every sweep, and one that
            cannot be repaired must not keep it from the others.
    """
    now = clock()
    failures: dict[OrderId, Exception] = {}
    for order_id in list(store.orders_due(None if everything else now)):
        try:
            restarted = _repair(order_id, now, clock)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is raised when the others have had their turn
            failures[order_id] = failure
        else:
            if restarted:
                yield order_id
    if failures:
        raise ExceptionGroup(f"Not repaired: {', '.join(list(failures)[:20])}", list(failures.values()))


def _repair(order_id: OrderId, now: datetime, clock: Clock) -> bool:
    """Syncs one order and answers whether that changed it; one that is fine is looked at again later."""
    before = store.load(order_id)
    after = sync(order_id, SYSTEM, clock)
    if after.order.version != before.order.version:
        return True
    if after.order.due_at and after.order.due_at <= now:
        _look_again_later(after, clock)
    return False


STUCK_AFTER = {
    OrderStatus.PENDING: timedelta(minutes=20),
    OrderStatus.CONFIRMED: timedelta(minutes=10),
    OrderStatus.PROCESSING: timedelta(minutes=30),
}
"""How old an order may be in a status it should have left; counted from when it was placed."""


def stuck(clock: Clock = utc_now) -> dict[OrderStatus, int]:
    """How many orders of each status are older than an order should be that is still there; counted from an index."""
    now = clock()
    return {status: store.count_in_status(status, now - age) for status, age in STUCK_AFTER.items()}


def _look_again_later(snapshot: Snapshot, clock: Clock) -> None:
    order = snapshot.order
    if order.status is OrderStatus.SHIPPED and not settings.delivery_is_timed():
        overdue = settings.waits().delivery
        apply(order.order_id, lambda now: lifecycle.report_overdue(now, overdue, clock()), snapshot)
        return
    store.postpone(order, clock() + timedelta(seconds=lifecycle.GRACE.total_seconds()))
