"""List cursors and tracking tokens as they come back from clients, checked."""

from datetime import datetime

from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import OrderId
from orders.services.tracking_links import TRACKING_LIFETIME, seal, tracking_token, unseal

__all__ = ["TRACKING_LIFETIME", "check_tracking_token", "cursor", "place_of", "seal", "tracking_token", "unseal"]


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


def check_tracking_token(text: str, order_id: OrderId, now: datetime, key: bytes) -> None:
    """Raises ``PermissionDenied`` unless the token opens this very order now."""
    try:
        opened, expires = unseal("tracking", text, key)
    except (ValueError, TypeError):
        raise PermissionDenied("This tracking link is not valid.") from None
    if opened != order_id or now.timestamp() >= expires:
        raise PermissionDenied("This tracking link has expired or belongs to another order.")
