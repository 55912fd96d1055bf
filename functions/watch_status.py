"""Watching one order: its progress, and the stream of its changes. Open to tracking links, so it verifies callers itself."""

from orders import settings
from orders.domain.errors import Unauthenticated
from orders.domain.order import Snapshot
from orders.services import estimates, reading
from orders.services.changes import utc_now
from orders.web import identity, links, sse
from orders.web.handling import Answer, Request, answer, serve
from orders.web.progress_views import progress_view


def get_progress(request: Request) -> Answer:
    """The saga's progress, from the order and its parcel: one read."""
    snapshot, now = _watched(request), utc_now()
    timed = settings.delivery_is_timed()
    progress = progress_view(snapshot, estimates.history(now), settings.waits(), now, timed=timed)
    return answer(progress, version=snapshot.order.version)


def stream_progress(request: Request) -> Answer:
    """What has happened since the caller last looked, as Server-Sent Events."""
    return sse.answer(_watched(request), request.headers.get("last-event-id"), utc_now())


def _watched(request: Request) -> Snapshot:
    link = request.query.get("token")
    if link is not None and request.principal is None:
        links.check(request, link)
        return reading.to_show(request.order_id)
    if request.principal is None:
        raise Unauthenticated("Send a bearer token, or the token of a tracking link.")
    snapshot = reading.to_show(request.order_id)
    request.may_touch(snapshot.order.customer_id)
    return snapshot


handler = serve(
    {"GET /orders/{id}/status": get_progress, "GET /orders/{id}/status/stream": stream_progress},
    identify=identity.caller_of,
)
