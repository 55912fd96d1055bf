"""Money that is taken only after what it was for had been given up: pieces that came back, or were cancelled, before that."""

from collections.abc import Iterable
from datetime import datetime

from orders.domain.events import SYSTEM
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot
from orders.domain.payment import Payment
from orders.domain.refund import Refund, RefundedLine, left
from orders.domain.shares import Pieces
from orders.domain.statuses import TAKEN, RefundStatus
from orders.domain.waits import GRACE

GIVEN_UP_BEFORE = "Came back, or was cancelled, before its money was taken"


def given_back(snapshot: Snapshot, payment: Payment, now: datetime) -> tuple[Refund, ...]:
    """The refund of what was taken for pieces that had been given up, with the last that is taken; the sweep asks for it.

    A capture that is written down may have been made: it is made as it was written, and what is too much of it given back.
    """
    order, asked = snapshot.order, _asked_for(snapshot.refunds)
    if payment.status not in TAKEN:
        return ()
    given_up = _given_up(order, asked)
    before = sum(one.amount.amount for one in snapshot.refunds if one.items)
    too_much = payment.amount_captured - _worth_keeping(order, asked) - before
    amount = min(too_much, left(payment, snapshot.refunds))
    if not given_up or amount <= 0:
        return ()
    items = tuple(RefundedLine(line_id, count) for line_id, count in given_up.items())
    money, refund_id = Money(amount, payment.amount.currency), f"refund-{payment.payment_id}-given-up"
    return (Refund(refund_id, RefundStatus.PENDING, money, now, SYSTEM, GIVEN_UP_BEFORE, items, due_at=now + GRACE),)


def _asked_for(refunds: Iterable[Refund]) -> dict[str, int]:
    """For how many pieces of each line a refund is on record; one that has failed is for people to ask for again."""
    found: dict[str, int] = {}
    for one in refunds:
        for line in one.items:
            found[line.line_id] = found.get(line.line_id, 0) + line.quantity
    return found


def _given_up(order: Order, asked: Pieces) -> Pieces:
    """What may have been paid for: what came back, and what was cancelled, perhaps in a parcel that did not leave."""
    lines = order.lines_by_id.items()
    found = {name: line.quantity_returned + line.quantity_cancelled - asked.get(name, 0) for name, line in lines}
    return {name: count for name, count in found.items() if count > 0}


def _worth_keeping(order: Order, asked: Pieces) -> int:
    """What the customer pays for the pieces that are kept and not given back, with the delivery where any is kept."""
    lines = order.lines_by_id
    gone = {name: max(asked.get(name, 0), line.quantity_cancelled + line.quantity_returned) for name, line in lines.items()}
    kept = {name: line.quantity - gone[name] for name, line in lines.items()}
    keeps_something = any(line.wanted - line.quantity_returned for line in order.lines)
    return order.shares.of_goods(kept, gone) + (order.shares.shipping if keeps_something else 0)
