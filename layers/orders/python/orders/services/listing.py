"""Lists of orders, newest or oldest first, page by page: queries, never a scan."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, islice

from orders.adapters.store import indexes
from orders.adapters.store.indexes import Reference, Span
from orders.domain.address import Contact
from orders.domain.decisions import shipping
from orders.domain.identifiers import CustomerId, TrackingNumber
from orders.domain.order import Order, Snapshot, timestamp
from orders.domain.shortage import ShortageStatus
from orders.domain.statuses import DisputeStatus, OrderStatus, PaymentStatus, ReturnStatus


class Part(StrEnum):
    """What an entry of a list may have in addition to its order."""

    PAYMENT = "payment"
    SHIPMENTS = "shipments"


Expand = frozenset[Part]
NOTHING: Expand = frozenset()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders are listed; ``None`` means any. They were placed after ``created_after`` and before ``created_before``."""

    customer_id: CustomerId | None
    status: OrderStatus | None
    external_id: str | None = None
    payment_status: PaymentStatus | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    tracking_number: TrackingNumber | None = None
    email: str | None = None
    oldest_first: bool = False

    @property
    def is_sifted(self) -> bool:
        """Whether its list is looked through: no index has the payments, and an entry of the others may be out of date."""
        return any(value is not None for value in (self.external_id, self.email, self.tracking_number, self.payment_status))

    def takes(self, order: Order) -> bool:
        """Whether the order belongs to the list, as far as its own item says."""
        return (
            self.status in (None, order.status)
            and self.customer_id in (None, order.customer_id)
            and self.external_id in (None, order.external_id)
            and (self.email is None or _is_same(self.email, order.contact))
        )

    def takes_paid(self, found: Snapshot) -> bool:
        """Whether it belongs to the list by its payment."""
        return self.payment_status is None or (found.payment is not None and found.payment.status is self.payment_status)


def _is_same(email: str, contact: Contact | None) -> bool:
    return contact is not None and contact.email is not None and contact.email.casefold() == email.casefold()


@dataclass(frozen=True, slots=True)
class Page:
    """One page, and the place that the next begins behind if there is one; parts that were not asked for are not read."""

    found: list[Snapshot]
    following: str | None


MOST_LOOKED_AT, CHUNK = 500, 100
"""How many orders one page of a list without an index looks at, and how many it reads at once."""

MISSING = "missing/"
"""What the places of its second part begin with."""


def page(wanted: Filter, limit: int, place: str | None, expand: Expand = NOTHING) -> Page:
    """One page of a list, from behind the place ``place`` on.

    By external id, e-mail or payment it may have fewer orders than ``limit``, even none, with more to follow: no index has the
    payments, and so many orders that do not belong are looked at, and no more.
    """
    if wanted.is_sifted:
        return _sifted(wanted, limit, place, expand)
    found = _matching(_references(wanted, place, limit + 1), wanted.takes, limit)
    return _page(found, limit, expand)


def _sifted(wanted: Filter, limit: int, place: str | None, expand: Expand) -> Page:
    """A page of those that belong among the next ``MOST_LOOKED_AT``."""
    found: list[Snapshot] = []
    looked_at = 0
    references = islice(_references(wanted, place, CHUNK), MOST_LOOKED_AT)
    for reference, snapshot in _looked_at(wanted, references, expand):
        place, looked_at = reference.sort, looked_at + 1
        found += [snapshot] if snapshot else []
        if len(found) == limit:
            break
    is_whole = len(found) < limit and looked_at < MOST_LOOKED_AT
    return Page(found, None if is_whole else place)


def _looked_at(wanted: Filter, references: Iterator[Reference], expand: Expand) -> Iterator[tuple[Reference, Snapshot | None]]:
    """Each place with its order if that belongs to the list; orders are read by the hundred."""
    seen: set[str] = set()
    payments = Part.PAYMENT in expand or wanted.payment_status is not None
    while chunk := list(islice(references, CHUNK)):
        orders = [order for order in indexes.orders_by_id([one.order_id for one in chunk]) if wanted.takes(order)]
        whole = indexes.with_parts(orders, payments=payments, shipments=Part.SHIPMENTS in expand)
        belonging = {one.order.order_id: one for one in whole if wanted.takes_paid(one)}
        for reference in chunk:
            yield reference, belonging.get(reference.order_id) if reference.order_id not in seen else None
            seen.add(reference.order_id)


def page_by_return(status: ReturnStatus, limit: int, before: str | None, expand: Expand = NOTHING) -> Page:
    """One page of the orders that have a return of a status, newest first, from behind the place ``before`` on."""
    references = indexes.orders_with_return(status, Span(before), limit + 1)
    return _page(_matching(references, lambda _: True, limit), limit, expand)


def page_by_dispute(status: DisputeStatus, limit: int, before: str | None, expand: Expand = NOTHING) -> Page:
    """One page of the orders whose payment has a dispute of a status, the one that was opened last first."""
    references = indexes.orders_with_dispute(status, Span(before), limit + 1)
    return _page(_matching(references, lambda _: True, limit), limit, expand)


def page_by_shortage(status: ShortageStatus, limit: int, before: str | None, expand: Expand = NOTHING) -> Page:
    """One page of the orders whose customers are asked about a shortage, newest first."""
    references = indexes.orders_with_shortage(status, Span(before), limit + 1)
    return _page(_matching(references, lambda order: order.is_asked, limit), limit, expand)


def to_ship_page(now: datetime, limit: int, after: str | None, expand: Expand = NOTHING) -> Page:
    """One page of the orders that wait for their warehouse to hand over what is left, the oldest first."""
    waiting = (OrderStatus.CONFIRMED, OrderStatus.PROCESSING)
    oldest_first = [indexes.orders_placed_before(status, now, after, limit + 1) for status in waiting]
    references = heapq.merge(*oldest_first, key=lambda reference: reference.sort)
    return _page(_matching(references, lambda order: shipping.awaits_warehouse(order) and not order.hold, limit), limit, expand)


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


def _span(wanted: Filter, place: str | None) -> Span:
    """What is left of a list behind a place, which lies between the two moments already."""
    until = timestamp(wanted.created_before) if wanted.created_before else None
    if wanted.oldest_first:
        return Span(until, wanted.created_after, after=place, oldest_first=True)
    return Span(place or until, wanted.created_after)


def _references(wanted: Filter, place: str | None, page_size: int) -> Iterator[Reference]:
    span = _span(wanted, place)
    if wanted.tracking_number is not None:
        return indexes.orders_of_parcel(wanted.tracking_number, span)
    if wanted.external_id is not None:
        return indexes.orders_of_external_id(wanted.external_id, span, page_size)
    if wanted.email is not None:
        return indexes.orders_of_email(wanted.email, span, page_size)
    if wanted.customer_id is not None:
        return indexes.orders_of_customer(wanted.customer_id, span, page_size)
    statuses = [wanted.status] if wanted.status else list(OrderStatus)
    in_order = [indexes.orders_in_status(status, span, page_size) for status in statuses]
    return heapq.merge(*in_order, key=lambda reference: reference.sort, reverse=not wanted.oldest_first)
