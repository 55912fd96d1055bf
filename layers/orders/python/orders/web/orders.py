"""One order as a response."""

from collections.abc import Mapping
from http import HTTPStatus

from orders.domain.order import Snapshot
from orders.web import links
from orders.web.handling import Answer, Request, answer
from orders.web.views import Audience, snapshot_view


def order_answer(
    request: Request, snapshot: Snapshot, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """An order with its payment and shipment as the caller may see it, and, but for carriers, its tracking link."""
    order = snapshot.order
    body = snapshot_view(snapshot, request.audience)
    if request.audience is not Audience.CARRIER:
        body["tracking_url"] = links.tracking_url(order)
    return answer(body, status, headers, version=order.version)
