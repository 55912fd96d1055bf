"""``POST /carriers/{carrier}/events``: what carriers report becomes a fulfillment event on the bus."""

from orders.domain import limits
from orders.domain.errors import NotFound
from orders.services import carrier_reports
from orders.web.handling import Answer, Request, answer, serve
from orders.web.responses import AcceptedView


def receive_event(request: Request) -> Answer:
    """Takes one report, as the carrier has signed it."""
    carrier = request.path.get("carrier", "")
    if carrier not in carrier_reports.SENDERS:
        raise NotFound("There is no carrier with this name.")
    request.bounded(limits.LARGEST_CARRIER_BODY)
    accepted = carrier_reports.receive(carrier, request.body, request.headers, request.query.get("token"))
    body: AcceptedView = {"accepted": accepted}
    return answer(body)


handler = serve({"POST /carriers/{carrier}/events": receive_event})
