"""Watching one order: its progress, and the stream of its changes. Open to tracking links, so it knows its callers itself."""

from orders import estimates, identity, secrets, settings, stream, tokens
from orders.changes import utc_now
from orders.errors import Unauthenticated
from orders.http import Answer, Request, answer, serve
from orders.order import Order
from orders.store import load_order
from orders.views import progress_view


def get_progress(request: Request) -> Answer:
    """The saga's progress, from the order's own item: one read."""
    order = _watched(request)
    now = utc_now()
    return answer(progress_view(order, estimates.history(now), settings.waits(), now), version=order.version)


def stream_progress(request: Request) -> Answer:
    """What has happened since the caller last looked, as Server-Sent Events."""
    order = _watched(request)
    return stream.answer(order, request.headers.get("last-event-id"), utc_now())


def _watched(request: Request) -> Order:
    link = request.query.get("token")
    if link is not None and request.principal is None:
        tokens.check_tracking_token(link, request.order_id, utc_now(), secrets.signing_key())
        return load_order(request.order_id, to_show=True)
    if request.principal is None:
        raise Unauthenticated("Send a bearer token, or the token of a tracking link.")
    order = load_order(request.order_id, to_show=True)
    request.may_touch(order.customer_id)
    return order


handler = serve(
    {"GET /orders/{id}/status": get_progress, "GET /orders/{id}/status/stream": stream_progress},
    identify=identity.caller_of,
)
