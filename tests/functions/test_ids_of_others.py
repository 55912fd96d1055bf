"""Customers and products under ids of other systems, through every door: ordered, listed, paged, exported, erased."""

from typing import Any

import pytest

from orders.domain.identifiers import CustomerId
from orders.domain.statuses import OrderStatus
from orders.services import privacy
from orders.web import personal_data
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, World, machine_claims

SHOP: dict[str, Any] = {"claims": machine_claims()}
IDS = [
    "#1001",
    "josé@example.com",
    "VSK/RED 42",
    "a?b=c&d",
    "100%",
    "%2F",
    "🫖" * 128,
    "..",
    " ",
    "*",
    "ORDER#order-1",
    "shop:x",
]
PRODUCT = {"name": "Vase", "unit_price": {"amount": 1250, "currency": "USD"}, "stock": 10}


@pytest.mark.parametrize("found", IDS)
def test_a_customer_and_a_product_have_the_ids_that_their_own_systems_gave_them(world: World, found: str) -> None:
    saved = world.shop("PUT /products", body=PRODUCT, query={"product_id": found})
    assert (saved.status, saved.body) == (200, {"product_id": found} | PRODUCT)
    world.stocked[found] = 10
    for order_id in ("order-1", "order-2"):
        placed = world.place(
            order_id, customer_id=found, product=found, quantity=2, headers={"idempotency-key": order_id}, **SHOP
        )
        assert (placed.order["customer_id"], placed.order["items"][0]["product_id"]) == (found, found)
        world.go_on(OrderStatus.DELIVERED, order_id)
    world.place("order-3")
    assert world.pieces(found) == 6
    first = world.shop("GET /orders", query={"customer_id": found, "limit": "1"})
    rest = world.shop("GET /orders", query={"customer_id": found, "limit": "1", "cursor": first.body["next_cursor"]})
    listed = [order["order_id"] for page in (first, rest) for order in page.body["orders"]]
    assert (listed, rest.body["next_cursor"]) == (["order-2", "order-1"], None)
    again = world.place("order-1", customer_id=found, product=found, quantity=2, headers={"idempotency-key": "order-1"}, **SHOP)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(personal_data.export(CustomerId(found))["orders"]) == 2
    assert sorted(privacy.erase(CustomerId(found), "grace")) == ["order-1", "order-2"]
    assert world.http("GET /orders/{id}", "order-3").order["shipping_address"]["name"] == "Ada Lovelace"


@pytest.mark.parametrize("found", IDS)
def test_a_product_is_found_by_query_whatever_its_id(world: World, found: str) -> None:
    assert world.http("GET /products", query={"product_id": found}, by=None).body == {"products": [], "next_cursor": None}
    world.stock(found, 3)
    (one,) = world.http("GET /products", query={"product_id": found}, by=None).body["products"]
    assert (one["product_id"], one["stock"]) == (found, 3)
    assert found in [product["product_id"] for product in world.http("GET /products", by=None).body["products"]]


@pytest.mark.parametrize("found", ["VSK/RED 42", "#1001", "a?b"])
def test_what_no_path_can_name_is_refused_there_and_sent_to_the_query(world: World, found: str) -> None:
    refused = world.http("GET /products/{id}", found, by=None)
    assert (refused.status, refused.fields) == (400, ["id"])
    assert "?product_id=" in refused.body["detail"]


@pytest.mark.parametrize("found", ["josé@example.com", "RED 42", "100%"])
def test_any_other_product_is_found_by_its_path_too(world: World, found: str) -> None:
    world.shop("PUT /products/{id}", found, PRODUCT)
    assert world.http("GET /products/{id}", found, by=None).body == {"product_id": found} | PRODUCT


@pytest.mark.parametrize("bad", ["", "a\nb", "a\u202eb", "x" * 129, "\ud83e", "\uffff"])
def test_what_is_not_printed_is_no_id(world: World, bad: str) -> None:
    assert world.http("GET /products", query={"product_id": bad}, by=None).fields == ["product_id"]
    assert world.shop("PUT /products", body=PRODUCT, query={"product_id": bad}).fields == ["product_id"]
    assert world.http("GET /products/{id}", bad, by=None).fields == ["id"]
    assert world.support("GET /orders", query={"customer_id": bad}).fields == ["customer_id"]


def test_a_product_is_named_once(world: World) -> None:
    assert world.shop("PUT /products", body=PRODUCT).fields == ["product_id"]
    for name in ("limit", "cursor"):
        assert world.http("GET /products", query={"product_id": "a", name: "1"}, by=None).fields == ["product_id"]


def test_a_customer_named_like_a_list_of_all_reads_no_cursor_of_it(world: World) -> None:
    for order_id in ("order-1", "order-2"):
        world.place(order_id)
    everything = world.shop("GET /orders", query={"limit": "1"}).body["next_cursor"]
    refused = world.http("GET /orders", query={"cursor": everything}, by="*")
    assert (refused.status, refused.fields) == (400, ["cursor"])


# --- many lines, without a shop's prices ---


def test_a_hundred_lines_of_ninety_products_are_ordered_reserved_and_given_back(world: World) -> None:
    names = [f"VSK/{'é' * 100}/{place}" for place in range(90)]
    for name in names:
        world.stock(name, 10, price=100)
    items = [{"product_id": names[place % 90], "quantity": 1} for place in range(100)]
    placed = world.place(items=items)
    assert [line["line_id"] for line in placed.order["items"]] == [str(place) for place in range(1, 101)]
    assert placed.order["total"]["amount"] == 10_000
    world.step("reserve_stock")
    assert [world.pieces(names[place]) for place in (0, 9, 10, 89)] == [8, 8, 9, 9]
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    assert all(world.pieces(name) == 10 for name in names)


def test_a_product_more_is_refused(world: World) -> None:
    items = [{"product_id": f"#{place}", "quantity": 1} for place in range(91)]
    assert world.http("POST /orders", body=a_body(items=items), by=CUSTOMER).fields == ["items"]
