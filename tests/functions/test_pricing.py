"""What a shop charges: the order comes to exactly that, or is refused with the member that does not fit."""

from copy import deepcopy
from typing import Any

import pytest

from orders.adapters.store import items, orders
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.statuses import OrderStatus
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, World


def usd(amount: int, currency: str = "USD") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


PRICING: dict[str, Any] = {
    "items": [
        {"unit_price": usd(999), "discount": usd(98), "tax": usd(190)},
        {"unit_price": usd(1), "tax": usd(0)},
    ],
    "shipping": {"amount": usd(495), "tax": usd(47)},
    "discounts": [{"code": "TENOFF", "amount": usd(10)}, {"amount": usd(1)}],
}
TOTAL = 2 * 999 - 98 + 190 + 1 + 495 + 47 - 10 - 1


def a_priced(pricing: Any = PRICING, **changes: Any) -> dict[str, Any]:
    return a_body(order_id="order-1", customer_id=CUSTOMER, **changes) | {"pricing": pricing}


def with_member(path: str, value: Any) -> dict[str, Any]:
    pricing = deepcopy(PRICING)
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = pricing
    for part in way:
        place = place[part]
    place[last] = value
    return pricing


def test_an_order_comes_to_what_its_shop_charges_and_is_paid_and_shown_so(world: World) -> None:
    placed = world.shop("POST /orders", body=a_priced(PRICING | {"total": usd(TOTAL)}))
    assert placed.status == 202, placed.text
    order = placed.order
    assert [order[name]["amount"] for name in ("subtotal", "discount_total", "shipping_total", "tax_total", "total")] == [
        1999,
        109,
        495,
        237,
        TOTAL,
    ]
    first, second = order["items"]
    assert first | {"name": ""} == {
        "line_id": "1",
        "product_id": "prod-001",
        "name": "",
        "quantity": 2,
        **dict.fromkeys(("quantity_cancelled", "quantity_shipped", "quantity_delivered", "quantity_returned"), 0),
        "unit_price": usd(999),
        "discount": usd(98),
        "tax": usd(190),
    }
    assert second["tax"] == usd(0)
    assert "discount" not in second
    assert order["discounts"] == [{"code": "TENOFF", "amount": usd(10)}, {"amount": usd(1)}]
    world.go_on(OrderStatus.PROCESSING)
    paid = world.http("GET /orders/{id}", "order-1").body
    assert paid["payment"]["amount"] == usd(TOTAL)
    assert paid["order"]["items"] == order["items"]


def test_without_what_is_optional_a_shop_s_prices_alone_count(world: World) -> None:
    pricing = {"items": [{"unit_price": usd(5, "JPY")}, {"unit_price": usd(7, "JPY")}]}
    order = world.shop("POST /orders", body=a_priced(pricing)).order
    assert (order["subtotal"], order["total"]) == (usd(17, "JPY"), usd(17, "JPY"))
    assert "discounts" not in order


def test_without_prices_an_order_of_a_shop_comes_to_what_the_catalog_says(world: World) -> None:
    order = world.shop("POST /orders", body=a_body(customer_id=CUSTOMER)).order
    assert order["total"] == order["subtotal"] == usd(3000)
    assert [order[name]["amount"] for name in ("discount_total", "shipping_total", "tax_total")] == [0, 0, 0]


@pytest.mark.parametrize("asking", ["http", "support"])
def test_nobody_but_a_shop_sends_prices(world: World, asking: str) -> None:
    refused = getattr(world, asking)("POST /orders", body=a_priced())
    assert (refused.status, refused.code, refused.body["errors"][0]["field"]) == (403, "PERMISSION_DENIED", "pricing")
    assert world.http("GET /orders/{id}", "order-1").status == 404


REFUSED: list[tuple[str, Any, str]] = [
    ("items", [], "pricing.items"),
    ("items", PRICING["items"][:1], "pricing.items"),
    ("items", PRICING["items"] * 2, "pricing.items"),
    ("items.0", {}, "pricing.items.0.unit_price"),
    ("items.0.unit_price", 999, "pricing.items.0.unit_price"),
    ("items.0.unit_price", usd(-1), "pricing.items.0.unit_price.amount"),
    ("items.0.unit_price", {"amount": 9.99, "currency": "USD"}, "pricing.items.0.unit_price.amount"),
    ("items.0.unit_price", usd(1, "usd"), "pricing.items.0.unit_price.currency"),
    ("items.1.unit_price", usd(1, "EUR"), "pricing.items.1.unit_price.currency"),
    ("items.0.tax", usd(1, "EUR"), "pricing.items.0.tax.currency"),
    ("items.0.tax", usd(-1), "pricing.items.0.tax.amount"),
    ("items.0.discount", usd(1999), "pricing.items.0.discount"),
    ("items.1.discount", usd(2), "pricing.items.1.discount"),
    ("items.1.price", usd(2), "pricing.items.1.price"),
    ("shipping", usd(495), "pricing.shipping.amount"),
    ("shipping.amount", usd(495, "EUR"), "pricing.shipping.amount.currency"),
    ("shipping.tax", usd(47, "EUR"), "pricing.shipping.tax.currency"),
    ("discounts.1.amount", usd(1, "EUR"), "pricing.discounts.1.amount.currency"),
    ("discounts.1.amount", usd(TOTAL + 2), "pricing.discounts"),
    ("discounts.0.code", "", "pricing.discounts.0.code"),
    ("discounts", None, "pricing.discounts"),
    ("total", usd(TOTAL - 1), "pricing.total"),
    ("total", usd(TOTAL + 1), "pricing.total"),
    ("total", usd(TOTAL, "EUR"), "pricing.total.currency"),
    ("taxes", [], "pricing.taxes"),
]


