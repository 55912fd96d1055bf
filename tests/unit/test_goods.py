"""The pieces of an order: how they are counted, what that is called, and how it stands in a row."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orders.adapters.store import items
from orders.adapters.store.items import QUANTITIES
from orders.domain import goods
from orders.domain.identifiers import OrderId
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import FulfillmentStatus, OrderStatus, ShipmentStatus
from tests.harness.orders import an_order

F = FulfillmentStatus


def of_two_lines(*quantities: tuple[int, int, int, int]) -> Order:
    """The order of two teapots and a cup with these pieces cancelled, handed over, delivered and given back."""
    order = an_order(OrderStatus.PROCESSING).order
    lines = (goods.with_quantities(line, found) for line, found in zip(order.lines, quantities, strict=True))
    return replace(order, lines=tuple(lines))


@pytest.mark.parametrize(
    ("teapots", "cup", "wanted"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), F.UNFULFILLED),
        ((2, 0, 0, 0), (1, 0, 0, 0), F.UNFULFILLED),
        ((0, 1, 0, 0), (0, 0, 0, 0), F.PARTIALLY_SHIPPED),
        ((0, 2, 0, 0), (1, 0, 0, 0), F.SHIPPED),
        ((0, 2, 2, 0), (0, 0, 0, 0), F.PARTIALLY_DELIVERED),
        ((1, 1, 1, 0), (0, 1, 1, 0), F.DELIVERED),
        ((0, 2, 2, 1), (0, 1, 1, 0), F.PARTIALLY_RETURNED),
        ((0, 2, 0, 2), (0, 1, 1, 0), F.PARTIALLY_RETURNED),
        ((0, 2, 2, 2), (1, 0, 0, 0), F.RETURNED),
    ],
)
def test_how_much_of_an_order_is_fulfilled(teapots: Any, cup: Any, wanted: FulfillmentStatus) -> None:
    assert of_two_lines(teapots, cup).fulfillment_status is wanted


@pytest.mark.parametrize(
    ("status", "quantities", "wanted"),
    [
        (OrderStatus.PENDING, (0, 0, 0, 0), F.UNFULFILLED),
        (OrderStatus.PROCESSING, (0, 0, 0, 0), F.UNFULFILLED),
        (OrderStatus.SHIPPED, (0, 2, 0, 0), F.SHIPPED),
        (OrderStatus.DELIVERED, (0, 2, 2, 0), F.DELIVERED),
        (OrderStatus.RETURNED, (0, 2, 2, 2), F.RETURNED),
        (OrderStatus.CANCELLED, (2, 0, 0, 0), F.UNFULFILLED),
    ],
)
def test_the_pieces_of_an_order_with_one_parcel_follow_from_its_status(
    status: OrderStatus, quantities: goods.Quantities, wanted: FulfillmentStatus
) -> None:
    order = an_order(status).order
    assert goods.quantities(order.lines[0]) == quantities
    assert order.fulfillment_status is wanted
    item = items.order_to_item(order)
    assert not {QUANTITIES, "further_parcels", "restock"} & set(item), "and need no place in its row"
    assert goods.quantities(items.order_from_item(item).lines[0]) == quantities


def test_what_came_back_to_its_sender_was_not_delivered() -> None:
    order = an_order(OrderStatus.SHIPPED).return_goods(to_sender=True).order
    assert goods.quantities(order.lines[0]) == (0, 2, 0, 2)
    assert QUANTITIES not in items.order_to_item(order)
    assert order.fulfillment_status is F.RETURNED


def test_pieces_that_a_release_has_moved_on_that_counts_none_are_what_is_wanted() -> None:
    order = of_two_lines((1, 0, 0, 0), (0, 0, 0, 0))
    item = items.order_to_item(order)
    assert json.loads(item["lines"]["S"]) == [["prod-001", "Teapot", 1, 1000], ["prod-002", "Cup", 1, 1000]]
    assert [line.quantity for line in items.order_from_item(item).lines] == [2, 1]
    shipped = items.order_from_item(item | {"status": {"S": "SHIPPED"}})
    assert [goods.quantities(line) for line in shipped.lines] == [(1, 1, 0, 0), (0, 1, 0, 0)]
    cancelled = items.order_from_item(item | {"status": {"S": "CANCELLED"}})
    assert [goods.quantities(line) for line in cancelled.lines] == [(2, 0, 0, 0), (1, 0, 0, 0)]


def test_an_unwinding_puts_back_what_was_not_put_back_before() -> None:
    life = an_order(OrderStatus.PROCESSING)
    life.snapshot = replace(life.snapshot, order=goods.cancelled(life.order, {"1": 1}))
    life.stock["prod-001"] += 1
    life.cancel().unwind()
    assert life.stock == {"prod-001": 0, "prod-002": 0}


def test_the_parcels_of_an_order_have_items_of_their_own() -> None:
    order_id = OrderId("order-1")
    first = Shipment("ship-1", ShipmentStatus.IN_TRANSIT, "SimEx", items={"1": 1})
    second = Shipment("F/2", ShipmentStatus.CREATED, "SimEx", items={"1": 1, "2": 1}, number=2)
    rows = {item["SK"]["S"]: item for item in (items.shipment_to_item(order_id, one) for one in (second, first))}
    assert set(rows) == {"#SHIPMENT", "#SHIPMENT#F/2"}
    found = items.snapshot_of(an_order(OrderStatus.PROCESSING).order, rows)
    assert found.shipments == (first, second)
    assert found.shipment == second
    moved = replace(first, status=ShipmentStatus.DELIVERED)
    assert found.with_shipments(moved).shipments == (moved, second)
    assert Snapshot(found.order).shipment is None
