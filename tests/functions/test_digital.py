"""Products that are not sent: handed over and delivered when they are paid, beside others that are sent."""

import json
from typing import Any

import pytest

from orders.adapters.store import orders
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from tests.harness.bodies import a_body
from tests.harness.world import World

ADMIN: dict[str, Any] = {"by": "root", "groups": ["admin"]}
SONG = {"name": "Song", "unit_price": {"amount": 300, "currency": "USD"}, "stock": 10, "requires_shipping": False}
BOTH = [{"product_id": "song", "quantity": 2}, {"product_id": "prod-001", "quantity": 1}]


@pytest.fixture
def shelf(world: World) -> World:
    assert world.http("PUT /products/{id}", "song", SONG, **ADMIN).body == {
        "product_id": "song",
        **SONG,
    }
    return world


def place(world: World, items: list[dict[str, Any]], **more: Any) -> Any:
    body = a_body(order_id="order-1") | {"items": items} | more
    if more.get("shipping_address", "") is None:
        del body["shipping_address"]
    return world.http("POST /orders", None, body)


def shown(world: World) -> Any:
    return world.http("GET /orders/{id}", "order-1").body


def test_a_product_says_that_it_is_not_sent(shelf: World) -> None:
    assert shelf.http("GET /products/{id}", "song", by=None).body["requires_shipping"] is False
    shelf.http("PUT /products/{id}", "song", SONG | {"requires_shipping": True}, **ADMIN)
    assert "requires_shipping" not in shelf.http("GET /products/{id}", "song", by=None).body


def test_a_digital_order_needs_no_address_and_is_delivered_when_it_is_paid(shelf: World) -> None:
    placed = place(shelf, BOTH[:1], shipping_address=None)
    assert (placed.status, placed.order["shipping_address"]) == (202, None)
    shelf.follow_up()
    shelf.step("reserve_stock", outcomes=True)
    assert shelf.step("charge_payment", outcomes=True)["payment"]["outcome"] == "nothing_to_ship"
    assert shown(shelf)["order"]["fulfillment_status"] == "DELIVERED"
    for _ in range(2):
        shelf.step("deliver_order")
    found = shown(shelf)
    assert (found["order"]["status"], found["shipments"], found["shipment"]) == ("DELIVERED", [], None)
    assert found["order"]["items"][0] | {"requires_shipping": False} == found["order"]["items"][0]
    assert [found["order"]["items"][0][f"quantity_{name}"] for name in ("shipped", "delivered")] == [2, 2]
    steps = {step["name"]: step["status"] for step in shelf.http("GET /orders/{id}/status", "order-1").body["steps"]}
    assert (steps["Shipping Arrangement"], steps["Delivery"]) == ("SKIPPED", "COMPLETED")
    assert [entry["PK"]["S"] for entry in shelf.everything() if entry["PK"]["S"].startswith("CARRIER#")] == []
    shelf.stocked["song"] = 10
    shelf.add_up()
    order = orders.load_order(OrderId("order-1"))
    assert not order.is_free
    assert json.loads(next(item for item in shelf.items("order-1", "#ORDER"))["digital"]["S"]) == ["1"]


def test_a_free_digital_order_is_delivered_too(shelf: World) -> None:
    shelf.http("PUT /products/{id}", "song", SONG | {"unit_price": {"amount": 0, "currency": "USD"}}, **ADMIN)
    place(shelf, BOTH[:1], shipping_address=None)
    shelf.step("reserve_stock", outcomes=True)
    assert shelf.step("charge_payment", outcomes=True)["payment"] == {"outcome": "nothing_to_ship"}
    shelf.step("deliver_order")
    assert shown(shelf)["order"]["status"] == "DELIVERED"


def test_of_a_mixed_order_the_rest_is_sent(shelf: World) -> None:
    assert place(shelf, BOTH).status == 202
    shelf.go_on(OrderStatus.PROCESSING)
    found = shown(shelf)["order"]
    assert (found["fulfillment_status"], [line["quantity_delivered"] for line in found["items"]]) == (
        "PARTIALLY_DELIVERED",
        [2, 0],
    )
    shelf.executions.waiting.add("ship")
    shelf.step("ship_parcel", task_token="ship", transit=10)
    (parcel,) = shown(shelf)["shipments"]
    assert parcel["items"] == [{"line_id": "2", "quantity": 1}]
    shelf.step("deliver_order")
    found = shown(shelf)["order"]
    assert (found["status"], [line["quantity_delivered"] for line in found["items"]]) == ("DELIVERED", [2, 1])
    shelf.stocked["song"] = 10
    shelf.add_up()


@pytest.mark.parametrize(
    ("items", "more", "field"),
    [
        (BOTH, {"shipping_address": None}, "shipping_address"),
        (BOTH[:1], {"payment": {"method": "CASH_ON_DELIVERY"}}, "payment.method"),
    ],
)
def test_what_is_sent_needs_an_address_and_cash_a_door(shelf: World, items: Any, more: Any, field: str) -> None:
    refused = place(shelf, items, **more)
    assert (refused.status, refused.fields) == (400, [field])


def test_staff_hand_a_digital_order_over_without_a_parcel(shelf: World) -> None:
    place(shelf, BOTH[:1])
    shelf.go_on(OrderStatus.PROCESSING)
    moved = shelf.http("PATCH /orders/{id}/status", "order-1", {"status": "SHIPPED"}, by="grace", groups=["support"])
    assert (moved.status, moved.order["status"], moved.body["shipments"]) == (200, "SHIPPED", [])
