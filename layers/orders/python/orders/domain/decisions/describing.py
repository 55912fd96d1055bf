"""What is said of an order besides what is ordered: its external id, contact, metadata and note."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from orders.domain import facts, limits, recording
from orders.domain.address import Contact
from orders.domain.errors import InvalidArgument
from orders.domain.events import EventType
from orders.domain.order import Change, Order, Snapshot


def change_details(snapshot: Snapshot, patch: Mapping[str, Any], now: datetime, by: str) -> Change | None:
    """Merges what was sent into what is there (RFC 7396); ``None`` when the order already says so."""
    order = snapshot.order
    merged: dict[str, Any] = {name: _MERGED[name](order, value) if name in _MERGED else value for name, value in patch.items()}
    after = replace(order, **merged)
    if after == order:
        return None
    return recording.change(order, after, EventType.DETAILS_CHANGED, now, by, metadata=facts.of_details(order, after))


def _contact(order: Order, sent: Mapping[str, str | None] | None) -> Contact | None:
    after = replace(order.contact or Contact(), **sent) if sent is not None else Contact()
    return after if after != Contact() else None


def _metadata(order: Order, sent: Mapping[str, str | None] | None) -> Mapping[str, str]:
    merged = {**order.metadata, **sent} if sent is not None else {}
    after = {name: value for name, value in merged.items() if value is not None}
    if len(after) > limits.MOST_METADATA or len(json.dumps(after, ensure_ascii=False).encode()) > limits.LARGEST_METADATA:
        most = f"{limits.MOST_METADATA} entries and {limits.LARGEST_METADATA} bytes"
        raise InvalidArgument.of("metadata", f"would have more than {most} with those that are there")
    return after


_MERGED: Mapping[str, Callable[[Order, Any], Any]] = {"contact": _contact, "metadata": _metadata}
