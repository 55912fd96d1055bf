"""The workflow's steps: what each Lambda task of the two state machines does to an order.

Every step may be run twice, late, or beside another change: it reads the row, finds out what is left for it, writes its
intent before it has an effect outside, and uses the same key each time.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from orders import settings
from orders.adapters import workflow
from orders.adapters.carriers.registry import parcel_carrier
from orders.adapters.store import orders
from orders.domain import errors, goods, outcomes
from orders.domain.decisions import (
    cancelling,
    delivering,
    ending,
    paying,
    placing,
    restarting,
    reviewing,
    shipping,
    shortage,
    unwinding,
)
from orders.domain.errors import (
    ApprovalPending,
    GatewayUnavailable,
    OrderOnHold,
    OrderOver,
    OutcomeUnknown,
    PaymentPending,
    ShortagePending,
    StoreBusy,
)
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.order import Change, Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.scans import is_undecided
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import (
    TERMINAL,
    UNSETTLED,
    ApprovalStatus,
    OrderStatus,
    ShipmentStatus,
    has_reached,
)
from orders.domain.steps import TIMED_OUT, CancelReason, OutOfStock, PaymentDeclined, ShippingRefused, reason_of
from orders.services import capturing, charging
from orders.services.changes import Apply, Clock, apply, utc_now

Decision = Callable[[Snapshot, datetime], Change | None]
"""A step's decision on the order as it is now; ``None`` when the work is already done."""


NOT_LED_TO = {
    ShortagePending.__name__: "Waits for its customer",
    ApprovalPending.__name__: "Waits for its review",
    PaymentPending.__name__: "Waits for its payment",
    OrderOnHold.__name__: "Is on hold",
}
"""The waits that a definition of an earlier release did not lead to from where it was: its executions end there."""


MOST_LOOKS = 8
"""How often the reservation of a part is tried with what was left a moment ago."""


def new_id(prefix: str, clock: Clock) -> str:
    """A fresh id for a payment intent or a parcel."""
    return f"{prefix}-{uuid7(clock(), os.urandom(10))}"


def reserve_stock(order_id: OrderId, clock: Clock = utc_now, change: Apply = apply, by: str = SYSTEM) -> Snapshot:
    """Takes the goods out of stock, or what is there of them where the order says so.

    Raises:
        OutOfStock: there are not enough.
        StoreBusy: others took what was left each time that it was looked at.
    """
    started, policy = clock(), ShortagePolicy.CANCEL
    left: dict[str, int] = {}

    def short(order: Order) -> Change | None:
        nonlocal policy
        policy, absent = order.on_shortage, shortage.missing(order, left)
        thresholds = settings.review_thresholds()
        return shortage.reserve_part(order, absent, started, clock(), by, settings.waits(), thresholds) if absent else None

    for _ in range(MOST_LOOKS):
        try:
            return change(order_id, lambda snapshot: placing.reserve_stock(snapshot, started, clock(), by, short))
        except OutOfStock as refusal:
            if policy is ShortagePolicy.CANCEL or not refusal.left:
                raise
            left |= refusal.left
    raise StoreBusy("Others were faster each time.")


