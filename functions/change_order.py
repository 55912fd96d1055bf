"""Changing an order by request: customers and support cancel, return, change the address; support reviews and corrects."""

from collections.abc import Callable

from orders.domain.actors import Actor
from orders.domain.decisions import returning as decisions
from orders.domain.digests import KeyedCall
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot
from orders.domain.status_names import parse_status
from orders.services import commands, holding, reading, refunding, returning
from orders.services.changes import SeenAt
from orders.services.once import once
from orders.web import bodies, details, return_bodies
from orders.web.handling import DEPRECATED_SINCE, REPLAYED, Answer, Operation, Request, serve
from orders.web.orders import order_answer

Change = Callable[[OrderId, Actor, str | None, SeenAt], Snapshot]
"""A command whose only argument is an optional reason."""
RefundChange = Callable[[OrderId, str, Actor, SeenAt], Snapshot]
"""A command on one refund."""


def _admitted(request: Request) -> tuple[OrderId, Actor]:
    """The order and the caller, after the check that the caller may change the order."""
    order = reading.order(request.order_id)
    request.may_touch(order.customer_id)
    return order.order_id, request.caller.actor


def explained(change: Change) -> Operation:
    """The operation behind a route whose body is nothing but an optional reason."""

    def operation(request: Request) -> Answer:
        reason, call = request.parse(bodies.WithReason).reason, request.call
        order_id, actor = _admitted(request)
        return _once(request, call, lambda: change(order_id, actor, reason, SeenAt(request.if_match, call=call)))

    return operation


def _once(request: Request, call: KeyedCall | None, change: Callable[[], Snapshot]) -> Answer:
    """The order after the change; for a repetition under its idempotency key, the order as it is now."""
    snapshot, is_new = once(call, change, lambda record: reading.to_show(OrderId(record.result)))
    return order_answer(request, snapshot, headers=None if is_new else REPLAYED)


def change_address(request: Request) -> Answer:
    """Changes the address."""
    address = request.parse(details.AddressBody).address()
    return order_answer(request, commands.change_address(*_admitted(request), address, SeenAt(request.if_match)))


def change_details(request: Request) -> Answer:
    """Changes the external id, contact, metadata or note."""
    patch = request.parse(bodies.PatchOrder).patch()
    order_id, actor = _admitted(request)
    return order_answer(request, commands.change_details(order_id, actor, patch, SeenAt(request.if_match)))


def amend(request: Request) -> Answer:
    """Takes what is there of a short order."""
    request.parse(bodies.Empty)
    call = request.call
    order_id, actor = _admitted(request)
    return _once(request, call, lambda: commands.amend(order_id, actor, SeenAt(request.if_match, call=call)))


def set_status(request: Request) -> Answer:
    """Sets the status by hand."""
    body = request.parse(bodies.SetStatus)
    wanted, deprecated = parse_status(body.status)
    order_id, actor = _admitted(request)
    snapshot = commands.set_status(order_id, wanted, actor, SeenAt(request.if_match, body.reason))
    return order_answer(request, snapshot, headers={"deprecation": DEPRECATED_SINCE} if deprecated else None)


def cancel(request: Request) -> Answer:
    """Cancels the order, or some pieces of it."""
    body, call = request.parse(bodies.CancelOrder), request.call
    order_id, actor = _admitted(request)
    seen = SeenAt(request.if_match, call=call)
    return _once(request, call, lambda: commands.cancel(order_id, actor, body.reason, seen, items=body.pieces))


def hand_over(request: Request) -> Answer:
    """Hands a parcel over; a repetition finishes what the first request has begun."""
    body, call = request.parse(bodies.HandOver), request.call
    order_id, actor = _admitted(request)
    wanted = commands.parcel(body.pieces, body.carrier, body.tracking_number, call=call)
    seen = SeenAt(request.if_match, call=call)
    snapshot, is_new = once(
        call,
        lambda: commands.hand_over(order_id, actor, wanted, seen),
        lambda record: commands.hand_over_again(OrderId(record.result), actor, wanted, record.call),
    )
    return order_answer(request, snapshot, headers=None if is_new else REPLAYED)


def set_location(request: Request) -> Answer:
    """Records the location of a parcel, the latest where none is named."""
    body = request.parse(bodies.SetLocation)
    order_id, actor = _admitted(request)
    seen, parcel = SeenAt(request.if_match), request.shipment_id or None
    return order_answer(
        request, commands.update_location(order_id, actor, body.location, body.estimated_delivery, seen, parcel)
    )


