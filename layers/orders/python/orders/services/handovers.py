"""Parcels are handed over to the carrier: by the workflow, by the warehouse, or by the sweep where a request was begun and its
caller is gone; and recalled.

Each parcel's row is written before the carrier is called, with the key that is the same for each try.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from orders import settings
from orders.adapters import workflow
from orders.adapters.carriers.registry import parcel_carrier
from orders.adapters.store import orders
from orders.domain import goods, outcomes
from orders.domain.decisions import shipping, unwinding
from orders.domain.errors import OrderOver
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import OrderStatus, ShipmentStatus, has_reached
from orders.domain.steps import PaymentDeclined, ShippingRefused
from orders.services import capturing, failing, fulfilling, task_tokens
from orders.services.changes import Apply, Clock, apply, utc_now


def ship_parcel(
    order_id: OrderId,
    token: str | None,
    by: str = SYSTEM,
    clock: Clock = utc_now,
    change: Apply = apply,
    run: int | None = None,
) -> Snapshot:
    """Hands the parcel to the carrier, once, for the address the order has then, and keeps the token of the wait for delivery.

    The token of an earlier run is not stored: nothing waits for it, and it would replace the current run's. Nor is that of an
    attempt that a later one may have overtaken.

    Raises:
        OrderChanged: it may not be the last attempt to wait; to be tried again.
        ShippingRefused: the carrier refuses the parcel.
        PaymentDeclined: the money that was held is not given; the order is unwound.
        CarrierUnavailable, GatewayUnavailable, OutcomeUnknown: to be tried again.
        OrderOver: the order was cancelled; the unwinding recalls the parcel.
    """
    carrier = parcel_carrier()
    fresh = fulfilling.new_id("ship", clock)
    attempt = task_tokens.Attempt(token, run, clock()) if token else None

    def begun(snapshot: Snapshot) -> Change | None:
        if snapshot.order.is_digital:
            return shipping.hand_over_digital(snapshot, clock(), by)
        return shipping.start_handover(snapshot, fresh, carrier.name, clock(), by)

    intended = change(order_id, begun)
    if intended.order.is_digital:
        return intended
    return finish_begun(intended, attempt, by, clock, change)


def await_warehouse(order_id: OrderId, token: str, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the last hand-over wakes the workflow, or returns it if nothing is left to be handed over.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    overdue = settings.warehouse_overdue()
    snapshot = task_tokens.keep(
        order_id,
        token,
        lambda order: order.warehouse_token,
        lambda now: shipping.await_warehouse(now, token, overdue, clock(), run),
        clock,
    )
    if has_reached(snapshot.order.status, OrderStatus.SHIPPED):
        workflow.answer(token, outcomes.of(snapshot))


def hand_over(order_id: OrderId, wanted: shipping.RequestedParcel, by: str, change: Apply, clock: Clock = utc_now) -> Snapshot:
    """Hands a parcel of some pieces over: booked at the configured carrier, or sent under the number that it has.

    Raises:
        ShippingRefused: the carrier refuses the parcel; its pieces can be handed over in another.
        CarrierUnavailable, OutcomeUnknown: to be tried again; what was begun is finished then.
    """
    intended = change(order_id, lambda snapshot: _begun_by_hand(snapshot, wanted, clock(), by))
    return finish_begun(intended, None, by, clock, change, withdraws=True)


def _begun_by_hand(snapshot: Snapshot, wanted: shipping.RequestedParcel, now: datetime, by: str) -> Change | None:
    if wanted.items is None and goods.begun(snapshot) and not goods.unpacked(snapshot):
        # All that is left was begun before: it is finished.
        return None
    if any(one.shipment_id == wanted.shipment_id for one in snapshot.shipments):
        return None
    return shipping.start_parcel(snapshot, wanted, now, by)


def finish_begun(
    intended: Snapshot,
    attempt: task_tokens.Attempt | None = None,
    by: str = SYSTEM,
    clock: Clock = utc_now,
    change: Apply = apply,
    *,
    withdraws: bool = False,
) -> Snapshot:
    """Books each parcel whose hand-over has begun, and records that it is handed over.

    A parcel that the carrier refuses is withdrawn where the caller says so, and rises in any case.

    Raises:
        PaymentDeclined: the money that was held is not given; what is left of the order is cancelled.
        OrderChanged: a later attempt to wait for the delivery may have begun.
    """
    order_id, transit, after = intended.order.order_id, settings.waits().delivery, intended
    begun, kept = goods.begun(intended), [one for one in intended.shipments if not one.recalled]
    for parcel in begun or kept[-1:]:
        after = _paid(after, parcel, clock, change) if begun else after
        try:
            booked = _book(intended.order, parcel, transit, clock) if begun else parcel
        except ShippingRefused as refusal:
            if withdraws:
                change(order_id, partial(_withdrawn, number=parcel.number, why=refusal.detail, clock=clock, by=by))
            raise

        def shipped(snapshot: Snapshot, booked: Shipment = booked) -> Change | None:
            token = attempt.token_for(snapshot.order) if attempt else None
            decided = shipping.ship(snapshot, booked, transit, token, clock(), by)
            if attempt and token and decided is not None:
                attempt.check_latest(snapshot.order.delivery_token, snapshot.order)
            return decided

        after = change(order_id, shipped, after)
    if not kept:
        raise OrderOver("There is no parcel to ship.")
    return capturing.settle(after, clock)


def _paid(found: Snapshot, parcel: Shipment, clock: Clock, change: Apply) -> Snapshot:
    """The order with the money for a parcel taken, where it is only held; its refusal stops the hand-over."""
    try:
        return capturing.take(found, parcel, clock, change)
    except PaymentDeclined as refusal:
        failing.begin_unwinding(found.order.order_id, PaymentDeclined.__name__, failing.report_of(refusal), clock)
        raise


def _given_back(found: Snapshot, *, number: int, clock: Clock) -> Change | None:
    return unwinding.shipment_recalled(found, number, clock())


def _recalled(found: Snapshot, *, number: int, clock: Clock) -> Change | None:
    return shipping.recalled(found, number, clock())


def _withdrawn(found: Snapshot, *, number: int, why: str, clock: Clock, by: str) -> Change | None:
    return shipping.withdraw(found, number, clock(), by, why)


def _book(order: Order, shipment: Shipment, transit: float, clock: Clock) -> Shipment:
    if shipment.tracking_number is None:
        booking = parcel_carrier().book(shipment.shipment_id, order.shipping_address, goods.lines_of(order, shipment))
        shipment = replace(shipment, tracking_number=booking.tracking_number, sender=booking.sender)
    return replace(
        shipment,
        status=ShipmentStatus.IN_TRANSIT,
        current_location="Handed over to the carrier",
        # Where only the carrier says when it delivers, there is no estimate until it gives one.
        estimated_delivery=clock() + timedelta(seconds=transit) if settings.delivery_is_timed() else None,
    )


def recall_shipment(order_id: OrderId, clock: Clock = utc_now) -> Snapshot:
    """Recalls each parcel: it is not delivered, whether or not it is already booked."""
    snapshot = orders.load(order_id)
    for shipment in [one for one in snapshot.shipments if not one.recalled]:
        parcel_carrier().recall(shipment.shipment_id)
        snapshot = apply(order_id, partial(_given_back, number=shipment.number, clock=clock), snapshot)
    return snapshot


def is_left(snapshot: Snapshot) -> bool:
    """Whether a hand-over that a request has begun is to be finished, now or after the order's release, or to be undone."""
    return bool(shipping.to_recall(snapshot)) or _is_begun(snapshot)


def _is_begun(snapshot: Snapshot) -> bool:
    return not snapshot.order.is_over and any(one.due_at for one in goods.begun(snapshot))


def finish_left(snapshot: Snapshot, clock: Clock = utc_now) -> Snapshot:
    """Does what the request would have done: takes the money, books the parcel and records it, or withdraws what is refused.

    A parcel that was given up is recalled.

    Raises:
        CarrierUnavailable, GatewayUnavailable, OutcomeUnknown: to be tried again.
    """
    for parcel in shipping.to_recall(snapshot):
        parcel_carrier().recall(parcel.shipment_id)
        snapshot = apply(snapshot.order.order_id, partial(_recalled, number=parcel.number, clock=clock), snapshot)
    if not _is_begun(snapshot) or snapshot.order.hold:
        return snapshot
    try:
        return finish_begun(snapshot, clock=clock, withdraws=True)
    except (ShippingRefused, PaymentDeclined, OrderOver):
        # Recorded where it was met: the parcel is withdrawn, or what is left of the order cancelled.
        return orders.load(snapshot.order.order_id)