def ask_customer(order_id: OrderId, token: str, seconds: float, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the customer's answer wakes the workflow, or returns it if the answer is already given.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    snapshot = apply(order_id, lambda now: shortage.ask(now, token, seconds, clock(), run))
    if not snapshot.order.is_asked:
        workflow.answer(token, {"amended": True})


def request_approval(order_id: OrderId, token: str, seconds: float, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the review's decision wakes the workflow, or returns the decision if it is already made.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    snapshot = apply(order_id, lambda now: reviewing.request_approval(now, token, seconds, clock(), run))
    approval = snapshot.order.approval
    if approval is None or approval.status is ApprovalStatus.APPROVED:
        workflow.answer(token, {"approved": True})


def ship_parcel(
    order_id: OrderId,
    token: str | None,
    by: str = SYSTEM,
    clock: Clock = utc_now,
    change: Apply = apply,
    run: int | None = None,
) -> Snapshot:
    """Hands the parcel to the carrier, once, for the address the order has then, and keeps the token of the wait for delivery.

    The token of an earlier run is not stored: nothing waits for it, and it would replace the current run's.

    Raises:
        ShippingRefused: the carrier refuses the parcel.
        PaymentDeclined: the money that was held is not given; the order is unwound.
        CarrierUnavailable, GatewayUnavailable, OutcomeUnknown: to be tried again.
        OrderOver: the order was cancelled; the unwinding recalls the parcel.
    """
    carrier = parcel_carrier()
    fresh = new_id("ship", clock)

    def begun(snapshot: Snapshot) -> Change | None:
        if snapshot.order.is_digital:
            return shipping.hand_over_digital(snapshot, clock(), by)
        return shipping.start_handover(snapshot, fresh, carrier.name, clock(), by)

    intended = change(order_id, begun)
    if intended.order.is_digital:
        return intended
    return finish_handovers(intended, token, by, clock, change, run)


def await_warehouse(order_id: OrderId, token: str, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the last hand-over wakes the workflow, or returns it if nothing is left to be handed over.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    overdue = settings.warehouse_overdue()
    snapshot = apply(order_id, lambda now: shipping.await_warehouse(now, token, overdue, clock(), run))
    if has_reached(snapshot.order.status, OrderStatus.SHIPPED):
        workflow.answer(token, outcomes.of(snapshot))


def hand_over(order_id: OrderId, wanted: shipping.RequestedParcel, by: str, change: Apply, clock: Clock = utc_now) -> Snapshot:
    """Hands a parcel of some pieces over: booked at the configured carrier, or sent under the number that it has.

    Raises:
        ShippingRefused: the carrier refuses the parcel; its pieces can be handed over in another.
        CarrierUnavailable, OutcomeUnknown: to be tried again; what was begun is finished then.
    """
    intended = change(order_id, lambda snapshot: _begun_by_hand(snapshot, wanted, clock(), by))
    return finish_handovers(intended, None, by, clock, change, withdraws=True)


def _begun_by_hand(snapshot: Snapshot, wanted: shipping.RequestedParcel, now: datetime, by: str) -> Change | None:
    if wanted.items is None and goods.begun(snapshot) and not goods.unpacked(snapshot):
        # All that is left was begun before: it is finished.
        return None
    return shipping.start_parcel(snapshot, wanted, now, by)


def finish_handovers(
    intended: Snapshot,
    token: str | None = None,
    by: str = SYSTEM,
    clock: Clock = utc_now,
    change: Apply = apply,
    run: int | None = None,
    *,
    withdraws: bool = False,
) -> Snapshot:
    """Books each parcel whose hand-over has begun, and records that it is handed over.

    A parcel that the carrier refuses is withdrawn where the caller says so, and rises in any case.

    Raises:
        PaymentDeclined: the money that was held is not given; what is left of the order is cancelled.
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
            waits = run is None or run == snapshot.order.run
            return shipping.ship(snapshot, booked, transit, token if waits else None, clock(), by)

        after = change(order_id, shipped, after)
    if not kept:
        raise OrderOver("There is no parcel to ship.")
    return capturing.settle(after, clock)


def _paid(found: Snapshot, parcel: Shipment, clock: Clock, change: Apply) -> Snapshot:
    """The order with the money for a parcel taken, where it is only held; its refusal stops the hand-over."""
    try:
        return capturing.take(found, parcel, clock, change)
    except PaymentDeclined as refusal:
        begin_unwinding(found.order.order_id, PaymentDeclined.__name__, report_of(refusal), clock)
        raise


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


def report_of(refusal: errors.OrderError) -> str:
    """A refusal as the workflow service would report it."""
    return json.dumps({"errorType": type(refusal).__name__, "errorMessage": refusal.detail})


def is_delivered(snapshot: Snapshot) -> bool:
    """Whether the delivery is already recorded."""
    return has_reached(snapshot.order.status, OrderStatus.DELIVERED)


def end_transit(task_token: str, result: Mapping[str, Any]) -> None:
    """Returns the task token of the workflow that waits for the delivery, which then continues."""
    workflow.answer(task_token, result)


def deliver(order_id: OrderId, clock: Clock = utc_now) -> Snapshot:
    """The transit is over: delivered by the timer in timed mode; reported as overdue where only the carrier may say so."""
    snapshot = orders.load(order_id)
    if not has_reached(snapshot.order.status, OrderStatus.SHIPPED):
        # The transit timer ran while the hand-over was still being tried: it has to come first.
        snapshot = ship_parcel(order_id, None, clock=clock)
    if settings.delivery_is_timed() or is_delivered(snapshot) or snapshot.order.is_digital:
        # Repeated even if recorded: the earlier caller may have stopped before it recorded the cash.
        return record_delivery(order_id, SYSTEM, clock=clock, known=snapshot)
    overdue = settings.waits().delivery
    return apply(order_id, lambda now: delivering.report_overdue(now, overdue, clock()), snapshot)


def record_delivery(
    order_id: OrderId,
    by: str,
    reason: str | None = None,
    clock: Clock = utc_now,
    change: Apply = apply,
    known: Snapshot | None = None,
) -> Snapshot:
    """The customer has every parcel under way; cash agreed on is collected with each, once. ``known`` spares the first read."""

    def delivered(snapshot: Snapshot) -> Change | None:
        if snapshot.order.status in TERMINAL and by == SYSTEM:
            raise OrderOver(f"The order is {snapshot.order.status}.")
        waiting, ready = goods.under_way(snapshot), _deliverable(snapshot, by)
        if waiting and not ready:
            # No timer says that a parcel was delivered which is lost, or on its way back.
            return delivering.report_overdue(snapshot, settings.waits().delivery, clock())
        return delivering.deliver(snapshot, clock(), by, reason, number=ready[0].number if ready else None)

    after = change(order_id, delivered, known)
    while _deliverable(after, by) and not after.order.is_over:
        after = change(order_id, delivered, after)
    charging.collect_cash(after)
    return after


def _deliverable(snapshot: Snapshot, by: str) -> list[Shipment]:
    """The parcels under way that the caller may deliver: the timer none that is lost, or on its way back."""
    return [one for one in goods.under_way(snapshot) if by != SYSTEM or not is_undecided(one)]


def record_parcel_delivery(
    order_id: OrderId, number: int, by: str, reason: str | None = None, clock: Clock = utc_now, change: Apply = apply
) -> Snapshot:
    """The customer has one of the parcels; cash agreed on is collected with it."""
    after = change(order_id, lambda snapshot: delivering.deliver(snapshot, clock(), by, reason, number=number))
    charging.collect_cash(after)
    return after


def failure_of(so_far: Mapping[str, Any]) -> tuple[str, str]:
    """The error and the cause that an execution's data ends with: a step's failure, or an outcome that is a refusal."""
    if "failure" in so_far:
        failure = so_far["failure"]
        return failure["Error"], failure.get("Cause", "")
    refusal = outcomes.failure_in(so_far)
    if refusal is None:
        raise ValueError("The execution has met no failure.")
    error, message = refusal
    return error, json.dumps({"errorType": error, "errorMessage": message})


def begin_unwinding(order_id: OrderId, error: str, cause: str, clock: Clock = utc_now, run: int | None = None) -> Snapshot:
    """A step failed permanently: records which and why; the unwinding follows.

    ``error`` and ``cause`` are the failed task's, as Step Functions reports them. Where a later run than ``run`` processes
    the order, nothing is recorded: that run meets the failure itself, if it lasts.
    """

    def failed(snapshot: Snapshot) -> Change | None:
        order, now = snapshot.order, clock()
        if run not in (None, order.run):
            return None
        if goes_on := _tried_again(snapshot, error, now):
            return goes_on
        if error == TIMED_OUT and (order.is_asked or charging.is_awaited(snapshot)):
            late = "The payment was not made in time."
            return shortage.unanswered(snapshot, now) or ending.fail(snapshot, CancelReason.EXPIRED, late, now)
        if goods.is_partly_handed_over(order):
            is_unpaid = error == PaymentDeclined.__name__
            transit, refund = settings.waits().delivery, new_id("ref", clock)
            return cancelling.cut_short(snapshot, _message(cause), transit, now, SYSTEM, refund_id=refund, is_unpaid=is_unpaid)
        reason = reason_of(error, order.current_step.name if order.current_step else None)
        message = "Nobody answered the review in time." if reason is CancelReason.APPROVAL_TIMEOUT else _message(cause)
        if error == PaymentDeclined.__name__:
            return paying.payment_declined(snapshot, message, now)
        return ending.fail(snapshot, reason, message, now)

    return apply(order_id, failed)


def _tried_again(snapshot: Snapshot, error: str, now: datetime) -> Change | None:
    """The change of an order that goes on all the same; ``None`` where the failure is its own."""
    if why := _why_it_goes_on(snapshot, error):
        return restarting.restart(snapshot, settings.waits(), now, SYSTEM, why)
    return paying.delayed(snapshot, now) if _is_provider_s_fault(snapshot, error) else None


def _is_provider_s_fault(snapshot: Snapshot, error: str) -> bool:
    """Whether a step has ended because the payment provider takes no calls, which says nothing about the order."""
    payment = snapshot.payment
    if error != OutcomeUnknown.__name__ or payment is None:
        return error == GatewayUnavailable.__name__
    return payment.status in UNSETTLED or payment.pending_capture is not None


def _why_it_goes_on(snapshot: Snapshot, error: str) -> str | None:
    """Why an execution has ended without a failure of its order, which then goes on with the next one."""
    order = snapshot.order
    if order.is_over:
        return None
    if error in NOT_LED_TO:
        return NOT_LED_TO[error]
    return _why_no_wait_ran_out(snapshot) if error == TIMED_OUT else None


def _why_no_wait_ran_out(snapshot: Snapshot) -> str | None:
    """A decision may be committed just before a wait runs out, and not reach it: the row decides."""
    order = snapshot.order
    if charging.is_awaited(snapshot):
        return None
    if order.release_token and not (order.is_asked or _in_review(order)):
        return "The wait for the release ran out"
    if order.confirmation_token:
        return "Paid while the wait ran out"
    if _is_amended(order):
        return "Amended while the wait ran out"
    if order.warehouse_token:
        return "The wait for the warehouse ran out"
    approved = order.approval is not None and order.approval.status is ApprovalStatus.APPROVED
    return "Approved while the wait ran out" if approved else None


def _in_review(order: Order) -> bool:
    return order.approval is not None and order.approval.status is ApprovalStatus.PENDING


def _is_amended(order: Order) -> bool:
    """Whether the customer has taken what is there, and nothing has happened since."""
    undecided = order.approval is None or order.approval.status is ApprovalStatus.PENDING
    return order.shortage_token is not None and not order.is_asked and undecided and order.approval_token is None


def _message(cause: str) -> str:
    """The refusal's own words where it is one of ours; nothing internal otherwise."""
    try:
        report = json.loads(cause)
        if errors.named(report["errorType"]):
            return str(report["errorMessage"])
    except (ValueError, KeyError, TypeError):
        pass
    return "The step failed after several tries."


def recall_shipment(order_id: OrderId, clock: Clock = utc_now) -> Snapshot:
    """Recalls each parcel: it is not delivered, whether or not it is already booked."""
    snapshot = orders.load(order_id)
    for shipment in [one for one in snapshot.shipments if not one.recalled]:
        parcel_carrier().recall(shipment.shipment_id)
        snapshot = apply(order_id, lambda now: unwinding.shipment_recalled(now, clock()), snapshot)
    return snapshot


def record(order_id: OrderId, decision: Decision, clock: Clock = utc_now) -> Snapshot:
    """A step without an outside party: the decision is recorded, nothing else."""
    return apply(order_id, lambda snapshot: decision(snapshot, clock()))
