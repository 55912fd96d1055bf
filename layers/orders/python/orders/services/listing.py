"""Lists of orders, newest first, page by page: queries on two indexes, never a scan."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, islice

from orders.adapters.store import indexes
from orders.adapters.store.indexes import Reference
from orders.domain.identifiers import CustomerId
from orders.domain.order import Order, Snapshot
from orders.domain.statuses import OrderStatus


class Part(StrEnum):
    """What an entry of a list may have in addition to its order."""

    PAYMENT = "payment"
    SHIPMENTS = "shipments"


Expand = frozenset[Part]
NOTHING: Expand = frozenset()


@dataclass(frozen=True, slots=True)
class Filter:
    """The customer and the status of the listed orders; ``None`` means any."""

    customer_id: CustomerId | None
    status: OrderStatus | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page, and the place that the next begins behind if there is one; parts that were not asked for are not read."""

    found: list[Snapshot]
    following: str | None


MISSING = "missing/"
"""What the places of its second part begin with."""


def page(wanted: Filter, limit: int, before: str | None, expand: Expand = NOTHING) -> Page:
    """One page of a list, from behind the place ``before`` on."""
    found = _matching(_references(wanted, before, limit + 1), lambda order: wanted.status in (None, order.status), limit)
    return _page(found, limit, expand)


def overdue_page(
    now: datetime, limit: int, after: str | None, transit: timedelta | None = None, expand: Expand = NOTHING
) -> Page:
    """One page of the open orders nothing has happened to in time, longest overdue first, from behind the place ``after`` on.

    Behind them, where only the carrier may say that a parcel has arrived, those that have been under way for longer than
    ``transit``: reported once in as long a time, they stay here until the carrier speaks.
    """

    def is_due(order: Order) -> bool:
        return order.due_at is not None and order.due_at <= now

    def is_missing(order: Order) -> bool:
        under_way = order.status is OrderStatus.SHIPPED and not order.is_over
        return under_way and not is_due(order) and transit is not None and order.status_since <= now - transit

    found: Iterator[tuple[Order, Reference]] = iter(())
    if after is None or not after.startswith(MISSING):
        found = _matching(indexes.orders_due(now, after, limit + 1), is_due, limit)
    if transit is not None:
        found = chain(found, _matching(_under_way(now - transit, after, limit), is_missing, limit))
    return _page(found, limit, expand)


def _under_way(until: datetime, after: str | None, limit: int) -> Iterator[Reference]:
    place = after.removeprefix(MISSING) if after and after.startswith(MISSING) else None
    for reference in indexes.orders_placed_before(OrderStatus.SHIPPED, until, place, limit + 1):
        yield Reference(reference.order_id, f"{MISSING}{reference.sort}")


def _page(matching: Iterator[tuple[Order, Reference]], limit: int, expand: Expand) -> Page:
    found = list(islice(matching, limit + 1))
    orders = [order for order, _ in found[:limit]]
    following = found[limit - 1][1].sort if len(found) > limit else None
    return Page(indexes.with_parts(orders, payments=Part.PAYMENT in expand, shipments=Part.SHIPMENTS in expand), following)


def _matching(
    references: Iterator[Reference], belongs: Callable[[Order], bool], limit: int
) -> Iterator[tuple[Order, Reference]]:
    """Orders with their places. An index may lag behind: the order's own item has the last word on whether it belongs."""
    seen: set[str] = set()
    while chunk := list(islice(references, limit + 1)):
        orders = {order.order_id: order for order in indexes.orders_by_id([ref.order_id for ref in chunk])}
        for reference in chunk:
            order = orders.get(reference.order_id)
            if order is None or reference.order_id in seen or not belongs(order):
                continue
            seen.add(reference.order_id)
            yield order, reference


def _references(wanted: Filter, before: str | None, page_size: int) -> Iterator[Reference]:
    if wanted.customer_id is not None:
        return indexes.orders_of_customer(wanted.customer_id, before, page_size)
    statuses = [wanted.status] if wanted.status else list(OrderStatus)
    newest_first = [indexes.orders_in_status(status, before, page_size) for status in statuses]
    return heapq.merge(*newest_first, key=lambda reference: reference.sort, reverse=True)
