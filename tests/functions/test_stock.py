"""The catalog's stock: added to and taken from beside what is sold, and products that are taken off the catalog."""

import threading
from typing import Any

import pytest

from orders.domain.statuses import OrderStatus
from tests.harness.bodies import a_body
from tests.harness.world import World

ADMIN: dict[str, Any] = {"by": "root", "groups": ["admin"]}
CHANGE, REMOVE = "POST /products/{id}/stock", "DELETE /products/{id}"
KEY = {"idempotency-key": "count-1"}
PRODUCT = {"name": "Vase", "unit_price": {"amount": 1250, "currency": "USD"}, "stock": 10}


def vase(world: World, product_id: str = "vase") -> None:
    assert world.http("PUT /products", body=PRODUCT, query={"product_id": product_id}, **ADMIN).status == 200


def left(world: World, product_id: str = "vase") -> int:
    (found,) = world.http("GET /products", query={"product_id": product_id}, by=None).body["products"]
    return int(found["stock"])


def test_pieces_are_added_and_taken_and_never_more_than_there_are(world: World) -> None:
    vase(world)
    assert world.http(CHANGE, "vase", {"change": 5}, **ADMIN).body == {
        "product_id": "vase",
        "name": "Vase",
        "unit_price": {"amount": 1250, "currency": "USD"},
        "stock": 15,
    }
    assert world.shop(CHANGE, "vase", {"change": -15}).body["stock"] == 0
    refused = world.http(CHANGE, "vase", {"change": -1}, **ADMIN)
    assert (refused.status, refused.code, refused.body["stock"]) == (409, "FAILED_PRECONDITION", 0)
    assert left(world) == 0
    assert world.http(CHANGE, "no-vase", {"change": 5}, **ADMIN).status == 404
    assert world.http(CHANGE, "vase", {"change": 1.5}, **ADMIN).fields == ["change"]


@pytest.mark.parametrize("query", [None, {"product_id": "VSK/RED 42"}])
def test_a_change_under_a_key_is_made_once(world: World, query: dict[str, str] | None) -> None:
    route, path = (CHANGE, "vase") if query is None else ("POST /products/stock", None)
    name = query["product_id"] if query else "vase"
    vase(world, name)
    first = world.http(route, path, {"change": -4}, headers=KEY, query=query, **ADMIN)
    again = world.http(route, path, {"change": -4}, headers=KEY, query=query, **ADMIN)
    assert (first.body["stock"], again.body["stock"], left(world, name)) == (6, 6, 6)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert world.http(route, path, {"change": -5}, headers=KEY, query=query, **ADMIN).status == 422


def test_a_key_by_query_belongs_to_its_product(world: World) -> None:
    for name in ("a/b", "a/c"):
        vase(world, name)
        world.http("POST /products/stock", None, {"change": 1}, headers=KEY, query={"product_id": name}, **ADMIN)
    assert [left(world, "a/b"), left(world, "a/c")] == [11, 11]


def test_a_refused_change_uses_no_key_up(world: World) -> None:
    vase(world)
    assert world.http(CHANGE, "vase", {"change": -11}, headers=KEY, **ADMIN).status == 409
    world.http(CHANGE, "vase", {"change": 1}, **ADMIN)
    assert world.http(CHANGE, "vase", {"change": -11}, headers=KEY, **ADMIN).body["stock"] == 0


def test_a_count_under_a_key_does_not_undo_what_was_sold_since(world: World) -> None:
    vase(world)
    assert world.http("PUT /products/{id}", "vase", PRODUCT, headers=KEY, **ADMIN).status == 200
    world.http(CHANGE, "vase", {"change": -3}, **ADMIN)
    again = world.http("PUT /products/{id}", "vase", PRODUCT, headers=KEY, **ADMIN)
    assert (again.body["stock"], left(world)) == (7, 7)


def test_changes_at_the_same_time_all_count(world: World) -> None:
    vase(world)
    start = threading.Barrier(4)

    def take() -> None:
        start.wait()
        world.http(CHANGE, "vase", {"change": -3}, **ADMIN)

    takers = [threading.Thread(target=take) for _ in range(4)]
    for one in takers:
        one.start()
    for one in takers:
        one.join()
    assert left(world) == 1


