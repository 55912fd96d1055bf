"""Each field of an order, its payment and its shipment is stored, and read as it was written."""

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from orders.adapters.store import items
from orders.domain.money import Money
from orders.domain.order import Order, Payment, Shipment, Snapshot
from orders.domain.steps import STEPS


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


def test_every_field_is_read_as_it_was_written() -> None:
    known = everything()
    assert known.payment
    assert known.shipment
    assert items.order_from_item(items.order_to_item(known.order)) == known.order
    order_id = known.order.order_id
    assert items.payment_from_item(items.payment_to_item(order_id, known.payment)) == known.payment
    assert items.shipment_from_item(items.shipment_to_item(order_id, known.shipment)) == known.shipment


@pytest.mark.parametrize("credential", ["payment_token", "approval_token", "delivery_token"])
def test_a_credential_is_not_part_of_a_printed_order(credential: str) -> None:
    assert f"order.{credential}" not in repr(everything().order)
