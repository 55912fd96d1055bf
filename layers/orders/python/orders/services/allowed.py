"""What may be asked of an order now: the decision behind each route is tried on it, and nothing is written."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from orders import settings
from orders.adapters.store import newer
from orders.domain import goods
from orders.domain.decisions import cancelling, ending, holding, refunds, returning, reviewing, shipping, shortage
from orders.domain.decisions.refunds import WantedRefund
from orders.domain.decisions.returning import ReturnRules
from orders.domain.decisions.shipping import RequestedParcel
from orders.domain.errors import NewerRow, OrderError
from orders.domain.order import Snapshot
from orders.domain.statuses import OrderStatus, OverallStatus, may_become
from orders.domain.steps import CancelReason

NOBODY = "nobody"
"""Who tries, and what an attempt names: nothing of it is kept."""

Attempt = Callable[[Snapshot, datetime], object]
"""Tries it: raises where it would be refused, and is false where it would change nothing."""


def routes(snapshot: Snapshot, now: datetime) -> list[str]:
    """The keys of the routes that would change this order now, whoever asks; none where a later release has moved it."""
    try:
        newer.refuse(newer.decided_on(snapshot))
    except NewerRow:
        return []
    return [key for key, attempt in ATTEMPTS.items() if _succeeds(attempt, snapshot, now)]


def _succeeds(attempt: Attempt, snapshot: Snapshot, now: datetime) -> bool:
    try:
        return bool(attempt(snapshot, now))
    except OrderError:
        return False


def _cancel(snapshot: Snapshot, now: datetime) -> object:
    return cancelling.cancel(snapshot, None, CancelReason.STAFF, 0, now, NOBODY)


def _move(snapshot: Snapshot, now: datetime) -> object:
    present = snapshot.order.shipping_address
    return shipping.change_address(snapshot, replace(present, line1=f"{present.line1}."), now, NOBODY)


def _hand_over(snapshot: Snapshot, now: datetime) -> object:
    return shipping.start_parcel(snapshot, RequestedParcel(NOBODY, NOBODY), now, NOBODY)


def _deliver(snapshot: Snapshot, _: datetime) -> object:
    return may_become(snapshot.order.status, OrderStatus.DELIVERED) or goods.under_way(snapshot)


def _return(snapshot: Snapshot, now: datetime) -> object:
    return ending.return_order(snapshot, now, NOBODY)


def _ask_for_return(snapshot: Snapshot, now: datetime) -> object:
    rules = ReturnRules(settings.return_window(), settings.approves_returns())
    return returning.request_everything(snapshot, NOBODY, None, rules, now, NOBODY)


def _amend(snapshot: Snapshot, now: datetime) -> object:
    return shortage.amend(snapshot, now, NOBODY, settings.waits(), settings.review_thresholds())


def _refund(snapshot: Snapshot, now: datetime) -> object:
    return refunds.request(snapshot, NOBODY, WantedRefund(NOBODY), now, NOBODY)


def _repair(snapshot: Snapshot, _: datetime) -> object:
    return snapshot.order.overall in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS, OverallStatus.ROLLING_BACK)


ATTEMPTS: Mapping[str, Attempt] = {
    "POST /orders/{id}/cancel": _cancel,
    "PUT /orders/{id}/address": _move,
    "POST /orders/{id}/approve": lambda snapshot, now: reviewing.approve(snapshot, now, NOBODY, None),
    "POST /orders/{id}/reject": lambda snapshot, now: reviewing.reject(snapshot, now, NOBODY, None),
    "POST /orders/{id}/amend": _amend,
    "POST /orders/{id}/hold": lambda snapshot, now: holding.hold(snapshot, NOBODY, now, NOBODY),
    "POST /orders/{id}/release": lambda snapshot, now: holding.release(snapshot, settings.waits(), now, NOBODY),
    "POST /orders/{id}/shipments": _hand_over,
    "POST /orders/{id}/delivered": _deliver,
    "POST /orders/{id}/return": _return,
    "POST /orders/{id}/returns": _ask_for_return,
    "POST /orders/{id}/refunds": _refund,
    "POST /orders/{id}/sync": _repair,
}
"""The routes that change an order as a whole; what may be done to one parcel, return or refund follows from its status."""
