"""Each field of an order, its payment and its shipment is stored, and is removed by an erasure or kept on purpose."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from orders.adapters.store import items
from orders.domain import erasure
from orders.domain.money import Money
from orders.domain.order import Order, Payment, Shipment, Snapshot
from orders.domain.statuses import STEPS

KEPT_BY_AN_ERASURE = {
    *("order.order_id", "order.customer_id", "order.lines.product_id", "order.lines.name", "order.shipping_address.country"),
    *("order.cancellation.by", "order.approval.decided_by", "order.approval_token", "order.delivery_token"),
    *("payment.payment_id", "shipment.shipment_id", "shipment.tracking_number", "shipment.sender"),
}
"""The texts that say nothing about a person, or only who they are by their id: an erasure leaves them."""


def filled(kind: Any, name: str) -> Any:
    """A value of that type with something in each of its fields; texts say which field they are."""
    kind = getattr(kind, "__supertype__", kind)
    if kind is Money:
        return Money(1, "USD")
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        known = [field.name for field in fields(kind) if not field.name.startswith("unknown")]
        return kind(**{field: filled(hints[field], f"{name}.{field}") for field in known})
    if get_origin(kind) is tuple:
        return (filled(get_args(kind)[0], name),)
    if get_origin(kind) in (Union, UnionType):
        return filled(next(one for one in get_args(kind) if one is not NoneType), name)
    if issubclass(kind, Enum):
        return next(iter(kind))
    return {int: 7, bool: True, datetime: datetime(2026, 11, 20, tzinfo=UTC)}.get(kind) or kind(name)


def everything() -> Snapshot:
    order: Order = filled(Order, "order")
    order = replace(order, steps=tuple(replace(order.steps[0], name=name) for name in STEPS))
    return Snapshot(order, filled(Payment, "payment"), filled(Shipment, "shipment"))


def texts(value: Any) -> Iterator[str]:
    """All texts in a value but the names of statuses."""
    if isinstance(value, str):
        yield from () if isinstance(value, Enum) else (str(value),)
    elif isinstance(value, tuple):
        for one in value:
            yield from texts(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))


def test_every_field_is_read_as_it_was_written() -> None:
    known = everything()
    assert known.payment
    assert known.shipment
    assert items.order_from_item(items.order_to_item(known.order)) == known.order
    order_id = known.order.order_id
    assert items.payment_from_item(items.payment_to_item(order_id, known.payment)) == known.payment
    assert items.shipment_from_item(items.shipment_to_item(order_id, known.shipment)) == known.shipment


def test_every_text_is_removed_by_an_erasure_or_kept_on_purpose() -> None:
    known = everything()
    assert known.payment
    assert known.shipment
    left = {
        *texts(erasure.redacted_order(known.order)),
        *texts(erasure.redacted_payment(known.payment)),
        *texts(erasure.redacted_shipment(known.shipment)),
    }
    assert left - {erasure.ERASED, "USD"} == KEPT_BY_AN_ERASURE


@pytest.mark.parametrize("credential", ["payment_token", "approval_token", "delivery_token"])
def test_a_credential_is_not_part_of_a_printed_order(credential: str) -> None:
    assert f"order.{credential}" not in repr(everything().order)
