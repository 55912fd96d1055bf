"""What is left of an order once its customer's personal data has been erased: the one place that says which words go.

Amounts, products, statuses, times and ids stay: accounts need them. What people, carriers and warehouses wrote goes, in the
rows as they are and in every change that is written after the erasure.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from orders.domain import facts
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT
from orders.domain.order import Address, Change, Event, Order, Payment, Shipment
from orders.domain.statuses import FULFILLMENT_MEANS, SCAN_MEANS, CancelReason

ERASED = "(erased)"

_TIME = re.compile(r"[0-9T:.-]+Z", re.ASCII)

_KEPT: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "cancellation_reason": lambda value: isinstance(value, str) and value in set(CancelReason),
        "delivered_at": lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None,
        "fulfillment_status": lambda value: value in {*FULFILLMENT_MEANS, *SCAN_MEANS.values()},
        "reported_at": lambda _: True,
        "tracking_number": lambda _: True,
    }
)
"""The metadata of an audit event that stays, and what it may say: the pipeline's own words, times and the parcel's number."""

_OWN = frozenset({"expires_at"})
"""What stays as well where no outside event may have brought it."""


def redacted(change: Change) -> Change:
    """A change of an erased order, as it may be written."""
    return replace(
        change,
        order=redacted_order(change.order),
        event=redacted_event(change.event),
        payment=change.payment and redacted_payment(change.payment),
        shipment=change.shipment and redacted_shipment(change.shipment),
    )


def redacted_order(order: Order) -> Order:
    """The order without who it was for, where it went and what was said about it."""
    # The country stays: which tax was due depends on it.
    address = Address(ERASED, ERASED, ERASED, ERASED, order.shipping_address.country)
    cancellation, approval = order.cancellation, order.approval
    return replace(
        order,
        shipping_address=address,
        payment_token=None,
        steps=tuple(replace(step, error_message=_without(step.error_message)) for step in order.steps),
        cancellation=cancellation and replace(cancellation, note=_without(cancellation.note)),
        approval=approval and replace(approval, reason=_without(approval.reason)),
    )


def redacted_event(event: Event) -> Event:
    """An audit event without its reason, and with what is not personal of its metadata."""
    by_others = event.by == FULFILLMENT or event.by.startswith(CARRIER_PREFIX)
    kept = {name: value for name, value in event.metadata.items() if _stays(name, value, by_others=by_others)}
    return replace(event, reason=_without(event.reason), metadata=kept)


def _stays(name: str, value: Any, *, by_others: bool) -> bool:
    """Whether a fact of an event may stay. What others report may use the names of our own facts for words of theirs."""
    return (name in _KEPT and _KEPT[name](value)) or (not by_others and (name in _OWN or facts.is_impersonal(name, value)))


def redacted_payment(payment: Payment) -> Payment:
    """A payment without the provider's words."""
    return replace(payment, failure_reason=_without(payment.failure_reason))


def redacted_shipment(shipment: Shipment) -> Shipment:
    """A parcel without the places it was seen at and the carrier's words."""
    scans = tuple(replace(one, location=None, message=None) for one in shipment.scans)
    return replace(shipment, carrier=ERASED, current_location=_without(shipment.current_location), scans=scans)


def _without(words: str | None) -> str | None:
    return ERASED if words else None


def redacted_payload(payload: str) -> str:
    """The text of a webhook's delivery without the words in it; every event that has any has them as its ``reason``."""
    told = json.loads(payload)
    if "reason" not in told["data"]:
        return payload
    return json.dumps({**told, "data": {**told["data"], "reason": ERASED}}, separators=(",", ":"))
