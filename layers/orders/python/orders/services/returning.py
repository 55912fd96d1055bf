"""Returns: asked for by customers, decided by staff, received by the warehouse."""

from collections.abc import Callable, Sequence
from datetime import datetime

from orders import settings
from orders.domain.actors import Actor
from orders.domain.decisions import ending, returning
from orders.domain.decisions.returning import Receipt, ReturnRules
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Snapshot
from orders.domain.returns import ReturnItem
from orders.domain.statuses import OrderStatus
from orders.services import fulfilling, refunding
from orders.services.changes import Clock, SeenAt, utc_now

Decision = Callable[[Snapshot, str, datetime, str, str | None], Change]
"""What is decided of a return: of which one, when, by whom and why."""


def _rules(actor: Actor) -> ReturnRules:
    """Staff may ask for a return at any time."""
    return ReturnRules(None if actor.staff else settings.return_window(), settings.approves_returns())


def request(
    order_id: OrderId, actor: Actor, items: Sequence[ReturnItem], note: str | None, seen: SeenAt, clock: Clock = utc_now
) -> Snapshot:
    """Asks to send back some of what was delivered."""
    rules, return_id = _rules(actor), fulfilling.new_id("ret", clock)
    return seen(order_id, lambda now: returning.request(now, return_id, items, note, rules, clock(), actor.by))


def return_order(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Takes a delivered order back as a whole where staff say so; for its customer it asks for a return of everything."""
    if actor.staff:
        return seen(order_id, lambda now: ending.return_order(now, clock(), actor.by, reason))
    rules, return_id = _rules(actor), fulfilling.new_id("ret", clock)
    return seen(order_id, lambda now: returning.request_everything(now, return_id, reason, rules, clock(), actor.by))


def decide(
    order_id: OrderId,
    return_id: str,
    actor: Actor,
    reason: str | None,
    seen: SeenAt,
    decision: Decision,
    clock: Clock = utc_now,
) -> Snapshot:
    """Approves, declines or cancels a return."""
    return seen(order_id, lambda now: decision(now, return_id, clock(), actor.by, reason))


def receive(
    order_id: OrderId, return_id: str, actor: Actor, receipt: Receipt, seen: SeenAt, clock: Clock = utc_now
) -> Snapshot:
    """Some of a return has come back: restocked, and refunded.

    The provider is asked at once; where nothing of the order is kept, by its unwinding.
    """
    refund_id = refunding.new_id(clock)
    after = seen(order_id, lambda now: returning.receive(now, return_id, receipt, refund_id, clock(), actor.by))
    return after if after.order.status is OrderStatus.RETURNED else refunding.tried(after, clock)
