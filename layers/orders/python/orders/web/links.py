"""Tracking links: made for those who may see the order, and checked when one is opened."""

from orders.domain.order import Order
from orders.services import keys, tracking_links
from orders.services.changes import utc_now
from orders.web import tokens
from orders.web.handling import Request


def tracking_url(order: Order) -> str:
    """The path that opens the order's tracking page."""
    return tracking_links.tracking_path(order)


def check(request: Request, token: str) -> None:
    """Raises ``PermissionDenied`` unless the token opens the order that the request names, now."""
    tokens.check_tracking_token(token, request.order_id, utc_now(), keys.signing_key())
