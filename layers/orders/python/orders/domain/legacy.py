"""What edition one wrote into rows by rules or in words of its own, kept for as long as those rows are: see
``docs/decisions/012-releases-meet-in-the-table.md``.

Nothing here follows what the rest of the package becomes. Names that have changed since are kept as they were then.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from orders.domain.identifiers import fingerprint

STEPS = ("Inventory Reservation", "Manual Review", "Payment Processing", "Shipping Arrangement", "Delivery")
"""Whose steps the rows of an order's ``steps`` are, by their places."""

START_FULFILLMENT = "start_fulfilment"
"""The follow-up of an audit event that starts the order's workflow, as its attribute ``follow_up`` has it."""
IDEMPOTENCY_RECORD = "promise"
"""The ``kind`` of the record of an idempotency key."""
CATALOG_PARTITION = "CATALOGUE"
"""The partition of the index that lists all products; permissions in ``template.yaml`` name it too."""
COUNTER_SHARD = "LANE#"
"""Begins the sort key of each shard of the counters."""

_SHIPMENT_STATUS: Mapping[str, str] = MappingProxyType(
    {"AVAILABLE_FOR_PICKUP": "OUT_FOR_DELIVERY", "ATTEMPTED": "FAILED", "LOST": "FAILED", "RETURNING": "FAILED"}
)
"""What edition one reads in place of a parcel's status that it does not have. None of them moves an order or money there."""

_PAYMENT_STATUS: Mapping[str, str] = MappingProxyType(
    {"REQUIRES_ACTION": "PROCESSING", "AUTHORIZED": "PROCESSING", "PARTIALLY_REFUNDED": "COMPLETED", "VOIDED": "FAILED"}
)
"""What edition one reads in place of a payment's status that it does not have: it refunds or voids what it should."""

EVENT_TYPES = frozenset(
    {
        *("ORDER_PLACED", "STOCK_RESERVED", "APPROVAL_REQUESTED", "ORDER_APPROVED", "ORDER_REJECTED", "ORDER_CONFIRMED"),
        *(
            "PAYMENT_STARTED",
            "PAYMENT_COMPLETED",
            "PREPARATION_STARTED",
            "HANDOVER_STARTED",
            "ORDER_SHIPPED",
            "DELIVERY_AWAITED",
        ),
        *("LOCATION_UPDATED", "DELIVERY_OVERDUE", "ORDER_DELIVERED", "ADDRESS_CHANGED", "FULFILLMENT_RECORDED"),
        *("FULFILLMENT_REFUSED", "STEP_FAILED", "ORDER_CANCELLED", "ORDER_RETURNED", "SHIPMENT_RECALLED", "PAYMENT_REFUNDED"),
        *("PAYMENT_VOIDED", "STOCK_RELEASED", "UNWINDING_COMPLETED", "WORKFLOW_RESTARTED", "PERSONAL_DATA_ERASED"),
    }
)
"""The types of audit events that edition one has."""
NEAREST_EVENT_TYPE = "FULFILLMENT_RECORDED"
"""What edition one reads in place of any other type: something was recorded, and nothing follows from it."""

PAYMENT_PROVIDER, AT_THE_DOOR = "simulated", "cash"
"""The provider of payments whose rows name none: the one that was built in, or for cash our own people."""

_ORDER = {"order_id", "customer_id", "items", "payment", "shipping_address", "require_approval"}
_ITEM = {"product_id", "quantity"}
_PAYMENT = {"method", "token"}
_ADDRESS = ("name", "line1", "line2", "city", "postal_code", "country")


def shipment_status(status: str) -> str:
    """The status of a parcel, or the nearest one that edition one has."""
    return _SHIPMENT_STATUS.get(status, status)


def exact_shipment_status(status: str, exact: str | None) -> str:
    """The status of a parcel that stands in ``status`` as edition one reads it, and exactly in ``exact``, if it does.

    Edition one moves ``status`` and leaves ``exact`` behind or drops it: it counts while the two agree.
    """
    return exact if exact is not None and shipment_status(exact) == status else status


def payment_status(status: str) -> str:
    """The status of a payment, or the nearest one that edition one has."""
    return _PAYMENT_STATUS.get(status, status)


def exact_payment_status(status: str, exact: str | None) -> str:
    """The status of a payment, as ``exact_shipment_status`` has it for a parcel."""
    return exact if exact is not None and payment_status(exact) == status else status


def event_type(kind: str) -> str:
    """The type of an audit event, or the one that edition one reads in its place."""
    return kind if kind in EVENT_TYPES else NEAREST_EVENT_TYPE


def digest_of_order(body: Mapping[str, Any]) -> str | None:
    """Edition one's digest of a valid body of ``POST /orders``; ``None`` for a body with members that it did not know.

    It digested the model: members left out stood there with their defaults, texts without white space around them.
    """
    payment, address, items = body.get("payment"), body.get("shipping_address"), body.get("items")
    if not isinstance(payment, dict) or not isinstance(address, dict) or not isinstance(items, list):
        return None
    known = body.keys() <= _ORDER and payment.keys() <= _PAYMENT and address.keys() <= set(_ADDRESS)
    if not known or any(not isinstance(item, dict) or item.keys() != _ITEM for item in items):
        return None
    model = {
        "order_id": body.get("order_id"),
        "customer_id": body.get("customer_id"),
        "items": items,
        "payment": {"method": payment.get("method"), "token": payment.get("token")},
        "shipping_address": {name: _stripped(address.get(name)) for name in _ADDRESS},
        "require_approval": body.get("require_approval", False),
    }
    return fingerprint(json.dumps(model, sort_keys=True))


def _stripped(text: Any) -> Any:
    return text.strip() if isinstance(text, str) else text
