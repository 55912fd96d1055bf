"""The workflow's steps: what the Lambda tasks of the two state machines do to an order, but for its payment and its parcels.

Every step may be run twice, late, or beside another change: it reads the row, finds out what is left for it, writes its
intent before it has an effect outside, and uses the same key each time.
"""

import os
from collections.abc import Callable
from datetime import datetime

from orders import settings
from orders.adapters import workflow
from orders.domain.decisions import (
    placing,
    reviewing,
    shortage,
)
from orders.domain.errors import (
    StoreBusy,
)
from orders.domain.events import SYSTEM
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.order import Change, Order, Snapshot
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import (
    ApprovalStatus,
)
from orders.domain.steps import OutOfStock
from orders.services import task_tokens
from orders.services.changes import Apply, Clock, apply, utc_now

Decision = Callable[[Snapshot, datetime], Change | None]
"""A step's decision on the order as it is now; ``None`` when the work is already done."""


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
    snapshot = task_tokens.keep(
        order_id,
        token,
        lambda order: order.shortage_token,
        lambda now: shortage.ask(now, token, seconds, clock(), run),
        clock,
    )
    if not snapshot.order.is_asked:
        workflow.answer(token, {"amended": True})


def request_approval(order_id: OrderId, token: str, seconds: float, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the review's decision wakes the workflow, or returns the decision if it is already made.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    snapshot = task_tokens.keep(
        order_id,
        token,
        lambda order: order.approval_token,
        lambda now: reviewing.request_approval(now, token, seconds, clock(), run),
        clock,
    )
    approval = snapshot.order.approval
    if approval is None or approval.status is ApprovalStatus.APPROVED:
        workflow.answer(token, {"approved": True})


def record(order_id: OrderId, decision: Decision, clock: Clock = utc_now) -> Snapshot:
    """A step without an outside party: the decision is recorded, nothing else."""
    return apply(order_id, lambda snapshot: decision(snapshot, clock()))
