"""Orders that have stayed in a status for longer than the waits of that status allow."""

from datetime import datetime, timedelta
from itertools import islice

from orders import settings
from orders.adapters.store import indexes, orders
from orders.domain.order import Order
from orders.domain.statuses import OrderStatus
from orders.domain.waits import Waits
from orders.services.changes import Clock, utc_now

STUCK_STATUSES = (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING)
"""The statuses that an order should leave by itself; SHIPPED is not one: the carrier decides."""

MOST_LOOKED_AT = 100
"""How many orders that look stuck are read to find out whether they wait for their payment."""

STUCK_MARGIN = timedelta(minutes=15)
"""What retries, queues and a sweep may take beside the configured waits."""


def stuck_after(waits: Waits) -> dict[OrderStatus, timedelta]:
    """How old an order may be in a status it should have left; counted from when it was placed."""
    charged = waits.approval + waits.payment
    prepared = charged + waits.preparation + (settings.warehouse_overdue() if waits.warehouse else 0)
    seconds = dict(zip(STUCK_STATUSES, (charged, prepared, prepared), strict=True))
    return {status: timedelta(seconds=waited) + STUCK_MARGIN for status, waited in seconds.items()}


def count(clock: Clock = utc_now) -> dict[OrderStatus, int]:
    """How many orders are stuck in each status, counted from an index."""
    now: datetime = clock()
    found = {status: indexes.count_in_status(status, now - age) for status, age in stuck_after(settings.waits()).items()}
    if found[OrderStatus.PENDING]:
        found[OrderStatus.PENDING] -= _waiting_to_be_paid(now - stuck_after(settings.waits())[OrderStatus.PENDING], now)
    return found


def _waiting_to_be_paid(until: datetime, now: datetime) -> int:
    """How many of the oldest orders that are not paid still wait for their payment, within its time."""
    oldest = islice(indexes.orders_placed_before(OrderStatus.PENDING, until), MOST_LOOKED_AT)
    return sum(_is_awaited(orders.load_order(one.order_id, to_show=True), now) for one in oldest)


def _is_awaited(order: Order, now: datetime) -> bool:
    """Whether it waits for its payment, or for its customer's answer about a shortage, within the time for that."""
    asked_until = order.shortage.expires_at if order.shortage and order.is_asked else None
    until = order.confirmation_due_at or asked_until
    return until is not None and until > now
