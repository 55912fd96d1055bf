"""What may happen to an order, as pure decisions: a snapshot goes in, one ``Change`` comes out or a named refusal is raised.

Nothing here talks to a table, a gateway or a clock. A function that finds its work done already returns ``None``, which is
what makes each step of the workflow safe to run twice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orders.domain import facts
from orders.domain.errors import ApprovalPending, ConstraintViolated, IllegalTransition, OrderOver
from orders.domain.events import SYSTEM, EventType, FollowUp, Signal
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import (
    Address,
    Approval,
    Cancellation,
    Change,
    Event,
    Line,
    Measures,
    Order,
    Payment,
    Shipment,
    Snapshot,
    TrackingDetail,
    timestamp,
)
from orders.domain.statuses import (
    CANCELLABLE,
    PAYMENT_TRANSITIONS,
    RETURNABLE,
    SHIPMENT_RANK,
    SHIPMENT_TRANSITIONS,
    TERMINAL,
    TRANSITIONS,
    UNDECIDED_BY_TIME,
    ApprovalStatus,
    CancelReason,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepName,
    StepStatus,
    has_reached,
    may_become,
)

GRACE = timedelta(seconds=60)
"""How long past its expected end the sweep leaves a stage alone: longer than any task's retries take."""

REJECTED = "Rejected in review"
NOT_DELIVERED = "The parcel came back without being delivered"
"""What customers read in a failed step; why a member of staff decided so stands on the audit trail, for staff."""

CONFIRM_DELIVERY = "Reported as delivered while on its way back: to be confirmed"


class Fate(StrEnum):
    """What became of the execution that should be at work on an order."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    """Ended from outside: by a person, or by a restart of the workflow service. It says nothing about the order."""
    FAILED = "FAILED"
    """Ended by itself, before its work was done."""
    MISSING = "MISSING"
    """The workflow service knows none of its name: it was never started, or too short a time ago to be seen everywhere."""


UNDO_SHIPMENT, UNDO_PAYMENT, UNDO_STOCK, UNDO_NOTHING = "shipment", "payment", "stock", "nothing"
"""Where the unwinding machine enters its chain; what lies behind the entry is undone in reverse order."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The configured waits of the workflow, in seconds; ``delivery`` is the transit (timed) or the overdue limit (carrier)."""

    payment: float
    preparation: float
    delivery: float
    approval: float


@dataclass(frozen=True, slots=True)
class Placement:
    """A customer's wish, priced from the catalogue."""

    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[Line, ...]
    shipping_address: Address
    method: PaymentMethod
    payment_token: str | None
    needs_review: bool


def place(wish: Placement, waits: Waits, now: datetime, by: str) -> Change:
    """A new order: PENDING, version 1, its workflow to be started."""
    total = wish.lines[0].unit_price.times(wish.lines[0].quantity)
    for line in wish.lines[1:]:
        total = total + line.unit_price.times(line.quantity)
    review_seconds = waits.approval if wish.needs_review else 0
    approval = Approval(ApprovalStatus.PENDING, now + timedelta(seconds=review_seconds)) if wish.needs_review else None
    order = Order(
        order_id=wish.order_id,
        customer_id=wish.customer_id,
        status=OrderStatus.PENDING,
        version=1,
        lines=wish.lines,
        total=total,
        shipping_address=wish.shipping_address,
        method=wish.method,
        payment_token=None if wish.method is PaymentMethod.CASH_ON_DELIVERY else wish.payment_token,
        created_at=now,
        updated_at=now,
        status_since=now,
        approval=approval,
        due_at=now + timedelta(seconds=review_seconds + waits.payment + waits.preparation) + GRACE,
    )
    metadata = {**facts.of_total(order), "method": order.method.value}
    event = _event(None, order, EventType.ORDER_PLACED, now, by, metadata=metadata, follow_up=FollowUp.START_FULFILMENT)
    return Change(None, order, event)


def reserve_stock(snapshot: Snapshot, started_at: datetime, now: datetime, by: str = SYSTEM) -> Change | None:
    """Takes the order's goods out of stock and opens the next step; the store refuses when there are not enough."""
    order = _alive(snapshot)
    if order.step(StepName.INVENTORY).status is not StepStatus.PENDING:
        return None
    after = order.with_step(StepName.INVENTORY, StepStatus.IN_PROGRESS, started_at)
    after = after.with_step(StepName.INVENTORY, StepStatus.COMPLETED, now)
    if order.approval is None:
        after = after.with_step(StepName.REVIEW, StepStatus.SKIPPED, now)
        after = after.with_step(StepName.PAYMENT, StepStatus.IN_PROGRESS, now)
    elif order.approval.status is ApprovalStatus.APPROVED:
        after = after.with_step(StepName.REVIEW, StepStatus.COMPLETED, now)
        after = after.with_step(StepName.PAYMENT, StepStatus.IN_PROGRESS, now)
    else:
        after = after.with_step(StepName.REVIEW, StepStatus.IN_PROGRESS, now)
    after = replace(after, overall=OverallStatus.IN_PROGRESS)
    stock = {line.product_id: -line.quantity for line in order.lines}
    return _change(order, after, EventType.STOCK_RESERVED, now, by, stock=stock)


