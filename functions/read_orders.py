"""Reading orders: one, a list, an audit trail."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote

from orders import settings
from orders.domain import limits
from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import CustomerId, TrackingNumber, comparable
from orders.domain.order import moment, timestamp
from orders.domain.status_names import (
    parse_dispute_status,
    parse_event_type,
    parse_payment_status,
    parse_return_status,
    parse_shortage_status,
    parse_status,
)
from orders.services import listing, mails, reading
from orders.services.changes import utc_now
from orders.services.listing import Part
from orders.web import pagination
from orders.web.handling import DEPRECATED_SINCE, Answer, Request, answer, serve
from orders.web.mail_views import MailListView, mail_view
from orders.web.orders import order_answer
from orders.web.views import OrderListView, history_view, listed_view

USUAL_PAGE, LARGEST_PAGE = 20, 100
FILTERS = (
    *("customer_id", "status", "external_id", "email", "tracking_number", "payment_status"),
    *("created_after", "created_before", "sort"),
)
EMAIL = rf"(?=.{{3,{limits.LONGEST_EMAIL}}}$){limits.EMAIL}"
TRACKING_NUMBER = rf"{limits.PRINTED}{{1,{limits.LONGEST_TRACKING_NUMBER}}}"
OLDEST_FIRST = "created_at"
SORTS = (f"-{OLDEST_FIRST}", OLDEST_FIRST)
RETURN_STATUS, DISPUTE_STATUS, SHORTAGE_STATUS = "return_status", "dispute_status", "shortage_status"
TO_SHIP = "to_ship"


def _is_to_ship(text: str) -> str:
    if text != "true":
        raise InvalidArgument.of(TO_SHIP, "must be true")
    return text


def _to_ship(_: str, limit: int, after: str | None, expand: listing.Expand) -> listing.Page:
    return listing.to_ship_page(utc_now(), limit, after, expand)


QUEUES: dict[str, tuple[Callable[[str], str], Callable[..., listing.Page]]] = {
    RETURN_STATUS: (parse_return_status, listing.page_by_return),
    DISPUTE_STATUS: (parse_dispute_status, listing.page_by_dispute),
    SHORTAGE_STATUS: (parse_shortage_status, listing.page_by_shortage),
    TO_SHIP: (_is_to_ship, _to_ship),
}
"""The queues of the desk, by the parameter that asks for one: how its status is read, and its pages."""
OVERDUE = "overdue"
"""The scope of the list of overdue orders."""


def get_order(request: Request) -> Answer:
    """The order with its payment and shipment."""
    snapshot = reading.to_show(request.order_id)
    request.may_touch(snapshot.order.customer_id)
    return order_answer(request, snapshot)


def get_history(request: Request) -> Answer:
    """The order's audit trail."""
    order = reading.order_to_show(request.order_id)
    request.may_touch(order.customer_id)
    trail = reading.history(order.order_id)
    if "event_type" in request.query:
        wanted = parse_event_type(request.query["event_type"])
        trail = [event for event in trail if event.type is wanted]
    return answer(history_view(order.order_id, trail, request.audience), version=order.version)


def list_mails(request: Request) -> Answer:
    """The mails to the order's customer."""
    order = reading.order_to_show(request.order_id)
    body: MailListView = {"order_id": order.order_id, "mails": [mail_view(one) for one in mails.of_order(order.order_id)]}
    return answer(body)


def list_orders(request: Request) -> Answer:
    """Orders by time: their own for customers, anybody's for staff and shops, who may ask for the overdue ones."""
    if "overdue" in request.query:
        return list_overdue(request)
    if queue := next((name for name in QUEUES if name in request.query), None):
        return list_queue(request, queue)
    wanted, deprecated = _wanted(request)
    expand = _expand(request)
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    scope = _scope(name_of(wanted), expand)
    page = listing.page(wanted, limit, pagination.place(request, scope), expand)
    return _list(request, page, scope, expand, {"deprecation": DEPRECATED_SINCE} if deprecated else {})


def list_overdue(request: Request) -> Answer:
    """Overdue orders, longest overdue first."""
    if not request.caller.acts_for_anyone:
        raise PermissionDenied("Only staff and shops can ask for overdue orders.")
    request.text("overdue", "true")
    if others := [name for name in (*FILTERS, *QUEUES) if name in request.query]:
        raise InvalidArgument.of("overdue", f"cannot be combined with {', '.join(others)}")
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    transit = None if settings.delivery_is_timed() else timedelta(seconds=settings.waits().delivery)
    expand = _expand(request)
    scope = _scope(OVERDUE, expand)
    page = listing.overdue_page(utc_now(), limit, pagination.place(request, scope), transit, expand)
    return _list(request, page, scope, expand)


