"""Reads orders, to decide on or to show, and their audit trails."""

from collections.abc import Sequence

from orders.adapters.store import orders
from orders.domain.identifiers import OrderId
from orders.domain.order import Event, Order, Snapshot


def order(order_id: OrderId) -> Order:
    """The order by itself, to decide on; raises ``NotFound``."""
    return orders.load_order(order_id)


def order_to_show(order_id: OrderId) -> Order:
    """The order by itself, with what a later release has written; raises ``NotFound``."""
    return orders.load_order(order_id, to_show=True)


def to_show(order_id: OrderId) -> Snapshot:
    """The order with its payment and parcel, with what a later release has written; raises ``NotFound``."""
    return orders.load(order_id, to_show=True)


def history(order_id: OrderId, after_version: int = 0) -> Sequence[Event]:
    """The audit trail behind a version, oldest first."""
    return orders.history(order_id, after_version)