def test_a_removed_product_cannot_be_ordered_and_its_orders_go_on(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.place("order-2")
    stock = world.pieces("prod-001")
    assert world.http(REMOVE, "prod-001", **ADMIN).status == 204
    refused = world.http("POST /orders", None, a_body(order_id="order-3"))
    assert (refused.status, refused.fields) == (400, ["items.0.product_id"])
    assert world.http("GET /products/{id}", "prod-001", by=None).status == 404
    assert "prod-001" not in [one["product_id"] for one in world.http("GET /products", by=None).body["products"]]
    for answer in (world.http(CHANGE, "prod-001", {"change": 1}, **ADMIN), world.http(REMOVE, "prod-001", **ADMIN)):
        assert answer.status == 404
    assert world.http("GET /orders/{id}", "order-1").order["items"][0]["name"]
    world.go_on(OrderStatus.DELIVERED, "order-2")
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    product = {"name": "Mug", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 0}
    held = next(item for item in world.everything() if item["PK"] == {"S": "PRODUCT#prod-001"})
    assert int(held["stock"]["N"]) == stock
    assert world.http("PUT /products/{id}", "prod-001", product, **ADMIN).body["stock"] == 0


def test_a_removed_product_comes_back_as_it_is_written_again(world: World) -> None:
    vase(world)
    world.http("DELETE /products", query={"product_id": "vase"}, **ADMIN)
    assert world.http("GET /products", query={"product_id": "vase"}, by=None).body["products"] == []
    vase(world)
    assert left(world) == 10


# --- on hand, reserved, sold ---


def figures(world: World, product_id: str = "prod-001") -> tuple[int, int, int, int]:
    """What can be ordered of a product, what is on hand, what is reserved, and what is sold, as staff see it."""
    shown = world.support("GET /stock", query={"product_id": product_id}).body["products"][0]
    world.add_up()
    return shown["stock"], shown["on_hand"], shown["reserved"], shown["sold"]


def test_what_is_reserved_is_on_hand_until_it_is_handed_over_and_sold_unless_it_comes_back(world: World) -> None:
    world.live(OrderStatus.PROCESSING, product="prod-001", quantity=3)
    assert figures(world) == (97, 100, 3, 0)
    part = {"items": [{"line_id": "1", "quantity": 1}]}
    assert world.support("POST /orders/{id}/shipments", "order-1", part).status == 200
    assert figures(world) == (97, 99, 2, 1)
    assert world.support("POST /orders/{id}/cancel", "order-1", part).status == 200
    assert figures(world) == (98, 99, 1, 1)
    for route in ("POST /orders/{id}/shipments", "POST /orders/{id}/delivered"):
        assert world.support(route, "order-1").status == 200
    assert figures(world) == (98, 98, 0, 2)
    asked = world.support("POST /orders/{id}/returns", "order-1", {"items": [{"line_id": "1", "quantity": 2}]})
    back = {"id": "order-1", "return_id": asked.body["returns"][0]["return_id"]}
    world.support("POST /orders/{id}/returns/{return_id}/approve", back)
    pieces = [{"line_id": "1", "quantity": 1, "condition": condition} for condition in ("resellable", "damaged")]
    assert world.support("POST /orders/{id}/returns/{return_id}/receive", back, {"items": pieces}).status == 200
    world.unwind()
    world.stocked["prod-001"] = 99
    assert figures(world) == (99, 99, 0, 0), "the damaged piece is neither sold nor there"


def test_what_was_reserved_is_so_until_its_stock_is_put_back(world: World) -> None:
    world.live(OrderStatus.CANCELLED, product="prod-001", quantity=4)
    assert figures(world) == (96, 100, 4, 0)
    world.unwind()
    assert figures(world) == (100, 100, 0, 0)


def test_a_parcel_that_comes_back_is_sold_until_its_stock_is_put_back(world: World) -> None:
    shipped = world.live(OrderStatus.SHIPPED, product="prod-001", quantity=4)
    assert shipped.shipment
    parcel = {"id": "order-1", "shipment_id": shipped.shipment.shipment_id}
    assert world.support("POST /orders/{id}/shipments/{shipment_id}/returned", parcel).status == 200
    assert figures(world) == (96, 96, 0, 4)
    world.unwind()
    assert figures(world) == (100, 100, 0, 0)


def test_counting_and_adding_leave_alone_what_orders_hold(world: World) -> None:
    world.live(OrderStatus.PROCESSING, product="prod-001", quantity=3)
    body = PRODUCT | {"stock": 50}
    world.stocked["prod-001"] = 53
    assert world.http("PUT /products/{id}", "prod-001", body, **ADMIN).body["stock"] == 50
    assert figures(world) == (50, 53, 3, 0)
    world.http(CHANGE, "prod-001", {"change": -10}, **ADMIN)
    world.stocked["prod-001"] = 43
    assert figures(world) == (40, 43, 3, 0)
