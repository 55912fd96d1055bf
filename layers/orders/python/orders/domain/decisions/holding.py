"""An order on hold, by staff or because the money that is held for it runs out: nothing is charged or handed over."""

from dataclasses import replace
from datetime import datetime, timedelta

from orders.domain import recording
from orders.domain.decisions.ending import alive
from orders.domain.decisions.restarting import due_again
from orders.domain.errors import ConstraintViolated, OrderOnHold, OrderOver
from orders.domain.events import SYSTEM, EventType, FollowUp
from orders.domain.order import Change, Hold, Order, Snapshot
from orders.domain.statuses import CANCELLABLE, OverallStatus
from orders.domain.waits import GRACE, Waits

AUTHORIZATION_EXPIRED = "authorization_expired"
"""The reason of a hold that the pipeline makes a day before the money is held no longer."""


def check_not_held(order: Order) -> None:
    """Raises ``OrderOnHold`` where the order is on hold."""
    if order.hold is not None:
        raise OrderOnHold("The order is on hold: release it first.", order_status=order.status)


def hold(snapshot: Snapshot, reason: str, now: datetime, by: str) -> Change:
    """Puts the order on hold, until it is released or cancelled."""
    order = snapshot.order
    if order.is_over or order.status not in CANCELLABLE:
        raise ConstraintViolated("Nothing of the order is left to be handed over.", order_status=order.status)
    if order.hold is not None:
        raise ConstraintViolated("The order is on hold already.", order_status=order.status)
    after = replace(order, hold=Hold(reason, now, by))
    return recording.change(order, after, EventType.ORDER_HELD, now, by, reason=reason)


def hold_before_expiry(snapshot: Snapshot, now: datetime) -> Change | None:
    """Puts an order on hold whose money is held for less than a day, once for each such end; ``None`` when that was done."""
    order, payment = snapshot.order, snapshot.payment
    ends = payment.authorization_expires_at if payment else None
    if payment is None or ends is None or payment.is_expiry_known or order.is_over:
        return None
    after = replace(order, hold=order.hold or Hold(AUTHORIZATION_EXPIRED, now, SYSTEM), due_at=max(ends, now) + GRACE)
    known, until = replace(payment, is_expiry_known=True), {"expires_at": ends}
    return recording.change(
        order, after, EventType.ORDER_HELD, now, reason=AUTHORIZATION_EXPIRED, payment=known, metadata=until
    )


def release(
    snapshot: Snapshot, waits: Waits, now: datetime, by: str, reason: str | None = None, *, late_after: float = 0
) -> Change:
    """Lets the order go on. What it has missed of its workflow follows; a workflow that was lost is restarted by the sweep.

    One whose parcels others have delivered meanwhile is released too: the money that is held for them is taken then.
    ``late_after`` is how many seconds the order may now wait for its warehouse, where it does, before it is late.
    """
    order = snapshot.order
    is_arrived = order.overall is OverallStatus.COMPLETED
    if order.hold is None or (order.is_over and not is_arrived):
        raise ConstraintViolated("The order is not on hold.", order_status=order.status)
    due = order.due_at and now + GRACE if is_arrived else due_again(order, waits, now) + timedelta(seconds=late_after)
    after = replace(order, hold=None, due_at=due)
    return recording.change(order, after, EventType.ORDER_RELEASED, now, by, reason=reason, follow_up=FollowUp.ANSWER_RELEASED)


def await_release(snapshot: Snapshot, token: str, now: datetime, run: int | None = None) -> Change | None:
    """Keeps the callback token of the wait for the release; ``None`` when the order is not on hold (any more).

    ``run`` is the one that waits: where a later one has taken the order over, its token must not be replaced by this one.
    """
    order = alive(snapshot)
    if run is not None and run != order.run:
        raise OrderOver(f"Run {order.run} processes this order now.", order_status=order.status)
    if order.hold is None:
        return None
    after = replace(order, release_token=token)
    return recording.change(order, after, EventType.RELEASE_AWAITED, now)