@pytest.mark.parametrize(("path", "value", "field"), REFUSED)
def test_what_does_not_add_up_is_refused_with_its_member(world: World, path: str, value: Any, field: str) -> None:
    refused = world.shop("POST /orders", body=a_priced(with_member(path, value)))
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert field in [error["field"] for error in refused.body["errors"]]
    assert world.http("GET /orders/{id}", "order-1").status == 404


def test_a_total_that_is_not_the_sum_is_told_the_sum(world: World) -> None:
    refused = world.shop("POST /orders", body=a_priced(PRICING | {"total": usd(1)}))
    assert refused.body["errors"] == [{"field": "pricing.total", "message": f"is not the sum, which is {TOTAL} (26.22 USD)"}]


def test_everything_may_be_taken_off(world: World) -> None:
    free = with_member("discounts", [{"amount": usd(TOTAL + 11)}])
    assert world.shop("POST /orders", body=a_priced(free | {"total": usd(0)})).order["total"] == usd(0)


def test_a_shop_s_product_has_to_be_in_the_catalog_and_in_stock(world: World) -> None:
    unknown = a_priced(items=[{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-999", "quantity": 1}])
    refused = world.shop("POST /orders", body=unknown)
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, "items.1.product_id")


def test_a_shop_s_total_decides_whether_an_order_is_reviewed(world: World) -> None:
    dear = {"items": [{"unit_price": usd(25_000)}, {"unit_price": usd(0)}]}
    assert world.shop("POST /orders", body=a_priced(dear)).order["approval"]["status"] == "PENDING"
    off = dear | {"discounts": [{"amount": usd(1)}]}
    assert world.shop("POST /orders", body=a_priced(off) | {"order_id": "order-2"}).order["approval"] is None


def test_the_same_key_with_other_prices_is_another_request(world: World) -> None:
    key = {"idempotency-key": "key-1"}
    assert world.shop("POST /orders", body=a_priced(), headers=key).status == 202
    again = world.shop("POST /orders", body=a_priced(), headers=key)
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
    other = a_priced(with_member("items.1.unit_price", usd(2)))
    assert world.shop("POST /orders", body=other, headers=key).status == 422
    assert world.shop("POST /orders", body=a_body(order_id="order-1", customer_id=CUSTOMER), headers=key).status == 422


# --- a product on several lines ---

PIECES = (("prod-001", 2), ("prod-002", 1), ("prod-001", 3))
TWICE = [{"product_id": product_id, "quantity": pieces} for product_id, pieces in PIECES]


def test_a_product_on_two_lines_is_reserved_and_given_back_as_a_whole(world: World) -> None:
    placed = world.place(items=TWICE)
    assert placed.order["total"] == usd(6000)
    assert [(line["line_id"], line["quantity"]) for line in placed.order["items"]] == [("1", 2), ("2", 1), ("3", 3)]
    world.step("reserve_stock")
    assert (world.pieces("prod-001"), world.pieces("prod-002")) == (95, 99)
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    assert (world.pieces("prod-001"), world.pieces("prod-002")) == (100, 100)
    reserved = world.http("GET /orders/{id}/history", "order-1").body["history"][1]
    assert reserved["metadata"]["items"] == [
        {"product_id": "prod-001", "quantity": 5},
        {"product_id": "prod-002", "quantity": 1},
    ]


# --- the row ---


def test_an_order_without_a_shop_s_prices_is_stored_as_before(world: World) -> None:
    world.place()
    item = items.order_to_item(orders.load(OrderId("order-1")).order)
    assert not {"all_of_lines", "discounts", "shipping_charge"} & set(item)
    assert item["lines"]["S"].startswith('[["prod-001","Product prod-001",2,1000],')


def test_a_release_that_reads_the_first_lines_only_finds_each_product_once_with_all_its_pieces(world: World) -> None:
    world.place(items=TWICE)
    order = orders.load(OrderId("order-1")).order
    stored = items.order_to_item(order)
    assert items.order_from_item(stored) == order
    earlier = items.order_from_item({name: value for name, value in stored.items() if name != "all_of_lines"})
    assert earlier.lines == (
        Line("prod-001", "Product prod-001", 5, order.lines[0].unit_price),
        Line("prod-002", "Product prod-002", 1, order.lines[1].unit_price),
    )
    assert (earlier.pieces, earlier.total) == (order.pieces, order.total)