def request_approval(snapshot: Snapshot, token: str, seconds: float, now: datetime, run: int | None = None) -> Change | None:
    """Keeps the callback token of the wait for approval; ``None`` when the answer is there already.

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = _alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} has taken the order over.", order_status=order.status)
    approval = order.approval
    if approval is None or approval.status is not ApprovalStatus.PENDING:
        return None
    expires = now + timedelta(seconds=seconds)
    after = replace(order, approval=replace(approval, expires_at=expires), approval_token=token)
    return _change(order, after, EventType.APPROVAL_REQUESTED, now, metadata={"expires_at": expires})


def approve(snapshot: Snapshot, now: datetime, by: str, reason: str | None) -> Change:
    """Answers the review with yes; a second answer is refused."""
    order, approval = _under_review(snapshot)
    decided = replace(approval, status=ApprovalStatus.APPROVED, decided_by=by, reason=reason)
    after = replace(order, approval=decided)
    if order.step(StepName.REVIEW).status is StepStatus.IN_PROGRESS:
        after = after.with_step(StepName.REVIEW, StepStatus.COMPLETED, now)
        after = after.with_step(StepName.PAYMENT, StepStatus.IN_PROGRESS, now)
    total = facts.of_total(order)
    return _change(
        order, after, EventType.ORDER_APPROVED, now, by, reason=reason, metadata=total, follow_up=FollowUp.ANSWER_APPROVED
    )


def reject(snapshot: Snapshot, now: datetime, by: str, reason: str | None) -> Change:
    """Answers the review with no and begins the unwinding in the same change."""
    order, approval = _under_review(snapshot)
    decided = replace(approval, status=ApprovalStatus.REJECTED, decided_by=by, reason=reason)
    cause = Cancellation(CancelReason.APPROVAL_REJECTED, now, by, reason)
    reviewed = replace(snapshot, order=replace(order, approval=decided))
    change = _failed_at(reviewed, StepName.REVIEW, REJECTED, cause, EventType.ORDER_REJECTED, FollowUp.ANSWER_REJECTED)
    return replace(change, before=order)


def accept_cash(snapshot: Snapshot, payment_id: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Confirms a cash-on-delivery order: nothing is charged before the parcel is handed over to the customer."""
    order = _alive(snapshot)
    if has_reached(order.status, OrderStatus.CONFIRMED):
        return None
    review_answered(order)
    after = order.with_step(StepName.PAYMENT, StepStatus.SKIPPED, now)
    after = after.with_step(StepName.SHIPPING, StepStatus.IN_PROGRESS, now)
    payment = Payment(payment_id, PaymentStatus.PENDING, order.total, order.method)
    return _move(order, after, OrderStatus.CONFIRMED, EventType.ORDER_CONFIRMED, now, by, payment=payment)


