"""A part of an order is cancelled: its pieces go back into stock, and the rest goes on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, goods, recording
from orders.domain.decisions import capturing, ending, refunds
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.shipping import all_handed_over, check_pieces, given_up
from orders.domain.decisions.shortage import answered
from orders.domain.errors import ConstraintViolated, IllegalTransition
from orders.domain.events import EventType, FollowUp
from orders.domain.order import Change, Order, Snapshot
from orders.domain.statuses import CANCELLABLE, TRANSITIONS, OrderStatus, StepStatus
from orders.domain.steps import CancelReason, StepName
from orders.domain.waits import GRACE


def cancel(  # noqa: PLR0913 - what is cancelled, why, by whom, and what is given back
    snapshot: Snapshot,
    items: Mapping[str, int] | None,
    reason: CancelReason,
    transit_seconds: float,
    now: datetime,
    by: str,
    *,
    note: str | None = None,
    refund_id: str | None = None,
) -> Change:
    """Cancels these pieces, or all that is not handed over; the order as a whole where nothing else is left of it.

    What was paid for them is given back by the refund of that id; while the payment is being made, with its arrival.

    Raises:
        IllegalTransition, ConstraintViolated: they are handed over, or about to be.
        ShortagePending: the customer is asked about the order as a whole.
    """
    order = snapshot.order
    if order.status not in CANCELLABLE:
        raise IllegalTransition(order.status, OrderStatus.CANCELLED, TRANSITIONS[order.status])
    if order.is_over:
        raise ConstraintViolated("The order is already being unwound.", order_status=order.status)
    if items is None and not goods.is_partly_handed_over(order):
        return ending.cancel(snapshot, reason, now, by, note)
    pieces = check_pieces(snapshot, items)
    after = goods.cancelled(order, pieces)
    if not any(line.wanted for line in after.lines):
        return ending.cancel(snapshot, reason, now, by, note)
    answered(order)
    return _without(snapshot, after, pieces, transit_seconds, now, by, note=note, refund_id=refund_id)


def _without(  # noqa: PLR0913 - what a request and a failure share
    snapshot: Snapshot,
    after: Order,
    pieces: goods.Pieces,
    transit: float,
    now: datetime,
    by: str,
    *,
    note: str | None,
    refund_id: str | None,
) -> Change:
    order, cancelled = snapshot.order, goods.by_product(snapshot.order, pieces)
    is_reserved = order.step(StepName.INVENTORY).status is StepStatus.COMPLETED
    said = {**facts.of_goods(cancelled), **facts.of_pieces(pieces)}
    refund = refunds.for_pieces(snapshot, after, pieces, refund_id, note, now) if refund_id else None
    rest: dict[str, Any] = {
        "reason": note,
        "metadata": said,
        "stock": cancelled if is_reserved else {},
        "refunds": (refund,) if refund else (),
    }
    if goods.left(after) or not goods.is_partly_handed_over(order):
        return recording.change(order, after, EventType.ITEMS_CANCELLED, now, by, **rest)
    due = now + timedelta(seconds=transit) + GRACE
    after = replace(step_done(after, StepName.SHIPPING, now), due_at=due)
    kind, follow_up = EventType.ITEMS_CANCELLED, all_handed_over(order)
    if capturing.is_held(snapshot.payment):
        # What is held for these pieces is released.
        after, follow_up = replace(after, due_at=min(due, now + GRACE)), FollowUp.CAPTURE_PAYMENT
    if order.hold:
        # Nothing is left to be held: what waits for the release goes on, and what was sent is paid for.
        after, follow_up = replace(after, hold=None), FollowUp.ANSWER_RELEASED
    return recording.move(order, after, OrderStatus.SHIPPED, kind, now, by, follow_up=follow_up, **rest)


def cut_short(
    snapshot: Snapshot,
    reason: str,
    transit_seconds: float,
    now: datetime,
    by: str,
    *,
    refund_id: str | None = None,
    is_unpaid: bool = False,
) -> Change | None:
    """What is left of an order with a parcel under way cannot be handed over: it is cancelled, and what was begun withdrawn.

    It ``is_unpaid`` where the provider takes no more of the money that it held.
    """
    order, pieces = snapshot.order, goods.left(snapshot.order)
    if order.is_over or order.status not in CANCELLABLE or not pieces:
        return None
    change = _without(
        snapshot, goods.cancelled(order, pieces), pieces, transit_seconds, now, by, note=reason, refund_id=refund_id
    )
    withdrawn = tuple(given_up(one, now) for one in goods.begun(snapshot))
    payment = snapshot.payment
    lost = capturing.lost(payment, now, reason) if payment and is_unpaid and capturing.is_held(payment) else change.payment
    return replace(change, shipments=withdrawn, payment=lost)
