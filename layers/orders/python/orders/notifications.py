"""What the world is told of a committed change (contract, section 6): derived from the audit event, with stable ids.

A change told twice carries the same ids; an order's changes carry its version, so that a receiver can put them in order:
they may arrive in any.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from orders.events import ORDER_STATUS_CHANGED, Signal
from orders.ids import uuid7
from orders.order import Event, timestamp
from orders.statuses import OrderStatus

Message = tuple[str, dict[str, Any], datetime]

EVENT_TYPES = (ORDER_STATUS_CHANGED, *(signal.value for signal in Signal))
"""Every type of notification, by the name it travels under."""


def messages(event: Event) -> list[Message]:
    """The notifications that follow from one audit event, each as (type, detail, time), in their order."""
    kinds: list[tuple[str, dict[str, Any]]] = []
    if event.old_status is not event.status:
        kinds.append((ORDER_STATUS_CHANGED, _status_changed(event)))
    for signal, step in event.signals:
        kinds.append((signal.value, {"step": step.value} if step else {}))
    return [(kind, _common(event, kind, position) | more, event.at) for position, (kind, more) in enumerate(kinds)]


def _common(event: Event, kind: str, position: int) -> dict[str, Any]:
    return {
        "event_id": stable_id(event, position),
        "event_type": kind,
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "timestamp": timestamp(event.at),
        "triggered_by": event.by,
        "version": event.version,
    } | ({"reason": event.reason} if event.reason else {})


def _status_changed(event: Event) -> dict[str, Any]:
    change: dict[str, Any] = {"old_status": event.old_status, "new_status": event.status}
    measures = event.measures
    if measures is None:
        return change
    return change | {
        "total": {"amount": measures.total.amount, "currency": measures.total.currency},
        "seconds_in_old_status": measures.status_seconds,
        "step_seconds": dict(measures.step_seconds),
    }


def stable_id(event: Event, position: int) -> str:
    """The id of one of an event's notifications: a UUIDv7 of the change's time, the same each time it is told.

    Version and position come first in what is random elsewhere, so that ids of one moment sort as things happened.
    """
    what = f"{event.order_id}#{event.version}#{position}"
    return uuid7(event.at, bytes([event.version % 16, position]) + hashlib.sha256(what.encode()).digest())


NOTICES: Mapping[OrderStatus, tuple[str, str]] = MappingProxyType(
    {
        OrderStatus.PENDING: ("We have your order", "Thank you! We have received your order {order_id}."),
        OrderStatus.CONFIRMED: ("Your order is confirmed", "Order {order_id} is confirmed. You pay when it is delivered."),
        OrderStatus.PROCESSING: ("We are preparing your order", "We are preparing order {order_id} for its journey."),
        OrderStatus.SHIPPED: ("Your order is on its way", "Order {order_id} has been handed over to the carrier."),
        OrderStatus.DELIVERED: ("Your order has arrived", "Order {order_id} has been delivered. Enjoy!"),
        OrderStatus.CANCELLED: (
            "Your order was cancelled",
            "Order {order_id} was cancelled. If you have paid, the money is on its way back to you.",
        ),
        OrderStatus.RETURNED: (
            "Your return is under way",
            "Order {order_id} has been returned. What you paid is on its way back to you.",
        ),
    }
)
"""What a customer is told, as subject and text."""


def notice(detail: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of the customer's notice for an ``OrderStatusChanged``."""
    subject, text = NOTICES[OrderStatus(detail["new_status"])]
    return subject, text.format(order_id=detail["order_id"])
