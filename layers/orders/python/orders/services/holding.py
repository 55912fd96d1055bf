"""Putting an order on hold and releasing it, and the workflow's wait for that."""

from orders import settings
from orders.adapters import workflow
from orders.domain.actors import Actor
from orders.domain.decisions import holding, shipping
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Snapshot
from orders.domain.waits import remaining_waits
from orders.services import task_tokens
from orders.services.changes import Clock, SeenAt, utc_now


def hold(order_id: OrderId, actor: Actor, reason: str, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Puts the order on hold: nothing is charged, captured or handed over until it is released."""
    return seen(order_id, lambda now: holding.hold(now, reason, clock(), actor.by))


def release(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Lets the order go on."""

    def released(now: Snapshot) -> Change:
        late_after = settings.warehouse_overdue() if shipping.awaits_warehouse(now.order) else 0
        return holding.release(now, settings.waits(), clock(), actor.by, reason, late_after=late_after)

    return seen(order_id, released)


def await_release(order_id: OrderId, token: str, clock: Clock = utc_now, run: int | None = None) -> None:
    """Keeps the token with which the release wakes the workflow, or returns it where the order is not on hold any more.

    Raises:
        OrderOver: the order was closed, or a later run than ``run`` processes it.
    """
    snapshot = task_tokens.keep(
        order_id,
        token,
        lambda order: order.release_token,
        lambda now: holding.await_release(now, token, clock(), run),
        clock,
    )
    if snapshot.order.hold is None:
        answer(snapshot, token, clock)


def answer(snapshot: Snapshot, token: str, clock: Clock = utc_now) -> None:
    """Wakes the workflow that waits for the release: it goes on with what is left of its waits."""
    left = remaining_waits(snapshot.order, settings.waits(), clock())
    workflow.answer(token, workflow.seconds_of(left))