def list_queue(request: Request, name: str) -> Answer:
    """Orders with a return, a dispute or a shortage of a status, newest first; or those to be shipped, oldest first."""
    if not request.caller.acts_for_anyone:
        raise PermissionDenied(f"Only staff and shops can ask for orders by {name}.")
    if others := [one for one in (*FILTERS, *QUEUES) if one in request.query and one != name]:
        raise InvalidArgument.of(name, f"cannot be combined with {', '.join(others)}")
    parse, page = QUEUES[name]
    status = parse(request.query[name])
    limit = request.number("limit", USUAL_PAGE, LARGEST_PAGE)
    expand = _expand(request)
    scope = _scope(f"{name}/{status}", expand)
    return _list(request, page(status, limit, pagination.place(request, scope), expand), scope, expand)


def _wanted(request: Request) -> tuple[listing.Filter, bool]:
    """The customer, the status, and whether the status was given by a deprecated name."""
    caller = request.caller
    asked = request.foreign_id("customer_id")
    customer_id = CustomerId(asked) if asked is not None else None
    if not caller.acts_for_anyone:
        if customer_id not in (None, caller.subject):
            raise PermissionDenied("You can list your own orders only.")
        customer_id = caller.subject
    status, deprecated = parse_status(request.query["status"]) if "status" in request.query else (None, False)
    paid = request.query.get("payment_status")
    wanted = listing.Filter(
        customer_id,
        status,
        request.foreign_id("external_id"),
        parse_payment_status(paid) if paid is not None else None,
        _moment(request, "created_after"),
        _moment(request, "created_before"),
        TrackingNumber(number) if (number := request.text("tracking_number", TRACKING_NUMBER)) else None,
        request.text("email", EMAIL),
        request.text("sort", "|".join(SORTS)) == OLDEST_FIRST,
    )
    return wanted, deprecated


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        if re.fullmatch(limits.RFC_3339, text, re.ASCII):
            return moment(text.upper())
    except (ValueError, OverflowError):
        pass
    raise InvalidArgument.of(name, "must be a time with an offset (RFC 3339), such as 2026-11-20T12:00:00Z")


def name_of(wanted: listing.Filter) -> str:
    """A list by its filter. Ids are quoted, as they may have what stands between the parts; plain ones look as they are."""
    customer = quote(wanted.customer_id, safe=":@|+") if wanted.customer_id is not None else "*"
    further = {
        "external_id": wanted.external_id,
        "email": wanted.email and wanted.email.casefold(),
        "tracking_number": wanted.tracking_number and comparable(wanted.tracking_number),
        "payment_status": wanted.payment_status,
        "created_after": wanted.created_after and timestamp(wanted.created_after),
        "created_before": wanted.created_before and timestamp(wanted.created_before),
        "sort": OLDEST_FIRST if wanted.oldest_first else None,
    }
    rest = "".join(f"&{name}={quote(value, safe='')}" for name, value in further.items() if value)
    return f"{customer}/{wanted.status or '*'}{rest}"


def _expand(request: Request) -> listing.Expand:
    """The parts requested with each order: names separated by commas."""
    text = request.query.get("expand")
    if text is None:
        return listing.NOTHING
    try:
        return frozenset(Part(name) for name in text.split(","))
    except ValueError:
        raise InvalidArgument.of("expand", f"must be one or several of {', '.join(Part)}, with commas between them") from None


def _scope(name: str, expand: listing.Expand) -> str:
    """What a cursor is bound to: the list by its name, and what is shown of each order."""
    return f"{name}/{','.join(sorted(expand))}" if expand else name


def _list(
    request: Request, page: listing.Page, scope: str, expand: listing.Expand, headers: dict[str, str] | None = None
) -> Answer:
    parts = {"payment": Part.PAYMENT in expand, "shipments": Part.SHIPMENTS in expand}
    orders = [listed_view(found, request.audience, **parts) for found in page.found]
    body: OrderListView = {"orders": orders, "next_cursor": pagination.cursor(page.following, scope)}
    return answer(body, headers=headers)


handler = serve(
    {
        "GET /orders": list_orders,
        "GET /orders/{id}": get_order,
        "GET /orders/{id}/history": get_history,
        "GET /orders/{id}/mails": list_mails,
    }
)
