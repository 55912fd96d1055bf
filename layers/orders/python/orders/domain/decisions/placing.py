"""A new order, and the goods it takes out of stock."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orders.domain import facts, goods, pricing, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.order import Approval, Change, Line, Order, OrderDetails, Snapshot, details
from orders.domain.personal import guarded
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

    @property
    def total(self) -> Money:
        """What the customer pays."""
        return pricing.totals(self.lines, self.shipping_charge, self.discounts).total


def place(request: PricedRequest, waits: Waits, now: datetime, by: str) -> Change:
    """A new order: PENDING, version 1, its workflow to be started."""
    review_seconds = waits.approval if request.needs_review else 0
    approval = Approval(ApprovalStatus.PENDING, now + timedelta(seconds=review_seconds)) if request.needs_review else None
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
        due_at=now + timedelta(seconds=review_seconds + waits.payment + waits.preparation) + GRACE,
    )
    if order.pays_on_delivery or order.is_free:
        order = replace(order, payment_token=None)
    metadata = {**facts.of_total(order), "method": order.method.value}
    event = recording.event(
        None, order, EventType.ORDER_PLACED, now, by, metadata=metadata, follow_up=FollowUp.START_FULFILLMENT
    )
    return Change(None, order, event)


def reserve_stock(snapshot: Snapshot, started_at: datetime, now: datetime, by: str = SYSTEM) -> Change | None:
    """Takes the order's goods out of stock and opens the next step; the store refuses when there are not enough."""
    order = alive(snapshot)
    if order.step(StepName.INVENTORY).status is not StepStatus.PENDING:
        return None
    after = order.with_step(StepName.INVENTORY, StepStatus.IN_PROGRESS, started_at)
    after = step_done(after, StepName.INVENTORY, now)
    after = replace(after, overall=OverallStatus.IN_PROGRESS)
    stock = {product_id: -pieces for product_id, pieces in goods.by_product(order, goods.out(order)).items()}
    return recording.change(order, after, EventType.STOCK_RESERVED, now, by, stock=stock)
