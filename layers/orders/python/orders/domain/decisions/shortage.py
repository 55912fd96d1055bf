"""A shortage: what is there is reserved, and what is missing is taken off, or the customer is asked about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain import facts, goods, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive, to_be_undone
from orders.domain.errors import ConstraintViolated, OrderOver, ShortagePending
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.goods import Pieces
from orders.domain.money import Money
from orders.domain.order import Approval, Cancellation, Change, Order, Snapshot
from orders.domain.shortage import Shortage, ShortagePolicy
from orders.domain.statuses import ApprovalStatus, OrderStatus, OverallStatus, StepStatus
from orders.domain.steps import CancelReason, OutOfStock, StepName
from orders.domain.waits import GRACE, Waits

Thresholds = Mapping[str, int]
"""From which total an order is reviewed, by its currency."""
UNANSWERED = "Nobody said in time what to do about the missing items."


def missing(order: Order, left: Mapping[str, int]) -> Pieces:
    """The pieces of each line that are not in stock, where there are only so many ``left`` of some products.

    Earlier lines get theirs first.
    """
    there, found = dict(left), {}
    for line_id, line in order.lines_by_id.items():
        had = min(line.wanted, there.get(line.product_id, line.wanted))
        if line.product_id in there:
            there[line.product_id] -= had
        if had < line.wanted:
            found[line_id] = line.wanted - had
    return found


def reserve_part(
    order: Order, absent: Pieces, started_at: datetime, now: datetime, by: str, waits: Waits, thresholds: Thresholds
) -> Change:
    """Takes what is there out of stock, and the rest off the order, or asks the customer about it.

    Raises:
        OutOfStock: nothing is there, or the order is not to be sent in part.
    """
    there = {id_: pieces for id_, line in order.lines_by_id.items() if (pieces := line.wanted - absent.get(id_, 0))}
    products = sorted(goods.by_product(order, absent))
    if not there or order.on_shortage is ShortagePolicy.CANCEL:
        raise OutOfStock(f"Not enough in stock: {', '.join(products)}.", products=products)
    stock = {product_id: -pieces for product_id, pieces in goods.by_product(order, there).items()}
    begun = order.with_step(StepName.INVENTORY, StepStatus.IN_PROGRESS, started_at)
    begun = replace(begun, overall=OverallStatus.IN_PROGRESS)
    said = facts.of_missing(order, absent)
    if order.on_shortage is ShortagePolicy.DROP:
        after = step_done(_without(begun, absent, waits, thresholds, now), StepName.INVENTORY, now)
        said |= facts.of_total(after)
        return recording.change(order, after, EventType.STOCK_RESERVED, now, by, stock=stock, metadata=said)
    expires = now + timedelta(seconds=waits.shortage)
    after = replace(begun, shortage=Shortage(absent, expires), due_at=expires + GRACE)
    return recording.change(order, after, EventType.STOCK_SHORT, now, by, stock=stock, metadata=said)


def ask(snapshot: Snapshot, token: str, seconds: float, now: datetime, run: int | None = None) -> Change | None:
    """Keeps the callback token of the wait for the customer's answer; ``None`` when it is given.

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} processes this order now.", order_status=order.status)
    if order.shortage is None or not order.is_asked:
        return None
    expires = now + timedelta(seconds=seconds)
    asked = replace(order.shortage, expires_at=expires)
    after = replace(order, shortage=asked, shortage_token=token, due_at=expires + GRACE)
    return recording.change(order, after, EventType.CUSTOMER_ASKED, now, metadata={"expires_at": expires})


def amend(snapshot: Snapshot, now: datetime, by: str, waits: Waits, thresholds: Thresholds) -> Change:
    """Takes what is there: what is missing is taken off the order, which goes on with the rest."""
    order = alive(snapshot)
    if order.shortage is None or not order.is_asked:
        raise ConstraintViolated("The order does not wait for an answer about a shortage.", order_status=order.status)
    absent = order.shortage.missing
    after = step_done(_without(order, absent, waits, thresholds, now), StepName.INVENTORY, now)
    ahead = (waits.approval if after.approval else 0) + waits.payment + waits.preparation
    after = replace(after, due_at=now + timedelta(seconds=ahead) + GRACE)
    said = {**facts.of_missing(order, absent), **facts.of_total(after)}
    follow_up = FollowUp.ANSWER_AMENDED if order.shortage_token else None
    return recording.change(order, after, EventType.ORDER_AMENDED, now, by, metadata=said, follow_up=follow_up)


def unanswered(
    snapshot: Snapshot, now: datetime, why: str = UNANSWERED, reason: CancelReason = CancelReason.OUT_OF_STOCK
) -> Change | None:
    """Nobody has answered: cancelled, and what was reserved is released. ``None`` where no answer is waited for."""
    order = snapshot.order
    if not order.is_asked:
        return None
    marked = to_be_undone(snapshot, now, interrupted=StepStatus.SKIPPED)
    after = replace(marked, cancellation=Cancellation(reason, now, SYSTEM))
    end = facts.of_end(order, snapshot.payment, reason)
    status, kind, then = OrderStatus.CANCELLED, EventType.ORDER_CANCELLED, FollowUp.START_UNWINDING
    return recording.move(order, after, status, kind, now, reason=why, metadata=end, follow_up=then)


def answered(order: Order) -> None:
    """Raises ``ShortagePending`` while the customer is asked about a shortage."""
    if order.is_asked:
        raise ShortagePending("The order waits for its customer: a part of it is out of stock.")


def _without(order: Order, absent: Pieces, waits: Waits, thresholds: Thresholds, now: datetime) -> Order:
    """The order without what is missing, its total amended and its review judged by that."""
    cancelled = {line_id: line.quantity_cancelled for line_id, line in order.lines_by_id.items()}
    total = Money(order.total.amount - order.shares.to_give_back(absent, cancelled), order.total.currency)
    after = replace(goods.cancelled(order, absent), total=total, shortage=Shortage(absent))
    return replace(after, approval=_judged(after, waits, thresholds, now))


def _judged(order: Order, waits: Waits, thresholds: Thresholds, now: datetime) -> Approval | None:
    approval, threshold = order.approval, thresholds.get(order.total.currency)
    if approval is None or approval.status is not ApprovalStatus.PENDING:
        return approval
    if order.reviewed_by_total and (threshold is None or order.total.amount < threshold):
        return None
    return replace(approval, expires_at=now + timedelta(seconds=waits.approval))
