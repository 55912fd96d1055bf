"""Reading orders: one, a list, an audit trail."""

from datetime import timedelta

from orders import settings
from orders.adapters import secrets
from orders.adapters.store import orders
from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import CustomerId
from orders.domain.status_names import parse_status
from orders.services.changes import utc_now
from orders.web import listing
from orders.web.http import DEPRECATED_SINCE, Answer, Request, answer, order_answer, serve
from orders.web.listing import Part
from orders.web.views import history_view, listed_view

USUAL_PAGE, LARGEST_PAGE = 20, 100


def get_order(request: Request) -> Answer:
    """The order with its payment and shipment."""
    snapshot = orders.load(request.order_id, to_show=True)
    request.may_touch(snapshot.order.customer_id)
    return order_answer(request, snapshot)


def get_history(request: Request) -> Answer:
    """The order's audit trail."""
    order = orders.load_order(request.order_id, to_show=True)
    request.may_touch(order.customer_id)
    return answer(history_view(order.order_id, orders.history(order.order_id), request.audience), version=order.version)


def list_orders(request: Request) -> Answer:
    """Orders, newest first: their own for customers, anybody's for staff. Staff may ask for the overdue ones."""
    if "overdue" in request.query:
        return list_overdue(request)
    caller = request.caller
    asked = request.text("customer_id", r"[A-Za-z0-9][A-Za-z0-9._:@|+-]{0,127}")
    customer_id = CustomerId(asked) if asked is not None else None
    if not caller.is_staff:
        if customer_id not in (None, caller.subject):
            raise PermissionDenied("You can list your own orders only.")
        customer_id = caller.subject
    status, deprecated = None, False
    if "status" in request.query:
        status, deprecated = parse_status(request.query["status"])
    wanted, expand = listing.Filter(customer_id, status), _expand(request)
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    page = listing.page(wanted, limit, request.query.get("cursor"), secrets.signing_key(), expand)
    headers = {"deprecation": DEPRECATED_SINCE} if deprecated else {}
    return _list(request, page, expand, headers)


def list_overdue(request: Request) -> Answer:
    """Orders nothing has happened to in the time it should have taken, longest overdue first."""
    if not request.caller.is_staff:
        raise PermissionDenied("Only staff can ask for overdue orders.")
    request.text("overdue", "true")
    if {"customer_id", "status"} & set(request.query):
        raise InvalidArgument.of("overdue", "cannot be combined with customer_id or status")
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    transit = None if settings.delivery_is_timed() else timedelta(seconds=settings.waits().delivery)
    cursor, expand = request.query.get("cursor"), _expand(request)
    page = listing.overdue_page(utc_now(), limit, cursor, secrets.signing_key(), transit, expand)
    return _list(request, page, expand)


def _expand(request: Request) -> listing.Expand:
    """What is asked for beside each order: names with commas between them."""
    text = request.query.get("expand")
    if text is None:
        return listing.NOTHING
    try:
        return frozenset(Part(name) for name in text.split(","))
    except ValueError:
        raise InvalidArgument.of("expand", f"must be one or several of {', '.join(Part)}, with commas between them") from None


def _list(request: Request, page: listing.Page, expand: listing.Expand, headers: dict[str, str] | None = None) -> Answer:
    parts = {"payment": Part.PAYMENT in expand, "shipments": Part.SHIPMENTS in expand}
    body = {"orders": [listed_view(found, request.audience, **parts) for found in page.found], "next_cursor": page.next_cursor}
    return answer(body, headers=headers)


handler = serve({"GET /orders": list_orders, "GET /orders/{id}": get_order, "GET /orders/{id}/history": get_history})
