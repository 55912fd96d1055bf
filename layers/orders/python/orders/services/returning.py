"""Returns: asked for by customers, decided by staff."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime

from orders import settings
from orders.domain.actors import Actor
from orders.domain.decisions import ending, returning
from orders.domain.decisions.returning import ReturnRules
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.order import Change, Snapshot
from orders.domain.returns import ReturnItem
from orders.services.changes import Clock, SeenAt, utc_now

Decision = Callable[[Snapshot, str, datetime, str, str | None], Change]
"""What is decided of a return: of which one, when, by whom and why."""


def _rules(actor: Actor) -> ReturnRules:
    """Staff may ask for a return at any time."""
    return ReturnRules(None if actor.staff else settings.return_window(), settings.approves_returns())


def _new_id(now: datetime) -> str:
    return f"ret-{uuid7(now, os.urandom(10))}"


def request(
    order_id: OrderId, actor: Actor, items: Sequence[ReturnItem], note: str | None, seen: SeenAt, clock: Clock = utc_now
) -> Snapshot:
    """Asks to send back some of what was delivered."""
    rules, return_id = _rules(actor), _new_id(clock())
    return seen(order_id, lambda now: returning.request(now, return_id, items, note, rules, clock(), actor.by))


def return_order(order_id: OrderId, actor: Actor, reason: str | None, seen: SeenAt, clock: Clock = utc_now) -> Snapshot:
    """Takes a delivered order back as a whole where staff say so; for its customer it asks for a return of everything."""
    if actor.staff:
        return seen(order_id, lambda now: ending.return_order(now, clock(), actor.by, reason))
    rules, return_id = _rules(actor), _new_id(clock())
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
