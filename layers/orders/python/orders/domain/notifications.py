"""What is published of a committed change (``docs/behavior.md#published-events``): derived from its audit event, ids stable.

An event that is published again has the same id. Each carries the order's version, so that a receiver can sort them: they may
arrive in any order.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orders.domain import sentences
from orders.domain.events import (
    ITEMS_CANCELLED,
    ORDER_STATUS_CHANGED,
    REFUND_STATUS_CHANGED,
    RETURN_STATUS_CHANGED,
    SHIPMENT_STATUS_CHANGED,
    EventType,
    Signal,
)
from orders.domain.facts import NOT_ASKED
from orders.domain.identifiers import uuid7
from orders.domain.money import Money
from orders.domain.order import Event, timestamp
from orders.domain.statuses import TERMINAL, OrderStatus
from orders.domain.tracking_pages import known_name

Message = tuple[str, dict[str, Any], datetime]

EVENT_TYPES = (
    ORDER_STATUS_CHANGED,
    *(signal.value for signal in Signal),
    RETURN_STATUS_CHANGED,
    REFUND_STATUS_CHANGED,
    SHIPMENT_STATUS_CHANGED,
    ITEMS_CANCELLED,
)
"""Every type of notification, by the name it travels under."""


HOW_IT_ENDED = ("cancellation_reason", "method", "payment_status")
"""The facts of an order's end that travel with it."""

_OF_PARCELS = {EventType.PARCEL_SHIPPED, EventType.PARCEL_DELIVERED, EventType.PARCEL_RETURNED, EventType.PARCEL_LOST}
_OF_LAST_PARCELS = {EventType.ORDER_SHIPPED, EventType.ORDER_DELIVERED, EventType.ORDER_RETURNED}


def messages(event: Event) -> list[Message]:
    """The notifications that follow from one audit event, each as (type, detail, time), in their order."""
    kinds: list[tuple[str, dict[str, Any]]] = []
    if event.old_status is not event.status:
        kinds.append((ORDER_STATUS_CHANGED, _status_changed(event)))
    for signal, step in event.signals:
        kinds.append((signal.value, {"step": step.value} if step else {}))
    kinds += [(RETURN_STATUS_CHANGED, one) for one in _returns_changed(event.metadata)]
    kinds += [(REFUND_STATUS_CHANGED, _refund_changed(event))] if "refund_status" in event.metadata else []
    kinds += [(SHIPMENT_STATUS_CHANGED, _parcel_changed(event.metadata))] if _is_of_parcel(event) else []
    kinds += [(ITEMS_CANCELLED, {"items": event.metadata["lines"]})] if event.type is EventType.ITEMS_CANCELLED else []
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
    if event.status in TERMINAL:
        change |= {name: event.metadata[name] for name in HOW_IT_ENDED if name in event.metadata}
    if event.status is OrderStatus.DELIVERED and "lines" not in event.metadata:
        # Of a parcel of some of the goods the order's own times say nothing.
        change |= _carrier(event.metadata)
    measures = event.measures
    if measures is None:
        return change
    return change | {
        "total": {"amount": measures.total.amount, "currency": measures.total.currency},
        "seconds_in_old_status": measures.status_seconds,
        "step_seconds": dict(measures.step_seconds),
    }


def _carrier(facts: Mapping[str, Any]) -> dict[str, str]:
    """A parcel's carrier by the name that it is known by: what people wrote in its place may be anything."""
    written = facts.get("carrier")
    name = known_name(written) if isinstance(written, str) else None
    return {"carrier": name} if name else {}


def _returns_changed(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How far returns have come; the one that the change is about with what it is of, and what has come back of it."""
    names = {"return_id": "return_id", "return_status": "return_status", "items": "return_items", "received": "received"}
    one = {name: facts[fact] for name, fact in names.items() if fact in facts} if "return_status" in facts else None
    return [*([one] if one else []), *(dict(further) for further in facts.get("returns", ()))]


def _refund_changed(event: Event) -> dict[str, Any]:
    """How far a refund has come; with its pieces, and the return that it is for, where it has these."""
    names = {"refund_id": "refund_id", "refund_status": "refund_status", "amount": "amount"}
    names |= {"items": "refunded_items", "return_id": "return_id"}
    return {name: event.metadata[fact] for name, fact in names.items() if fact in event.metadata}


def _is_of_parcel(event: Event) -> bool:
    """Whether a change has moved one of several parcels; what is sent back later moves none of them."""
    is_last = event.type in _OF_LAST_PARCELS and event.old_status is not OrderStatus.DELIVERED
    return "shipment_status" in event.metadata and (event.type in _OF_PARCELS or is_last)


def _parcel_changed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How far a parcel has come, with its pieces and where it can be asked for."""
    names = {"shipment_id": "shipment_id", "shipment_status": "shipment_status", "items": "lines"}
    names |= {"tracking_number": "tracking_number"}
    return {name: facts[fact] for name, fact in names.items() if fact in facts} | _carrier(facts)


def stable_id(event: Event, position: int) -> str:
    """The id of one of an event's notifications: a UUIDv7 of the change's time, the same each time it is published.

    Version and position come first in what is random elsewhere, so that ids of one moment sort as things happened.
    """
    what = f"{event.order_id}#{event.version}#{position}"
    return uuid7(event.at, bytes([event.version % 16, position]) + hashlib.sha256(what.encode()).digest())


def notice(detail: Mapping[str, Any]) -> tuple[str, str] | None:
    """Subject and text of the customer's notice for an ``OrderStatusChanged``; ``None`` for a status of a later release."""
    facts, values = _told(detail)
    found = sentences.find(sentences.NOTICES, facts, values)
    return (found.subject or "", found.says.format_map(values).strip()) if found else None


def _told(detail: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What the table of sentences has to know of a change of status."""
    reason, paid = detail.get("cancellation_reason", sentences.NONE), detail.get("payment_status", sentences.UNTOLD)
    total = detail.get("total")
    ends = detail["new_status"] in (OrderStatus.CANCELLED, OrderStatus.RETURNED)
    facts = {
        "order": detail["new_status"],
        "before": detail["old_status"] or sentences.NONE,
        "way": sentences.Way.UNDONE if ends else sentences.Way.ON,
        "reason": reason,
        "free": sentences.YES if total and not total["amount"] else sentences.NO,
        "payment": sentences.NONE if paid == NOT_ASKED else paid,
        "method": detail.get("method", sentences.NONE),
    }
    values = {
        **sentences.METHODS.get(facts["method"], {}),
        "order_id": detail["order_id"],
        "total": str(Money(total["amount"], total["currency"])) if total else "",
    }
    values["why"] = sentences.say(sentences.WHY_CANCELLED, facts, values) or ""
    values["money"] = sentences.say(sentences.MONEY, facts, values) or ""
    return facts, values
