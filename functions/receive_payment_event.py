"""``POST /payments/{provider}/events``: what payment providers report becomes an event of the bus."""

from orders.domain import limits
from orders.domain.errors import NotFound
from orders.services import payment_receipts
from orders.web.handling import Answer, Request, answer, serve
from orders.web.responses import AcceptedView


def receive_event(request: Request) -> Answer:
    """Takes one webhook, as the provider has signed it."""
    provider = request.path.get("provider", "")
    if provider not in payment_receipts.SENDERS:
        raise NotFound("There is no payment provider with this name.")
    request.bounded(limits.LARGEST_PROVIDER_BODY)
    body: AcceptedView = {"accepted": payment_receipts.receive(provider, request.body, request.headers)}
    return answer(body)


handler = serve({"POST /payments/{provider}/events": receive_event})
