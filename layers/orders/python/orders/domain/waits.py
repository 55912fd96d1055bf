"""The configured waits of the workflow, and what is left of them for an order."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders.domain.order import Order
from orders.domain.statuses import ApprovalStatus, OrderStatus, PaymentMethod, has_reached

GRACE = timedelta(seconds=60)
"""How long past its expected end the sweep leaves a stage alone: longer than any task's retries take."""

LONGEST = 300 * 86_400
"""How long at most, in seconds, an execution waits for what people, the warehouse or the carrier do: the next run follows."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The configured waits of the workflow, in seconds; ``delivery`` is the transit (timed) or the overdue limit (carrier).

    ``confirmation`` is how long a payment may wait for its confirmation, ``transfer`` how long for a bank transfer,
    ``shortage`` how long a customer may take to say what to do about a shortage, ``warehouse`` how long one that prepares
    orders by itself may take: 0 where a timer hands them over. ``arrival`` is how long an execution waits for a parcel of
    which only the carrier can say that it arrived: 0 where a timer delivers.
    """

    payment: float
    preparation: float
    delivery: float
    approval: float
    confirmation: float
    transfer: float
    shortage: float
    warehouse: float = 0
    arrival: float = 0

    @property
    def longest_transit(self) -> float:
        """How long an execution waits for the delivery at most."""
        return self.arrival or self.delivery

    def to_confirm(self, method: PaymentMethod) -> float:
        """How long a payment of that method is waited for."""
        return self.transfer if method is PaymentMethod.BANK_TRANSFER else self.confirmation


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
    asked_until = order.shortage.expires_at if order.shortage and order.is_asked else None
    if asked_until and not decided:
        review = waits.approval
    confirmation = waits.to_confirm(order.method)
    if order.confirmation_due_at:
        confirmation = _like(confirmation, (order.confirmation_due_at - now).total_seconds())
    return Waits(
        payment=left(waits.payment, over=paid, running=decided and not paid and order.approval is None),
        preparation=left(waits.preparation, over=shipped, running=paid and not shipped),
        delivery=left(waits.delivery, over=order.status is OrderStatus.DELIVERED, running=shipped),
        approval=_like(waits.approval, review),
        confirmation=confirmation,
        transfer=confirmation,
        shortage=_like(waits.shortage, (asked_until - now).total_seconds()) if asked_until else waits.shortage,
        warehouse=0 if shipped else waits.warehouse,
        arrival=waits.arrival,
    )


def _like(configured: float, left: float) -> float:
    """What is left of a wait, never negative, and whole where the wait is: AWS takes whole seconds only."""
    return max(0.0, float(math.ceil(left)) if float(configured).is_integer() else left)
