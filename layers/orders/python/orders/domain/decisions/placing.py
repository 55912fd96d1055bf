"""A new order, and the goods it takes out of stock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orders.domain import facts, goods, pricing, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Approval, Change, Order, OrderDetails, Snapshot, details
from orders.domain.personal import guarded
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import ApprovalStatus, OrderStatus, OverallStatus, StepStatus
from orders.domain.steps import StepName
from orders.domain.waits import GRACE, Waits


@guarded
@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRequest(OrderDetails):
    """A requested order with its prices."""

    order_id: OrderId
    lines: tuple[Line, ...]
    needs_review: bool
    is_of_high_value: bool = False

    @property
    def total(self) -> Money:
        """What the customer pays."""
        return pricing.totals(self.lines, self.shipping_charge, self.discounts).total


def place(request: PricedRequest, waits: Waits, now: datetime, by: str) -> Change:
    """A new order: PENDING, version 1, its workflow to be started."""
    is_reviewed = request.needs_review or request.is_of_high_value
    review_seconds = waits.approval if is_reviewed else 0
    approval = Approval(ApprovalStatus.PENDING, now + timedelta(seconds=review_seconds)) if is_reviewed else None
    order = Order(
        **details(request),
        order_id=request.order_id,
        status=OrderStatus.PENDING,
        version=1,
        lines=request.lines,
        total=request.total,
        created_at=now,
        updated_at=now,
        status_since=now,
        approval=approval,
        reviewed_by_total=_is_reviewed_by_total(request),
        due_at=now + timedelta(seconds=review_seconds + waits.payment + waits.preparation) + GRACE,
    )
    if order.pays_on_delivery or order.is_free:
        order = replace(order, payment_token=None)
    metadata = {**facts.of_total(order), "method": order.method.value}
    event = recording.event(
        None, order, EventType.ORDER_PLACED, now, by, metadata=metadata, follow_up=FollowUp.START_FULFILLMENT
    )
    return Change(None, order, event)


def _is_reviewed_by_total(request: PricedRequest) -> bool:
    """Whether it is to be reviewed for its total alone; noted only of orders whose total may be amended."""
    is_due_to_total = request.is_of_high_value and not request.needs_review
    return is_due_to_total and request.on_shortage is not ShortagePolicy.CANCEL


def reserve_stock(
    snapshot: Snapshot,
    started_at: datetime,
    now: datetime,
    by: str = SYSTEM,
    short: Callable[[Order], Change | None] = lambda _: None,
) -> Change | None:
    """Takes the order's goods out of stock and opens the next step; the store refuses when there are not enough.

    ``short`` is what is done instead where something is known to be missing.
    """
    order = alive(snapshot)
    if order.step(StepName.INVENTORY).status is not StepStatus.PENDING:
        return None
    if found := short(order):
        return found
    after = order.with_step(StepName.INVENTORY, StepStatus.IN_PROGRESS, started_at)
    after = step_done(after, StepName.INVENTORY, now)
    after = replace(after, overall=OverallStatus.IN_PROGRESS)
    stock = {product_id: -pieces for product_id, pieces in goods.by_product(order, goods.out(order)).items()}
    return recording.change(order, after, EventType.STOCK_RESERVED, now, by, stock=stock)
