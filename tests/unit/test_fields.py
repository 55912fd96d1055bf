"""Each field of an order, its payment and its shipment is carried from the body, stored, read as it was written, and shown."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from orders.adapters.store import figure_items, items, refund_items, return_items
from orders.domain.decisions import placing
from orders.domain.decisions.placing import PricedRequest
from orders.domain.identifiers import CustomerId
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot, details
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.refund import Refund
from orders.domain.returns import Return
from orders.domain.statuses import OrderStatus
from orders.domain.steps import STEPS
from orders.web import order_bodies, parcel_views, payment_views, return_views, texts, views
from tests.harness import behavior
from tests.harness.orders import START, WAITS


def filled(kind: Any, name: str) -> Any:
    """A value of that type with something in each of its fields; texts say which field they are."""
    kind = getattr(kind, "__supertype__", kind)
    if kind is Money:
        return Money(1, "USD")
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        known = [field.name for field in fields(kind) if not field.name.startswith("unknown")]
        return kind(**{field: filled(hints[field], f"{name}.{field}") for field in known})
    if get_origin(kind) in (Mapping, tuple):
        whole = tuple(filled(one, name) for one in get_args(kind) if one not in (..., Any))
        return {name: name} if get_origin(kind) is Mapping else whole
    if get_origin(kind) in (Union, UnionType):
        return filled(next(one for one in get_args(kind) if one is not NoneType), name)
    if issubclass(kind, Enum):
        return next(iter(kind))
    return {int: 7, bool: True, datetime: datetime(2026, 11, 20, tzinfo=UTC)}.get(kind) or kind(name)


def everything() -> Snapshot:
    order: Order = filled(Order, "order")
    order = replace(order, steps=tuple(replace(order.steps[0], name=name) for name in STEPS))
    return Snapshot(
        order,
        filled(Payment, "payment"),
        (replace(filled(Shipment, "shipment"), carrier="UPS"),),
        (filled(Return, "return"),),
        (filled(Refund, "refund"),),
    )


def test_every_field_is_read_as_it_was_written() -> None:
    known = everything()
    assert known.payment
    assert known.shipment
    order = items.order_from_item(items.order_to_item(known.order))
    counted = figure_items.counted_from_item(figure_items.counted_to_item(known.order))
    assert replace(order, counted=counted) == known.order
    order_id = known.order.order_id
    assert items.payment_from_item(items.payment_to_item(order_id, known.payment)) == known.payment
    assert items.shipment_from_item(items.shipment_to_item(order_id, known.shipment)) == known.shipment
    assert (
        tuple(return_items.return_from_item(return_items.return_to_item(known.order, one)) for one in known.returns)
        == known.returns
    )
    (refund,) = known.refunds
    assert refund_items.refund_from_item(refund_items.refund_to_item(order_id, refund)) == refund


@pytest.mark.parametrize(
    "credential", ["payment_token", "approval_token", "delivery_token", "confirmation_token", "release_token", "shortage_token"]
)
def test_a_credential_is_not_part_of_a_printed_order(credential: str) -> None:
    assert f"order.{credential}" not in repr(everything().order)


# --- from the body to the order ---

BODY = {
    "order_id": "order-1",
    "items": [{"product_id": "prod-001", "quantity": 1}],
    "payment": {"method": "CREDIT_CARD", "token": "tok_ok"},
    "shipping_address": {"name": "Ada", "line1": "1 Ockham Park", "city": "Ockham", "postal_code": "GU23", "country": "GB"},
}
ELSEWHERE_READ = {"customer_id": "the handler finds out who may order for whom"}


class Watched:
    """A body that notes which of its members are read."""

    def __init__(self, body: texts.Body, read: set[str], prefix: str = "") -> None:
        self._body, self._read, self._prefix = body, read, prefix

    def __getattr__(self, name: str) -> Any:
        self._read.add(f"{self._prefix}{name}")
        found = getattr(self._body, name)
        return Watched(found, self._read, f"{name}.") if isinstance(found, order_bodies.PaymentBody) else found


def not_carried(kind: type[order_bodies.PlaceOrder]) -> set[str]:
    """The members of a body that its order never gets."""
    read = set[str]()
    kind.order_request(Watched(kind.model_validate_json(json.dumps(BODY)), read), CustomerId("ada"))  # type: ignore[arg-type]
    members = {*kind.model_fields, *(f"payment.{name}" for name in order_bodies.PaymentBody.model_fields)}
    return members - read - set(ELSEWHERE_READ)


def test_whatever_a_caller_sends_is_carried_to_the_order() -> None:
    assert not_carried(order_bodies.PlaceOrder) == set()


def test_a_member_that_is_not_carried_is_reported() -> None:
    class Planted(order_bodies.PlaceOrder):
        planted_member: texts.Text200 | None = None

    assert not_carried(Planted) == {"planted_member"}


def test_what_a_request_says_of_the_order_is_the_order_s() -> None:
    priced: PricedRequest = filled(PricedRequest, "request")
    assert details(placing.place(priced, WAITS, START, "ada").order) == details(priced)


# --- who sees it ---

NOT_SHOWN = {
    Refund: {"tries": "the pipeline's own", "due_at": "the pipeline's own"},
    Order: {
        "lines": "as items",
        "counted": "with its products",
        "shipping_charge": "in the totals",
        "method": "with the payment",
        "payment_token": "a credential",
        "return_url": "a page of the shop's, which knows it",
        "approval_token": "a credential",
        "delivery_token": "a credential",
        "confirmation_token": "a credential",
        "warehouse_token": "a credential",
        "confirmation_due_at": "the pipeline's own",
        "release_token": "a credential",
        "provider_down_since": "on the trail",
        "steps": "with the progress",
        "overall": "with the progress",
        "unknown_steps": "a later release's",
        "status_since": "the pipeline's own",
        "run": "the pipeline's own",
        "unwind_run": "the pipeline's own",
        "failed_runs": "the pipeline's own",
        "due_at": "the pipeline's own",
        "erased_at": "the pipeline's own",
        "further_parcels": "with the parcels",
        "restock": "the pipeline's own",
        "on_shortage": "as what comes of it",
        "reviewed_by_total": "the pipeline's own",
        "shortage_token": "a credential",
    },
    Payment: {
        "is_captured_later": "the deployment's setting",
        "captures_once": "the provider's own",
        "is_expiry_known": "the pipeline's own",
        "captures": "on the trail; their sum is captured",
    },
    Shipment: {
        "scanned_at": "with the scans",
        "recalled": "the pipeline's own",
        "sender": "the pipeline's own",
        "due_at": "the pipeline's own",
        "number": "its place in the list",
        "fulfillment_id": "the warehouse's own",
        "ended": "in the pieces of the order",
    },
    Return: {"is_final": "by its status"},
}
"""Which fields are in no view, and why."""
VIEWS: dict[type, Any] = {
    Refund: payment_views.RefundView,
    Order: views.OrderView,
    Payment: payment_views.PaymentView,
    Shipment: parcel_views.ShipmentView,
    Return: return_views.ReturnView,
}


@pytest.mark.parametrize("kind", VIEWS)
def test_each_field_is_in_the_view_or_has_a_reason_not_to_be(kind: Any) -> None:
    assert {field.name for field in fields(kind)} - set(VIEWS[kind].__annotations__) == set(NOT_SHOWN[kind])


@pytest.mark.parametrize("part", ["order", "payment", "shipment", "returns", "refunds"])
def test_each_member_of_a_view_is_given_where_there_is_something_to_show(part: str) -> None:
    known = everything()
    shown: Any = views.snapshot_view(
        replace(known, order=replace(known.order, status=OrderStatus.CANCELLED)), views.Audience.STAFF
    )
    kind = {"order": Order, "payment": Payment, "shipment": Shipment, "returns": Return, "refunds": Refund}[part]
    whole = shown[part][0] if isinstance(shown[part], list) else shown[part]
    assert set(whole) == set(VIEWS[kind].__annotations__)


@pytest.mark.parametrize("kind", VIEWS)
def test_each_member_of_a_view_is_promised(kind: Any) -> None:
    promised = {name.rstrip("?") for name in re.findall(r"`([a-z_]+\??)`", behavior.section("shapes"))}
    assert set(VIEWS[kind].__annotations__) - promised == set()
