"""A return: asked for, approved or declined, canceled, and received."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orders.domain import facts, goods, recording
from orders.domain import returns as values
from orders.domain.decisions import ending, refunds
from orders.domain.errors import ConstraintViolated, IllegalTransition, InvalidArgument
from orders.domain.events import EventType, FollowUp
from orders.domain.order import Change, Order, Snapshot
from orders.domain.returns import Return, ReturnedPieces, ReturnItem
from orders.domain.statuses import RETURNABLE, TRANSITIONS, Condition, OrderStatus, ReturnStatus, StepStatus


@dataclass(frozen=True, slots=True)
class ReturnRules:
    """What holds for a request: until how long after the delivery it may be made, and whether it is approved at once.

    Staff may ask without a ``window``.
    """

    window: timedelta | None
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What of a return has come back, in which condition; after one that ``is_final`` nothing more of it comes."""

    pieces: tuple[ReturnedPieces, ...]
    is_final: bool = False


def returnable(snapshot: Snapshot) -> dict[str, int]:
    """How many pieces of each line may still be returned: those delivered which no return has, but those withdrawn."""
    lines = snapshot.order.lines_by_id
    claimed = {line_id: sum(one.claims(line_id) for one in snapshot.returns) for line_id in lines}
    left = {line_id: line.quantity_delivered - claimed[line_id] for line_id, line in lines.items()}
    return {line_id: count for line_id, count in left.items() if count > 0}


def request(
    snapshot: Snapshot,
    return_id: str,
    items: Iterable[ReturnItem],
    note: str | None,
    rules: ReturnRules,
    now: datetime,
    by: str,
) -> Change:
    """Asks to send back some of what was delivered."""
    order, wanted = snapshot.order, tuple(items)
    _check_lines(order, wanted)
    if order.status not in RETURNABLE or not any(line.quantity_delivered for line in order.lines):
        raise ConstraintViolated("Only what was delivered can be returned.", order_status=order.status)
    _check_window(snapshot, rules, now)
    left = returnable(snapshot)
    for item in wanted:
        if item.quantity > left.get(item.line_id, 0):
            raise ConstraintViolated(
                f"Of line {item.line_id} only {left.get(item.line_id, 0)} can still be returned.", line_id=item.line_id
            )
    status = ReturnStatus.APPROVED if rules.is_approved else ReturnStatus.REQUESTED
    asked = Return(return_id, status, wanted, by, now, note, decided_at=now if rules.is_approved else None)
    return _changed(snapshot, asked, EventType.RETURN_REQUESTED, now, by)


def request_everything(
    snapshot: Snapshot, return_id: str, reason: str | None, rules: ReturnRules, now: datetime, by: str
) -> Change:
    """Asks to send back all that can still be returned; for an owner whose order could be taken back as a whole only."""
    order = snapshot.order
    if order.status is not OrderStatus.DELIVERED:
        raise IllegalTransition(order.status, OrderStatus.RETURNED, TRANSITIONS[order.status] - {OrderStatus.RETURNED})
    items = [ReturnItem(line_id, count, reason) for line_id, count in returnable(snapshot).items()]
    if not items:
        raise ConstraintViolated("Everything is being returned already.", order_status=order.status)
    return request(snapshot, return_id, items, None, rules, now, by)


def _check_lines(order: Order, items: Iterable[ReturnItem]) -> None:
    for place, item in enumerate(items):
        if item.line_id not in order.lines_by_id:
            raise InvalidArgument.of(f"items.{place}.line_id", "is no line of this order")


def _check_window(snapshot: Snapshot, rules: ReturnRules, now: datetime) -> None:
    """Refuses what comes later than the window after the delivery."""
    order, arrived = snapshot.order, [one.delivered_at for one in snapshot.shipments if one.delivered_at]
    delivered_at = max(arrived, default=order.status_since)
    if rules.window is not None and now > delivered_at + rules.window:
        raise ConstraintViolated(
            f"An order can be returned within {rules.window.days} days of its delivery.", order_status=order.status
        )


def approve(snapshot: Snapshot, return_id: str, now: datetime, by: str, reason: str | None) -> Change:
    """The goods may be sent back."""
    approved = _decided(snapshot, return_id, ReturnStatus.APPROVED, now, by, reason)
    return _changed(snapshot, approved, EventType.RETURN_APPROVED, now, by, reason)


def decline(snapshot: Snapshot, return_id: str, now: datetime, by: str, reason: str | None) -> Change:
    """The goods stay with the customer."""
    declined = replace(_decided(snapshot, return_id, ReturnStatus.DECLINED, now, by, reason), closed_at=now)
    return _changed(snapshot, declined, EventType.RETURN_DECLINED, now, by, reason)


def cancel(snapshot: Snapshot, return_id: str, now: datetime, by: str, reason: str | None) -> Change:
    """The goods are not sent back after all."""
    found = values.found(snapshot.returns, return_id)
    canceled = replace(found.become(ReturnStatus.CANCELED), closed_at=now)
    return _changed(snapshot, canceled, EventType.RETURN_CANCELED, now, by, reason)


def receive(
    snapshot: Snapshot,
    return_id: str,
    receipt: Receipt,
    refund_id: str,
    now: datetime,
    by: str,
) -> Change:
    """Some of a return has come back: what can be sold is in stock again, and the refund for it is begun.

    An order of which nothing is kept then is ``RETURNED``; its unwinding gives back what is left of the money.
    """
    order, found = snapshot.order, values.found(snapshot.returns, return_id)
    if snapshot.payment and snapshot.payment.has_open_dispute:
        raise ConstraintViolated("The customer's bank decides about the payment: nothing is refunded until then.")
    back = found.with_received(receipt.pieces, now, is_final=receipt.is_final)
    counts = values.counted(receipt.pieces)
    after = goods.returned(order, counts)
    refund = refunds.for_pieces(snapshot, after, counts, refund_id, None, now)
    begun = (replace(refund, return_id=return_id),) if refund else ()
    (back,) = values.closed((back,), snapshot.payment, (*snapshot.refunds, *begun), now) or (back,)
    written: dict[str, Any] = {
        "refunds": begun,
        "returns": (back,),
        "stock": goods.by_product(order, values.counted(receipt.pieces, Condition.RESELLABLE)),
    }
    told = facts.of_return(order, back) | facts.of_receipt(order, receipt.pieces)
    if goods.out(after):
        return recording.change(order, after, EventType.RETURN_RECEIVED, now, by, metadata=told, **written)
    undone = ending.to_be_undone(replace(snapshot, order=after), now, interrupted=StepStatus.FAILED, recall=False)
    told |= facts.of_end(order, snapshot.payment)
    follow_up = FollowUp.STOP_AND_UNWIND
    kind = EventType.ORDER_RETURNED
    return recording.move(order, undone, OrderStatus.RETURNED, kind, now, by, metadata=told, follow_up=follow_up, **written)


def _decided(snapshot: Snapshot, return_id: str, status: ReturnStatus, now: datetime, by: str, reason: str | None) -> Return:
    decided = values.found(snapshot.returns, return_id).become(status)
    return replace(decided, decided_by=by, decided_at=now, decision_reason=reason)


def _changed(snapshot: Snapshot, changed: Return, kind: EventType, now: datetime, by: str, reason: str | None = None) -> Change:
    order = snapshot.order
    return recording.change(
        order, order, kind, now, by, reason=reason, metadata=facts.of_return(order, changed), returns=(changed,)
    )