def mark_parcel_delivered(request: Request) -> Answer:
    """The customer has one of the parcels."""
    reason, call = request.parse(bodies.WithReason).reason, request.call
    order_id, actor = _admitted(request)
    parcel, seen = request.shipment_id, SeenAt(request.if_match, call=call)
    return _once(request, call, lambda: commands.mark_parcel_delivered(order_id, parcel, actor, reason, seen))


def hold(request: Request) -> Answer:
    """Puts the order on hold."""
    reason, call = request.parse(bodies.HoldOrder).reason, request.call
    order_id, actor = _admitted(request)
    return _once(request, call, lambda: holding.hold(order_id, actor, reason, SeenAt(request.if_match, call=call)))


def mark_returned(request: Request) -> Answer:
    """The parcel is back."""
    reason, call = request.parse(bodies.WithReason).reason, request.call
    order_id, actor = _admitted(request)
    parcel, seen = request.shipment_id, SeenAt(request.if_match, call=call)
    return _once(request, call, lambda: commands.mark_returned(order_id, parcel, actor, reason, seen))


def request_return(request: Request) -> Answer:
    """Asks for a return."""
    body, call = request.parse(return_bodies.RequestReturn), request.call
    order_id, actor = _admitted(request)
    seen = SeenAt(request.if_match, call=call)
    return _once(request, call, lambda: returning.request(order_id, actor, body.wanted(), body.note, seen))


def receive_return(request: Request) -> Answer:
    """Some of a return has come back."""
    body, call = request.parse(return_bodies.ReceiveReturn), request.call
    order_id, actor = _admitted(request)
    which, seen = request.path.get("return_id", ""), SeenAt(request.if_match, call=call)
    receipt = decisions.Receipt(body.pieces(), body.final)
    return _once(request, call, lambda: returning.receive(order_id, which, actor, receipt, seen))


def decided(decision: returning.Decision) -> Operation:
    """The operation behind a route that decides on a return."""

    def operation(request: Request) -> Answer:
        reason, call = request.parse(bodies.WithReason).reason, request.call
        order_id, actor = _admitted(request)
        which, seen = request.path.get("return_id", ""), SeenAt(request.if_match, call=call)
        return _once(request, call, lambda: returning.decide(order_id, which, actor, reason, seen, decision))

    return operation


def refund(request: Request) -> Answer:
    """Gives money back."""
    wanted, call = request.parse(bodies.RefundBody).wanted(), request.call
    order_id, actor = _admitted(request)
    seen = SeenAt(request.if_match, call=call)
    return _once(request, call, lambda: commands.refund(order_id, wanted, actor, seen))


def of_refund(change: RefundChange) -> Operation:
    """The operation behind a route of one refund, with nothing in its body."""

    def operation(request: Request) -> Answer:
        request.parse(bodies.Empty)
        call, refund_id = request.call, request.refund_id
        order_id, actor = _admitted(request)
        seen = SeenAt(request.if_match, call=call)
        return _once(request, call, lambda: change(order_id, refund_id, actor, seen))

    return operation


handler = serve(
    {
        "POST /orders/{id}/cancel": cancel,
        "POST /orders/{id}/return": explained(returning.return_order),
        "POST /orders/{id}/returns": request_return,
        "POST /orders/{id}/returns/{return_id}/approve": decided(decisions.approve),
        "POST /orders/{id}/returns/{return_id}/decline": decided(decisions.decline),
        "POST /orders/{id}/returns/{return_id}/receive": receive_return,
        "POST /orders/{id}/returns/{return_id}/cancel": decided(decisions.cancel),
        "POST /orders/{id}/amend": amend,
        "POST /orders/{id}/approve": explained(commands.approve),
        "POST /orders/{id}/reject": explained(commands.reject),
        "POST /orders/{id}/hold": hold,
        "POST /orders/{id}/release": explained(holding.release),
        "POST /orders/{id}/delivered": explained(commands.mark_delivered),
        "POST /orders/{id}/shipments": hand_over,
        "PUT /orders/{id}/shipments/{shipment_id}/location": set_location,
        "POST /orders/{id}/shipments/{shipment_id}/delivered": mark_parcel_delivered,
        "POST /orders/{id}/shipments/{shipment_id}/returned": mark_returned,
        "POST /orders/{id}/refunds": refund,
        "POST /orders/{id}/refunds/{refund_id}/retry": of_refund(refunding.retry),
        "POST /orders/{id}/refunds/{refund_id}/complete": of_refund(refunding.hand_out),
        "PUT /orders/{id}/address": change_address,
        "PATCH /orders/{id}": change_details,
        "PATCH /orders/{id}/status": set_status,
        "PUT /orders/{id}/shipment/location": set_location,
    }
)
