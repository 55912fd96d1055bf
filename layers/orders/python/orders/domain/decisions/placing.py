"""A new order, and the goods it takes out of stock."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orders.domain import facts, recording
from orders.domain.decisions.advancing import step_done
from orders.domain.decisions.ending import alive
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import Address, Approval, Change, Line, Order, Snapshot
from orders.domain.personal import Forgotten, guarded
from orders.domain.statuses import ApprovalStatus, OrderStatus, OverallStatus, PaymentMethod, StepStatus
from orders.domain.steps import StepName
from orders.domain.waits import GRACE, Waits


@guarded
@dataclass(frozen=True, slots=True)
class Placement:
    """A requested order, priced from the catalog."""

    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[Line, ...]
    shipping_address: Address
    method: PaymentMethod
    payment_token: Forgotten | None
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
    stock = {line.product_id: -line.quantity for line in order.lines}
    return recording.change(order, after, EventType.STOCK_RESERVED, now, by, stock=stock)