def start_payment(snapshot: Snapshot, payment_id: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent to charge, before the gateway hears of it; ``None`` when the intent stands or is settled."""
    order = _alive(snapshot)
    if snapshot.payment is not None:
        return None
    review_answered(order)
    payment = Payment(payment_id, PaymentStatus.PROCESSING, order.total, order.method)
    return _change(order, order, EventType.PAYMENT_STARTED, now, by, payment=payment)


def payment_completed(snapshot: Snapshot, now: datetime, by: str = SYSTEM) -> Change | None:
    """The gateway has the money: the order is PROCESSING. ``None`` when that is on record already."""
    order = _alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    after = order.with_step(StepName.PAYMENT, StepStatus.COMPLETED, now)
    after = after.with_step(StepName.SHIPPING, StepStatus.IN_PROGRESS, now)
    payment = _paid(snapshot, PaymentStatus.COMPLETED)
    return _move(order, after, OrderStatus.PROCESSING, EventType.PAYMENT_COMPLETED, now, by, payment=payment)


def start_preparation(
    snapshot: Snapshot, now: datetime, by: str, metadata: Mapping[str, Any], reason: str | None = None
) -> Change | None:
    """Fulfilment has begun on a cash-on-delivery order: CONFIRMED becomes PROCESSING."""
    order = _alive(snapshot)
    if has_reached(order.status, OrderStatus.PROCESSING):
        return None
    if order.status is not OrderStatus.CONFIRMED:
        raise ConstraintViolated("Nothing is prepared before it is paid or to be paid in cash.", order_status=order.status)
    due = {**metadata, **facts.of_payment(snapshot.payment)}
    return _move(order, order, OrderStatus.PROCESSING, EventType.PREPARATION_STARTED, now, by, metadata=due, reason=reason)


def start_handover(snapshot: Snapshot, shipment_id: str, carrier: str, now: datetime, by: str = SYSTEM) -> Change | None:
    """Writes the intent to hand the parcel over, which also freezes the address; ``None`` when it stands already.

    A confirmed cash-on-delivery order that no fulfilment event has moved yet becomes PROCESSING here, at the latest.
    """
    order = _alive(snapshot)
    if snapshot.shipment is not None:
        return None
    shipment = Shipment(shipment_id, ShipmentStatus.CREATED, carrier)
    if order.status is OrderStatus.CONFIRMED:
        return _move(order, order, OrderStatus.PROCESSING, EventType.HANDOVER_STARTED, now, by, shipment=shipment)
    if order.status is not OrderStatus.PROCESSING:
        raise IllegalTransition(order.status, OrderStatus.SHIPPED, TRANSITIONS[order.status])
    return _change(order, order, EventType.HANDOVER_STARTED, now, by, shipment=shipment)


def ship(
    snapshot: Snapshot, booked: Shipment, transit_seconds: float, token: str | None, now: datetime, by: str = SYSTEM
) -> Change | None:
    """The carrier has the parcel: SHIPPED. ``None`` when it was shipped before and nothing new has to be kept."""
    order = _alive(snapshot)
    if has_reached(order.status, OrderStatus.SHIPPED):
        return _overtaken(snapshot, booked, token, now)
    after = order.with_step(StepName.SHIPPING, StepStatus.COMPLETED, now)
    after = after.with_step(StepName.DELIVERY, StepStatus.IN_PROGRESS, now)
    due = now + timedelta(seconds=transit_seconds) + GRACE
    after = replace(after, delivery_token=token or order.delivery_token, due_at=due)
    return _move(order, after, OrderStatus.SHIPPED, EventType.ORDER_SHIPPED, now, by, shipment=booked)


def _overtaken(snapshot: Snapshot, booked: Shipment, token: str | None, now: datetime) -> Change | None:
    """News of the parcel was quicker than its booking: keeps the number it was booked under, and who waits for its delivery."""
    order, known = snapshot.order, snapshot.shipment
    shipment = None
    if known is not None and known.tracking_number is None and known.shipment_id == booked.shipment_id:
        shipment = replace(known, tracking_number=booked.tracking_number, sender=known.sender or booked.sender)
    if token is not None and token != order.delivery_token and order.status is OrderStatus.SHIPPED:
        after = replace(order, delivery_token=token)
        parcel = facts.of_parcel(shipment or known)
        return _change(order, after, EventType.DELIVERY_AWAITED, now, shipment=shipment, metadata=parcel)
    if shipment is None or shipment == known:
        return None
    metadata = facts.of_parcel(shipment)
    return _change(order, order, EventType.FULFILLMENT_RECORDED, now, shipment=shipment, metadata=metadata)


def deliver(
    snapshot: Snapshot,
    now: datetime,
    by: str = SYSTEM,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    delivered_at: datetime | None = None,
) -> Change | None:
    """The customer has the parcel, and cash has been collected where that was agreed; ``None`` when on record already.

    ``delivered_at`` is when they were given it, where somebody says so; else what a carrier said before, or ``now``.
    """
    order = snapshot.order
    if order.status is OrderStatus.DELIVERED:
        return None
    after = order.with_step(StepName.DELIVERY, StepStatus.COMPLETED, now)
    payment = None
    if order.pays_on_delivery:
        payment = _paid(replace(snapshot, payment=_paid(snapshot, PaymentStatus.PROCESSING)), PaymentStatus.COMPLETED)
        after = after.with_step(StepName.PAYMENT, StepStatus.COMPLETED, now)
    shipment = snapshot.shipment
    arrived = delivered_at or (shipment and shipment.unconfirmed_delivery_at) or now
    if shipment is not None:
        shipment = replace(shipment, status=ShipmentStatus.DELIVERED, delivered_at=arrived, unconfirmed_delivery_at=None)
    after = replace(after, overall=OverallStatus.COMPLETED, due_at=None)
    return _move(
        order,
        after,
        OrderStatus.DELIVERED,
        EventType.ORDER_DELIVERED,
        now,
        by,
        payment=payment,
        shipment=shipment,
        reason=reason,
        metadata={**(metadata or {}), "delivered_at": timestamp(arrived)},
        # The workflow's own step comes after the wait: there is nobody to be told. Cash taken at the door is entered
        # into the gateway's books by whoever delivers, and by the follow-up if they die before they can.
        follow_up=FollowUp.ANSWER_DELIVERED if order.pays_on_delivery or (order.delivery_token and by != SYSTEM) else None,
    )


def report_overdue(snapshot: Snapshot, overdue_seconds: float, now: datetime) -> Change | None:
    """A parcel the carrier has gone silent about: reported on the trail, and looked at again after as long a time."""
    order = snapshot.order
    if order.status is not OrderStatus.SHIPPED:
        return None
    after = replace(order, due_at=now + timedelta(seconds=overdue_seconds))
    parcel = facts.of_parcel(snapshot.shipment)
    reason = "No delivery reported by the carrier in time"
    return _change(order, after, EventType.DELIVERY_OVERDUE, now, reason=reason, metadata=parcel)


def change_address(snapshot: Snapshot, address: Address, now: datetime, by: str) -> Change | None:
    """Sends the parcel elsewhere, until it is being handed over; ``None`` when that is the address already."""
    order = snapshot.order
    if order.status in TERMINAL or order.is_over or snapshot.shipment is not None:
        raise ConstraintViolated(
            "The address can only be changed until the parcel is handed over to the carrier.", order_status=order.status
        )
    if address == order.shipping_address:
        return None
    after = replace(order, shipping_address=address)
    moved = facts.of_addresses(order.shipping_address, address)
    return _change(order, after, EventType.ADDRESS_CHANGED, now, by, metadata=moved)


def update_location(snapshot: Snapshot, location: str, estimated_delivery: datetime | None, now: datetime, by: str) -> Change:
    """Notes where the parcel is, and when it is expected."""
    order, shipment = snapshot.order, snapshot.shipment
    if shipment is None or order.status is not OrderStatus.SHIPPED:
        raise ConstraintViolated("Only a parcel on its way has a location.", order_status=order.status)
    status = ShipmentStatus.IN_TRANSIT if shipment.status is ShipmentStatus.CREATED else shipment.status
    moved = replace(
        shipment,
        status=status,
        current_location=location,
        estimated_delivery=estimated_delivery or shipment.estimated_delivery,
    )
    seen = {"location": location, **({"estimated_delivery": estimated_delivery} if estimated_delivery else {})}
    return _change(order, order, EventType.LOCATION_UPDATED, now, by, shipment=moved, metadata=seen)


def cancel(snapshot: Snapshot, reason: CancelReason, now: datetime, by: str, note: str | None = None) -> Change:
    """Cancels at once; what had taken effect is marked to be undone, in reverse, by the unwinding machine."""
    order = snapshot.order
    if order.status not in CANCELLABLE:
        raise IllegalTransition(order.status, OrderStatus.CANCELLED, TRANSITIONS[order.status])
    if order.is_over:
        raise ConstraintViolated("The order is being unwound already.", order_status=order.status)
    marked = _to_be_undone(snapshot, now, interrupted=StepStatus.SKIPPED)
    after = replace(marked, cancellation=Cancellation(reason, now, by, note))
    return _move(
        order,
        after,
        OrderStatus.CANCELLED,
        EventType.ORDER_CANCELLED,
        now,
        by,
        reason=note,
        metadata={"cancellation_reason": str(reason), **facts.of_total(order), **facts.of_money(order, snapshot.payment)},
        follow_up=FollowUp.STOP_AND_UNWIND,
    )


def fail(snapshot: Snapshot, reason: CancelReason, message: str, now: datetime) -> Change | None:
    """A step of the workflow failed for good: its step says so, and the unwinding begins.

    The order is closed with its reason at the end of the unwinding, or here when nothing had taken effect yet. ``None``
    when the order is over already.
    """
    order = snapshot.order
    if order.is_over or order.status not in CANCELLABLE:
        return None
    approval = order.approval
    if approval is not None and reason is CancelReason.APPROVAL_TIMEOUT:
        order = replace(order, approval=replace(approval, status=ApprovalStatus.TIMED_OUT))
    failing = order.current_step.name if order.current_step else StepName.INVENTORY
    cause = Cancellation(reason, now, SYSTEM)
    decided = replace(snapshot, order=order)
    change = _failed_at(decided, failing, message, cause, EventType.STEP_FAILED, FollowUp.START_UNWINDING)
    return replace(change, before=snapshot.order)


def payment_declined(snapshot: Snapshot, message: str, now: datetime) -> Change | None:
    """The gateway said no for good: the intent is closed as FAILED and the unwinding begins."""
    if snapshot.payment is None or snapshot.payment.status is not PaymentStatus.PROCESSING:
        return None
    declined = replace(_paid(snapshot, PaymentStatus.FAILED), failure_reason=message)
    change = fail(replace(snapshot, payment=declined), CancelReason.PAYMENT_FAILED, message, now)
    return change and replace(change, payment=declined)


def return_order(snapshot: Snapshot, now: datetime, by: str, reason: str | None = None, *, to_sender: bool = False) -> Change:
    """Takes the goods back: RETURNED at once, refund and restock by the unwinding machine.

    ``to_sender`` is a parcel the carrier brings back undelivered; otherwise the customer returns what was delivered.
    """
    order = snapshot.order
    wanted_from = RETURNABLE if to_sender else RETURNABLE - {OrderStatus.SHIPPED}
    if order.status not in wanted_from:
        raise IllegalTransition(order.status, OrderStatus.RETURNED, TRANSITIONS[order.status] - {OrderStatus.RETURNED})
    why = reason or ("Returned to sender" if to_sender else None)
    after = _to_be_undone(snapshot, now, interrupted=StepStatus.FAILED, message=NOT_DELIVERED, recall=False)
    shipment = snapshot.shipment
    if to_sender and shipment is not None:
        shipment = replace(
            shipment, status=ShipmentStatus.RETURNED_TO_SENDER, estimated_delivery=None, unconfirmed_delivery_at=None
        )
    return _move(
        order,
        after,
        OrderStatus.RETURNED,
        EventType.ORDER_RETURNED,
        now,
        by,
        reason=why,
        metadata={**facts.of_total(order), **facts.of_money(order, snapshot.payment)},
        shipment=shipment,
        follow_up=FollowUp.STOP_AND_UNWIND,
    )


def shipment_recalled(snapshot: Snapshot, now: datetime) -> Change | None:
    """The carrier has given the parcel back, or never had it."""
    order, shipment = snapshot.order, snapshot.shipment
    if shipment is None or shipment.recalled:
        return None
    after = order
    if order.step(StepName.SHIPPING).status is StepStatus.COMPENSATING:
        after = order.with_step(StepName.SHIPPING, StepStatus.COMPENSATED, now)
    return _change(order, after, EventType.SHIPMENT_RECALLED, now, shipment=replace(shipment, recalled=True))


def payment_undone(snapshot: Snapshot, *, charged: bool, now: datetime) -> Change | None:
    """The money is back (``charged``), or the gateway has sworn off an intent it never charged."""
    order, payment = snapshot.order, snapshot.payment
    if payment is None or payment.status in (PaymentStatus.REFUNDED, PaymentStatus.FAILED, PaymentStatus.PENDING):
        return None
    step = order.step(StepName.PAYMENT).status
    after = order
    if step is StepStatus.COMPENSATING:
        after = order.with_step(StepName.PAYMENT, StepStatus.COMPENSATED if charged else StepStatus.SKIPPED, now)
    if charged:
        # An unknown outcome may turn out to have been a charge: it was completed and is refunded in one breath.
        known = payment if payment.status is PaymentStatus.COMPLETED else _paid(snapshot, PaymentStatus.COMPLETED)
        refunded = replace(_paid(replace(snapshot, payment=known), PaymentStatus.REFUNDED), refunded_at=now)
        return _change(order, after, EventType.PAYMENT_REFUNDED, now, payment=refunded)
    reason = payment.failure_reason or "Voided before it was charged"
    voided = replace(_paid(snapshot, PaymentStatus.FAILED), failure_reason=reason)
    return _change(order, after, EventType.PAYMENT_VOIDED, now, payment=voided)


def release_stock(snapshot: Snapshot, now: datetime) -> Change | None:
    """Puts the goods back into stock, once."""
    order = snapshot.order
    if order.step(StepName.INVENTORY).status is not StepStatus.COMPENSATING:
        return None
    after = order.with_step(StepName.INVENTORY, StepStatus.COMPENSATED, now)
    stock = {line.product_id: line.quantity for line in order.lines}
    return _change(order, after, EventType.STOCK_RELEASED, now, stock=stock)


def close(snapshot: Snapshot, now: datetime) -> Change | None:
    """Ends the unwinding: a failed order becomes CANCELLED with its reason; one that is over already keeps its status."""
    order = snapshot.order
    if order.overall is not OverallStatus.ROLLING_BACK:
        return None
    after = replace(order, overall=_ended(order), due_at=None)
    if order.status in TERMINAL:
        undone = facts.of_steps_undone(step.name for step in order.steps if step.status is StepStatus.COMPENSATED)
        return _change(order, after, EventType.UNWINDING_COMPLETED, now, metadata=undone)
    cause = order.cancellation
    return _move(
        order,
        after,
        OrderStatus.CANCELLED,
        EventType.ORDER_CANCELLED,
        now,
        reason=_why_failed(order),
        metadata={
            **({"cancellation_reason": str(cause.reason)} if cause else {}),
            **facts.of_total(order),
            **facts.of_money(order, snapshot.payment),
        },
    )


def restart(snapshot: Snapshot, waits: Waits, now: datetime, by: str, reason: str, fate: Fate = Fate.STOPPED) -> Change | None:
    """Starts the workflow anew for an order whose execution is gone; finished steps find their work done.

    An execution that has ended is followed by the next run. One that is missing is asked for again under its own name:
    where it runs all the same, the workflow service takes that for what it has done already, and starts no second one.
    """
    order = replace(snapshot.order, failed_runs=snapshot.order.failed_runs + (fate is Fate.FAILED))
    next_one = 0 if fate is Fate.MISSING else 1
    if order.overall is OverallStatus.ROLLING_BACK:
        after = replace(order, unwind_run=order.unwind_run + next_one, due_at=now + GRACE)
        follow_up = FollowUp.START_UNWINDING
    elif order.is_over or order.status in TERMINAL:
        return None
    else:
        left = remaining_waits(order, waits, now)
        ahead = left.approval + left.payment + left.preparation + left.delivery
        after = replace(order, run=order.run + next_one, due_at=now + timedelta(seconds=ahead) + GRACE)
        follow_up = FollowUp.START_FULFILMENT
    run = {"run": after.unwind_run if follow_up is FollowUp.START_UNWINDING else after.run}
    return _change(
        snapshot.order, after, EventType.WORKFLOW_RESTARTED, now, by, reason=reason, metadata=run, follow_up=follow_up
    )


@dataclass(frozen=True, slots=True)
class Scan:
    """What a carrier saw of a parcel, at the scan's own time; what it arrived at does not matter.

    ``status`` is ``None`` for what a carrier says about its own system: that moves no parcel. ``message`` is in the carrier's
    words, ``sender`` is whose webhook it came by, and ``earlier`` what the carrier lists of the parcel beside it.
    """

    status: ShipmentStatus | None
    at: datetime
    location: str | None = None
    estimated_delivery: datetime | None = None
    sender: str | None = None
    message: str | None = None
    earlier: tuple[TrackingDetail, ...] = ()

    @property
    def details(self) -> tuple[TrackingDetail, ...]:
        """What it adds to the parcel's timeline."""
        own = (TrackingDetail(self.at, self.status, self.location, self.message),) if self.status else ()
        return self.earlier + own


def record_fulfilment(
    snapshot: Snapshot,
    now: datetime,
    by: str,
    metadata: Mapping[str, Any],
    scan: Scan | None = None,
    refused: str | None = None,
) -> Change:
    """Notes an event of the fulfilment that leaves the order's status alone; ``refused`` says why where it should not have."""
    kind = EventType.FULFILLMENT_REFUSED if refused else EventType.FULFILLMENT_RECORDED
    shipment = scanned(snapshot.shipment, scan)
    return _change(snapshot.order, snapshot.order, kind, now, by, reason=refused, metadata=metadata, shipment=shipment)


MOST_SCANS = 100
"""So many scans of a parcel its row holds, the latest; the audit trail holds all."""


def scanned(shipment: Shipment | None, scan: Scan | None) -> Shipment | None:
    """The parcel after a scan. An older scan than the last one takes its place on the timeline, and moves nothing."""
    if shipment is None or scan is None:
        return shipment
    seen = _turned_round(replace(shipment, scans=_timeline(shipment, scan), sender=shipment.sender or scan.sender))
    if scan.status is not None and (shipment.scanned_at is None or scan.at >= shipment.scanned_at):
        seen = _moved(seen, scan, scan.status)
    return replace(seen, delivered_at=_delivered_at(seen))


def _turned_round(shipment: Shipment) -> Shipment:
    """The parcel, on its way back if any scan of it says that it turned round: others may have come behind that one."""
    may_turn = ShipmentStatus.RETURNING in SHIPMENT_TRANSITIONS[shipment.status]
    if may_turn and any(detail.status is ShipmentStatus.RETURNING for detail in shipment.scans):
        return replace(shipment, status=ShipmentStatus.RETURNING, estimated_delivery=None)
    return shipment


def _timeline(shipment: Shipment, scan: Scan) -> tuple[TrackingDetail, ...]:
    every = sorted({*shipment.scans, *scan.details}, key=lambda one: (one.at, SHIPMENT_RANK.get(one.status, 0), str(one)))
    return tuple(every[-MOST_SCANS:])


def _moved(shipment: Shipment, scan: Scan, status: ShipmentStatus) -> Shipment:
    same_moment = scan.at == shipment.scanned_at
    overruled = same_moment and SHIPMENT_RANK[status] < SHIPMENT_RANK[shipment.status]
    if overruled or status not in SHIPMENT_TRANSITIONS[shipment.status]:
        status = shipment.status
    estimated = scan.estimated_delivery or shipment.estimated_delivery
    return replace(
        shipment,
        status=status,
        current_location=scan.location or shipment.current_location,
        estimated_delivery=None if status in UNDECIDED_BY_TIME else estimated,
        scanned_at=scan.at,
    )


def _delivered_at(shipment: Shipment) -> datetime | None:
    """When the carrier says that it delivered the parcel, whoever had said so before."""
    if shipment.status is not ShipmentStatus.DELIVERED:
        return None
    said = [detail.at for detail in shipment.scans if detail.status is ShipmentStatus.DELIVERED]
    return said[0] if said else shipment.delivered_at


def question_delivery(
    snapshot: Snapshot, now: datetime, by: str, metadata: Mapping[str, Any], at: datetime, scan: Scan | None
) -> Change:
    """Notes a delivery of a parcel that is on its way back: overdue until people have said who was given it."""
    order, shipment = snapshot.order, scanned(snapshot.shipment, scan)
    asked = shipment and replace(shipment, unconfirmed_delivery_at=at)
    after = replace(order, due_at=now)
    return _change(
        order, after, EventType.FULFILLMENT_REFUSED, now, by, reason=CONFIRM_DELIVERY, metadata=metadata, shipment=asked
    )


def is_undecided(shipment: Shipment | None) -> bool:
    """Whether only people can say what becomes of a parcel: it is lost, or on its way back."""
    return shipment is not None and shipment.status in UNDECIDED_BY_TIME


def is_foreign(shipment: Shipment | None, sender: str | None) -> bool:
    """Whether a parcel is another sender's to report: a sender moves its own parcels only."""
    return shipment is not None and None not in (shipment.sender, sender) and shipment.sender != sender


def remaining_waits(order: Order, waits: Waits, now: datetime) -> Waits:
    """What a workflow started now still has to wait for: stages that are done cost no time a second time."""
    shipped = has_reached(order.status, OrderStatus.SHIPPED)
    paid = has_reached(order.status, OrderStatus.CONFIRMED)
    since = (now - order.status_since).total_seconds()

    def left(configured: float, *, over: bool, running: bool) -> float:
        if over:
            return 0
        return _like(configured, configured - max(0.0, since)) if running else configured

    decided = order.approval is None or order.approval.status is not ApprovalStatus.PENDING
    review = (order.approval.expires_at - now).total_seconds() if order.approval and not decided else 0
    return Waits(
        payment=left(waits.payment, over=paid, running=decided and not paid and order.approval is None),
        preparation=left(waits.preparation, over=shipped, running=paid and not shipped),
        delivery=left(waits.delivery, over=order.status is OrderStatus.DELIVERED, running=shipped),
        approval=_like(waits.approval, review),
    )


def _like(configured: float, left: float) -> float:
    """What is left of a wait, never negative, and whole where the wait is: AWS takes whole seconds only."""
    return max(0.0, float(math.ceil(left)) if float(configured).is_integer() else left)


def undo_from(snapshot: Snapshot) -> str:
    """Where the unwinding has to enter its chain, from what the row says is still to be undone."""
    order, payment, shipment = snapshot.order, snapshot.payment, snapshot.shipment
    before_delivery = order.status in CANCELLABLE or order.status is OrderStatus.CANCELLED
    if shipment is not None and not shipment.recalled and before_delivery:
        return UNDO_SHIPMENT
    if payment is not None and payment.status in (PaymentStatus.PROCESSING, PaymentStatus.COMPLETED):
        return UNDO_PAYMENT
    if order.step(StepName.INVENTORY).status in (StepStatus.COMPENSATING, StepStatus.COMPLETED):
        return UNDO_STOCK
    return UNDO_NOTHING


def _alive(snapshot: Snapshot) -> Order:
    order = snapshot.order
    if order.overall in (OverallStatus.ROLLING_BACK, OverallStatus.ROLLED_BACK, OverallStatus.FAILED):
        raise OrderOver(f"The order is {order.status} and being unwound or closed.", order_status=order.status)
    return order


def _under_review(snapshot: Snapshot) -> tuple[Order, Approval]:
    order, approval = snapshot.order, snapshot.order.approval
    if approval is None:
        raise ConstraintViolated("This order needs no review.", order_status=order.status)
    if approval.status is not ApprovalStatus.PENDING or order.is_over:
        raise ConstraintViolated(
            "The review has been answered, or the order is over.",
            order_status=order.status,
            approval=str(approval.status),
        )
    return order, approval


def review_answered(order: Order) -> None:
    """Raises ``ApprovalPending`` while a reviewer has yet to answer."""
    if order.approval is not None and order.approval.status is ApprovalStatus.PENDING:
        raise ApprovalPending("The order waits for its manual review: approve or reject it first.")


def _why_failed(order: Order) -> str | None:
    return next((step.error_message for step in order.steps if step.status is StepStatus.FAILED), None)


def _paid(snapshot: Snapshot, status: PaymentStatus) -> Payment:
    payment = snapshot.payment
    if payment is None or status not in PAYMENT_TRANSITIONS[payment.status]:
        raise ConstraintViolated(f"The payment cannot become {status}.", payment=str(payment and payment.status))
    return replace(payment, status=status)


def _failed_at(
    snapshot: Snapshot, name: StepName, message: str, cause: Cancellation, kind: EventType, follow_up: FollowUp
) -> Change:
    """One step failed for good. Where nothing had taken effect the order is closed in the same change."""
    before, now = snapshot.order, cause.at
    failed = before.with_step(name, StepStatus.FAILED, now, message)
    marked = _to_be_undone(replace(snapshot, order=failed), now, interrupted=StepStatus.SKIPPED)
    after = replace(marked, cancellation=cause)
    reason = cause.note or message
    metadata = {
        "cancellation_reason": str(cause.reason),
        **facts.of_total(before),
        **facts.of_money(before, snapshot.payment),
    }
    if after.overall is OverallStatus.FAILED:
        kind = EventType.ORDER_CANCELLED if kind is EventType.STEP_FAILED else kind
        return _move(
            before,
            after,
            OrderStatus.CANCELLED,
            kind,
            now,
            cause.by,
            reason=reason,
            metadata=metadata,
            follow_up=follow_up,
        )
    return _change(before, after, kind, now, cause.by, reason=reason, metadata=metadata, follow_up=follow_up)


def _to_be_undone(
    snapshot: Snapshot, now: datetime, *, interrupted: StepStatus, message: str | None = None, recall: bool = True
) -> Order:
    """Marks each step for the unwinding: effects COMPENSATING, what never began SKIPPED, what was cut short ``interrupted``."""
    order = snapshot.order
    payment, shipment = snapshot.payment, snapshot.shipment
    money_moved = payment is not None and payment.status in (PaymentStatus.PROCESSING, PaymentStatus.COMPLETED)
    parcel_out = recall and shipment is not None
    effects = {
        StepName.INVENTORY: order.step(StepName.INVENTORY).status is StepStatus.COMPLETED,
        StepName.PAYMENT: money_moved,
        StepName.SHIPPING: parcel_out,
    }
    after = order
    for step in order.steps:
        if effects.get(step.name) and step.status in (StepStatus.COMPLETED, StepStatus.IN_PROGRESS):
            after = after.with_step(step.name, StepStatus.COMPENSATING, now)
        elif step.status is StepStatus.IN_PROGRESS:
            after = after.with_step(step.name, interrupted, now, message)
        elif step.status is StepStatus.PENDING:
            after = after.with_step(step.name, StepStatus.SKIPPED, now)
    if not any(effects.values()):
        return replace(after, overall=_ended(after), due_at=None)
    return replace(after, overall=OverallStatus.ROLLING_BACK, unwind_run=order.unwind_run + 1, due_at=now + GRACE)


def _ended(order: Order) -> OverallStatus:
    """How an order ends that is not delivered: FAILED is one of which nothing had to be undone."""
    undone = any(step.status is StepStatus.COMPENSATED for step in order.steps)
    return OverallStatus.ROLLED_BACK if undone else OverallStatus.FAILED


def _move(
    before: Order, after: Order, status: OrderStatus, kind: EventType, now: datetime, by: str = SYSTEM, **rest: Any
) -> Change:
    if not may_become(before.status, status):
        raise IllegalTransition(before.status, status, TRANSITIONS[before.status])
    if status is OrderStatus.CONFIRMED and not before.pays_on_delivery:
        raise ConstraintViolated("Only a cash-on-delivery order is confirmed before it is paid.", order_status=before.status)
    return _change(before, replace(after, status=status, status_since=now), kind, now, by, **rest)


def _change(  # noqa: PLR0913 - everything that can be part of one atomic change
    before: Order,
    after: Order,
    kind: EventType,
    now: datetime,
    by: str = SYSTEM,
    *,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    follow_up: FollowUp | None = None,
    payment: Payment | None = None,
    shipment: Shipment | None = None,
    stock: Mapping[str, int] | None = None,
) -> Change:
    # Clocks of two functions may differ: a later version is never stamped earlier than the one it follows.
    at = max(now, before.updated_at)
    if _has_progressed(before, after):
        after = replace(after, failed_runs=0)
    token = None if _is_past_charging(after, payment) else after.payment_token
    order = replace(after, version=before.version + 1, updated_at=at, payment_token=token)
    known = {**(metadata or {}), **_facts(kind, payment, shipment, stock or {})}
    event = _event(before, order, kind, at, by, reason=reason, metadata=known, follow_up=follow_up)
    return Change(before, order, event, payment, shipment, stock or {})


def _facts(kind: EventType, payment: Payment | None, shipment: Shipment | None, stock: Mapping[str, int]) -> Mapping[str, Any]:
    """What the change writes beside the order; of what others report the trail holds what they said, and no more."""
    if kind in (EventType.FULFILLMENT_RECORDED, EventType.FULFILLMENT_REFUSED):
        return {}
    return {**facts.of_payment(payment), **facts.of_parcel(shipment), **(facts.of_goods(stock) if stock else {})}


def _has_progressed(before: Order, after: Order) -> bool:
    """Whether the order or one of its steps has got further: what failed before has been overcome."""
    moved = any(old.status is not new.status for old, new in zip(before.steps, after.steps, strict=True))
    return moved or before.status is not after.status


def _is_past_charging(order: Order, payment: Payment | None) -> bool:
    """Whether the customer's payment token can be of no use any more: the money is there, or will never be asked for."""
    settled = payment is not None and payment.status is not PaymentStatus.PROCESSING
    return order.is_over or settled or has_reached(order.status, OrderStatus.CONFIRMED)


def _event(  # noqa: PLR0913 - an event has that many facts
    before: Order | None,
    after: Order,
    kind: EventType,
    now: datetime,
    by: str,
    *,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    follow_up: FollowUp | None = None,
) -> Event:
    return Event(
        order_id=after.order_id,
        customer_id=after.customer_id,
        version=after.version,
        type=kind,
        status=after.status,
        old_status=before.status if before else None,
        at=now,
        by=by,
        reason=reason,
        metadata=metadata or {},
        signals=_signals(before, after),
        measures=_measures(before, after, now),
        follow_up=follow_up,
    )


def _measures(before: Order | None, after: Order, now: datetime) -> Measures | None:
    if before is None:
        return Measures(after.total, None, {})
    if before.status is after.status:
        return None
    # Cash is collected with the parcel: that its payment step ends only then says nothing about how long payments take.
    skipped = StepName.PAYMENT if after.pays_on_delivery else None
    seconds = {
        step.name: (step.completed_at - step.started_at).total_seconds()
        for step in after.steps
        if step.status is StepStatus.COMPLETED and step.name is not skipped
        if step.started_at and step.completed_at and step.completed_at > before.status_since
    }
    return Measures(after.total, (now - before.status_since).total_seconds(), seconds)


_SIGNAL_OF = {
    StepStatus.IN_PROGRESS: (Signal.STEP_STARTED,),
    StepStatus.COMPLETED: (Signal.STEP_COMPLETED,),
    StepStatus.FAILED: (Signal.STEP_FAILED,),
    StepStatus.COMPENSATED: (Signal.STEP_COMPENSATED,),
}


def _signals(before: Order | None, after: Order) -> tuple[tuple[Signal, StepName | None], ...]:
    if before is None:
        return ()
    found: list[tuple[Signal, StepName | None]] = []
    if before.overall is OverallStatus.QUEUED and after.overall is OverallStatus.IN_PROGRESS:
        found.append((Signal.SAGA_STARTED, None))
    for old, new in zip(before.steps, after.steps, strict=True):
        if old.status is new.status:
            continue
        if old.status is StepStatus.PENDING and new.status is StepStatus.COMPLETED:
            found.append((Signal.STEP_STARTED, new.name))
        found.extend((signal, new.name) for signal in _SIGNAL_OF.get(new.status, ()))
    if before.overall is not after.overall:
        found.extend((signal, None) for signal in _OVERALL_SIGNAL.get(after.overall, ()))
    return tuple(found)


STATUS_TOLD_BY: Mapping[Signal, StepStatus] = {signal: status for status, (signal,) in _SIGNAL_OF.items()}
"""The new status of the step that a signal is about; the saga's own signals are about none."""

_OVERALL_SIGNAL = {
    OverallStatus.ROLLING_BACK: (Signal.COMPENSATION_STARTED,),
    OverallStatus.COMPLETED: (Signal.SAGA_COMPLETED,),
    OverallStatus.FAILED: (Signal.SAGA_FAILED,),
    OverallStatus.ROLLED_BACK: (Signal.SAGA_FAILED,),
}
