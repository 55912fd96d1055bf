"""Signed texts that only we can have written, and the tracking links that are made of them.

Each purpose signs with its own prefix, so that a list's cursor is never taken for a tracking token.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from orders.domain.identifiers import OrderId
from orders.domain.order import Order
from orders.services import keys

TRACKING_LIFETIME = timedelta(days=90)


def seal(purpose: str, value: Any, key: bytes) -> str:
    """A text that only the holder of the key can have written."""
    payload = base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=")
    return f"{payload.decode()}.{_signature(purpose, payload, key)}"


def unseal(purpose: str, text: str, key: bytes) -> Any:
    """What ``seal`` was given; raises ``ValueError`` for anything it has not written for this purpose."""
    payload, _, signature = text.partition(".")
    encoded = payload.encode()
    if not hmac.compare_digest(_signature(purpose, encoded, key).encode(), signature.encode()):
        raise ValueError("not signed by us")
    return json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))


def _signature(purpose: str, payload: bytes, key: bytes) -> str:
    digest = hmac.digest(key, purpose.encode() + b"." + payload, hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:24]).decode()


def tracking_token(order_id: OrderId, placed_at: datetime, key: bytes) -> str:
    """Opens one order's tracking page and status stream, for ninety days from when it was placed."""
    return seal("tracking", [order_id, int((placed_at + TRACKING_LIFETIME).timestamp())], key)


def tracking_path(order: Order) -> str:
    """The path that opens the order's tracking page."""
    return f"/track/{order.order_id}?token={tracking_token(order.order_id, order.created_at, keys.signing_key())}"
