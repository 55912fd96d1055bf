"""``POST /orders``: place an order. The follow-up of the change starts its workflow."""

import json
from http import HTTPStatus

from orders.domain import digests
from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import CustomerId
from orders.services import placing
from orders.web import order_bodies
from orders.web.callers import Principal
from orders.web.handling import REPLAYED, Answer, Request, serve
from orders.web.orders import order_answer


def place_order(request: Request) -> Answer:
    """Places the order for the caller, or for the customer that a member of staff or a shop names."""
    body = request.parse(order_bodies.PlaceOrder)
    caller = request.caller
    customer_id = _customer(caller, body.customer_id)
    if body.pricing is not None and not caller.is_shop:
        errors = [{"field": "pricing", "message": "is for shops only"}]
        raise PermissionDenied("Only a shop's system sends prices.", errors=errors)
    key = request.idempotency_key
    digest = digests.of_order(json.loads(request.body)) if key else None
    snapshot, is_new = placing.place_order(body.order_request(customer_id), caller.actor, key, digest)
    headers = {"location": f"/orders/{snapshot.order.order_id}"} | ({} if is_new else REPLAYED)
    return order_answer(request, snapshot, HTTPStatus.ACCEPTED, headers)


def _customer(caller: Principal, named: CustomerId | None) -> CustomerId:
    """Whose order it is: the caller's own, if nobody else is named."""
    if named is None and caller.is_shop:
        raise InvalidArgument.of("customer_id", "is missing: a shop names the customer that it orders for")
    if named not in (None, caller.subject) and not caller.acts_for_anyone:
        raise PermissionDenied("You can order for yourself only.")
    return named or caller.subject


handler = serve({"POST /orders": place_order})
