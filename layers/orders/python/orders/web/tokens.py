"""Signed texts that are returned to clients and come back: list cursors and tracking links.

Each purpose signs with its own prefix, so that a cursor is never taken for a tracking token.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import OrderId

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


def cursor(place: str, scope: str, key: bytes) -> str:
    """An opaque cursor to a place of one list; ``scope`` is the list's filter."""
    return seal("cursor", [scope, place], key)


def place_of(text: str, scope: str, key: bytes) -> str:
    """The place a cursor leads to; raises ``InvalidArgument`` for one that is forged or belongs to another list."""
    try:
        stored_scope, place = unseal("cursor", text, key)
    except (ValueError, TypeError):
        raise InvalidArgument.of("cursor", "was not issued by this API") from None
    if stored_scope != scope:
        raise InvalidArgument.of("cursor", "belongs to a list with another filter")
    return str(place)


def tracking_token(order_id: OrderId, placed_at: datetime, key: bytes) -> str:
    """Opens one order's tracking page and status stream, for ninety days from when it was placed."""
    return seal("tracking", [order_id, int((placed_at + TRACKING_LIFETIME).timestamp())], key)


def check_tracking_token(text: str, order_id: OrderId, now: datetime, key: bytes) -> None:
    """Raises ``PermissionDenied`` unless the token opens this very order now."""
    try:
        opened, expires = unseal("tracking", text, key)
    except (ValueError, TypeError):
        raise PermissionDenied("This tracking link is not valid.") from None
    if opened != order_id or now.timestamp() >= expires:
        raise PermissionDenied("This tracking link has expired or belongs to another order.")
