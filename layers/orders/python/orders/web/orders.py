"""One order as a response."""

from collections.abc import Mapping
from http import HTTPStatus

from orders.domain.order import Snapshot
from orders.services import allowed
from orders.services.changes import utc_now
from orders.web import links
from orders.web.handling import Answer, Request, answer
from orders.web.routes import ROUTES
from orders.web.views import Audience, snapshot_view


def _allowed(request: Request, snapshot: Snapshot) -> list[str]:
    """The operations that this caller may ask of the order now, as the API's description calls them."""
    customer_id = snapshot.order.customer_id
    routes = (ROUTES[key] for key in allowed.routes(snapshot, utc_now()))
    return [route.operation for route in routes if request.may_use(route, customer_id)]


def order_answer(
    request: Request, snapshot: Snapshot, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Answer:
    """An order with its payment and shipment as the caller may see it, and, but for carriers, its tracking link."""
    order = snapshot.order
    body = snapshot_view(snapshot, request.audience)
    if request.audience is not Audience.CARRIER:
        body["tracking_url"] = links.tracking_url(order)
    body["allowed_actions"] = _allowed(request, snapshot)
    return answer(body, status, headers, version=order.version)
