"""``POST /orders``: one wish, one order, whatever the network does; and nothing at all for a wish that is refused."""

import json
import re
from typing import Any

import pytest

from orders.adapters.store import orders
from orders.domain.order import Change
from orders.domain.statuses import OrderStatus
from tests.harness.bodies import HOME, a_body
from tests.harness.events import a_batch, http_event
from tests.harness.world import CUSTOMER, STRANGER, World

KEY = {"idempotency-key": "key-1"}


def post(world: World, body: Any, **more: Any) -> Any:
    return world.http("POST /orders", None, body, **more)


def orders_in_the_table(world: World) -> list[str]:
    return [item["order_id"]["S"] for item in world.everything() if item.get("kind") == {"S": "order"}]


def test_an_order_is_taken_and_can_be_found_where_the_answer_says(world: World) -> None:
    answer = post(world, a_body())
    assert answer.status == 202
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", answer.order["order_id"])
    assert answer.headers["location"] == f"/orders/{answer.order['order_id']}"
    assert answer.headers["etag"] == '"1"'
    found = world.http("GET /orders/{id}", answer.order["order_id"])
    assert found.body == answer.body
    assert (answer.order["status"], answer.order["customer_id"]) == ("PENDING", CUSTOMER)
    assert answer.order["total"] == {"amount": 3000, "currency": "USD"}


def test_prices_come_from_the_catalog_of_that_moment(world: World) -> None:
    order_id = post(world, a_body()).order["order_id"]
    world.stock("prod-001", 100, price=99_999)
    assert world.http("GET /orders/{id}", order_id).order["items"][0]["unit_price"]["amount"] == 1000


def test_the_workflow_is_started_once_by_what_was_written(world: World) -> None:
    world.place()
    assert world.follow_up() == ["START_FULFILLMENT"]
    world.invoke("drive_workflow", a_batch(world.records()))
    assert world.executions.running() == ["fulfil order-1"]
    (execution,) = world.executions.executions.values()
    started = json.loads(execution["input"])
    assert started["order_id"] == "order-1"
    waits = started["waits"]
    assert (waits["preparation"], waits["delivery"], waits["transit"]) == (5, 10, 10)
    assert 0 <= waits["payment"] <= 5
    assert all(isinstance(seconds, int) for seconds in waits.values()), "the service takes whole seconds only"


@pytest.mark.parametrize(
    ("pieces", "asked", "reviewed"), [(1, None, False), (50, None, True), (49, None, False), (1, True, True)]
)
def test_a_dear_order_and_one_that_asks_for_it_are_reviewed(
    world: World, pieces: int, asked: bool | None, reviewed: bool
) -> None:
    items = [{"product_id": "prod-001", "quantity": pieces}]
    answer = post(world, a_body(items=items, require_approval=asked))
    assert (answer.order["approval"] is not None) is reviewed


@pytest.mark.parametrize(
    ("thresholds", "currency", "total", "reviewed"),
    [
        ("", "USD", 50_000, True),
        ("", "JPY", 10_000_000, False),
        ("EUR=40000,JPY=75000", "JPY", 75_000, True),
        ("EUR=40000,JPY=75000", "JPY", 74_999, False),
        ("EUR=40000,JPY=75000", "EUR", 40_000, True),
        ("EUR=40000,JPY=75000", "EUR", 39_999, False),
        ("EUR=40000,JPY=75000", "USD", 49_999, False),
        ("EUR=40000,JPY=75000", "USD", 50_000, True),
        ("EUR=40000,JPY=75000", "HUF", 10_000_000, False),
        ("USD=60000", "USD", 59_999, False),
        ("USD=60000", "USD", 60_000, True),
        ("USD=0", "USD", 0, True),
    ],
)
def test_each_currency_has_its_own_threshold(
    world: World, monkeypatch: pytest.MonkeyPatch, thresholds: str, currency: str, total: int, reviewed: bool
) -> None:
    monkeypatch.setenv("REVIEW_THRESHOLDS", thresholds)
    world.stock("vase", 1, price=total, currency=currency)
    assert (post(world, a_body(product="vase")).order["approval"] is not None) is reviewed


# --- ids ---


def test_an_order_may_bring_its_id_but_not_somebody_elses(world: World) -> None:
    assert world.place("my.order_1-A").order["order_id"] == "my.order_1-A"
    answer = post(world, a_body(order_id="my.order_1-A"), by=STRANGER)
    assert (answer.status, answer.code) == (409, "ALREADY_EXISTS")
    assert world.order("my.order_1-A").customer_id == CUSTOMER


def test_two_orders_without_a_key_are_two_orders(world: World) -> None:
    assert post(world, a_body()).order["order_id"] != post(world, a_body()).order["order_id"]


# --- for whom ---


def test_a_customer_orders_for_themselves_only(world: World) -> None:
    assert post(world, a_body(customer_id=CUSTOMER)).status == 202
    answer = post(world, a_body(customer_id=STRANGER))
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("group", ["support", "admin"])
def test_staff_orders_for_a_customer(world: World, group: str) -> None:
    answer = post(world, a_body(customer_id=CUSTOMER), by="grace", groups=[group])
    assert answer.order["customer_id"] == CUSTOMER
    assert world.http("GET /orders/{id}", answer.order["order_id"]).status == 200


# --- the idempotency key ---


def test_the_same_key_and_body_answer_the_same_order_and_start_nothing_new(world: World) -> None:
    first = post(world, a_body(), headers=KEY)
    again = post(world, a_body(), headers=KEY)
    assert again.status == 202
    assert again.body == first.body
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert orders_in_the_table(world) == [first.order["order_id"]]


def test_a_key_still_holds_when_the_order_is_over_and_the_shelves_are_empty(world: World) -> None:
    order_id = world.place(headers=KEY).order["order_id"]
    world.go_on(OrderStatus.RETURNED)
    world.unwind()
    world.stock("prod-001", 0, price=5)
    again = post(world, a_body(order_id=order_id), headers=KEY)
    assert (again.status, again.order["status"]) == (202, "RETURNED")


def test_a_key_still_holds_when_a_products_currency_has_changed(world: World) -> None:
    first = post(world, a_body(), headers=KEY)
    world.stock("prod-001", 100, currency="EUR")
    again = post(world, a_body(), headers=KEY)
    assert again.status == 202
    assert again.order["order_id"] == first.order["order_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"items": [{"product_id": "prod-001", "quantity": 3}]},
        {"token": "tok_other"},
        {"method": "BANK_TRANSFER"},
        {"require_approval": True},
        {"order_id": "another"},
        {"shipping_address": HOME | {"city": "Ockham"}},
    ],
)
def test_a_key_used_for_another_body_is_refused(world: World, change: dict[str, Any]) -> None:
    first = post(world, a_body(), headers=KEY)
    answer = post(world, a_body(**change), headers=KEY)
    assert (answer.status, answer.code) == (422, "IDEMPOTENCY_MISMATCH")
    assert orders_in_the_table(world) == [first.order["order_id"]]


def test_another_key_for_a_taken_id_is_refused(world: World) -> None:
    world.place(headers=KEY)
    answer = post(world, a_body(order_id="order-1"), headers={"idempotency-key": "key-2"})
    assert (answer.status, answer.code) == (409, "ALREADY_EXISTS")


def test_each_customer_has_keys_of_their_own(world: World) -> None:
    mine = post(world, a_body(), headers=KEY)
    theirs = post(world, a_body(), headers=KEY, by=STRANGER)
    assert mine.order["order_id"] != theirs.order["order_id"]
    assert theirs.order["customer_id"] == STRANGER


@pytest.mark.parametrize("same", [True, False])
def test_of_two_posts_at_once_one_makes_the_order(world: World, monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    real, winners = orders.commit, []

    def beaten(change: Change, record: Any = None) -> None:
        monkeypatch.setattr(orders, "commit", real)
        winners.append(post(world, a_body() if same else a_body(token="tok_other"), headers=KEY))
        real(change, record)

    monkeypatch.setattr(orders, "commit", beaten)
    late = post(world, a_body(), headers=KEY)
    assert late.status == (202 if same else 422)
    assert orders_in_the_table(world) == [winners[0].order["order_id"]]
    if same:
        assert late.order["order_id"] == winners[0].order["order_id"]


@pytest.mark.parametrize("key", ["", " ", "a" * 256, " a", "a ", "kéy", "a\nb", "a\tb"])
def test_a_malformed_key_is_refused_by_its_name(world: World, key: str) -> None:
    answer = post(world, a_body(), headers={"idempotency-key": key})
    assert (answer.status, answer.fields) == (400, ["Idempotency-Key"])
    assert orders_in_the_table(world) == []


@pytest.mark.parametrize("key", ["a", "a" * 255, '"quoted"', "with space", "~!@#$%^&*()", "a#b#c"])
def test_any_printable_key_is_taken(world: World, key: str) -> None:
    first = post(world, a_body(), headers={"idempotency-key": key})
    assert post(world, a_body(), headers={"idempotency-key": key}).order["order_id"] == first.order["order_id"]


# --- what is refused leaves nothing behind ---


@pytest.mark.parametrize(
    ("raw", "status", "field"),
    [
        (json.dumps(a_body(items=[{"product_id": "no-such", "quantity": 1}])), 400, "items.0.product_id"),
        (
            json.dumps(a_body(items=[{"product_id": "prod-001", "quantity": 1}, {"product_id": "nope", "quantity": 1}])),
            400,
            "items.1.product_id",
        ),
        (json.dumps(a_body(items=[])), 400, "items"),
        (json.dumps(a_body(items=[{"product_id": "prod-001", "quantity": 0}])), 400, "items.0.quantity"),
        (json.dumps(a_body(method="BITCOIN")), 400, "payment.method"),
        (json.dumps(a_body() | {"gift": True}), 400, "gift"),
        (json.dumps(a_body(order_id="a b")), 400, "order_id"),
        ("{", 400, "body"),
        ("", 400, "items"),
        ("null", 400, "body"),
        (json.dumps(a_body() | {"note": "x" * 200_000}), 413, "body"),
    ],
)
def test_a_refused_order_leaves_nothing_behind(world: World, raw: str, status: int, field: str) -> None:
    before = world.everything()
    answer = world.http("POST /orders", raw=raw, headers=KEY)
    assert answer.status == status
    assert field in answer.fields
    assert answer.code == "INVALID_ARGUMENT"
    assert world.everything() == before


def test_products_of_two_currencies_make_no_order(world: World) -> None:
    world.stock("prod-002", 100, currency="EUR")
    answer = post(world, a_body())
    assert (answer.status, answer.fields) == (400, ["items"])


def test_a_body_may_come_in_base64(world: World) -> None:
    event = http_event("POST /orders", claims={"sub": CUSTOMER}, body="/w==") | {"isBase64Encoded": True}
    assert world.invoke("place_order", event)["statusCode"] == 400


def test_nothing_that_the_gateway_may_leave_out_breaks_the_door(world: World) -> None:
    left_out = dict.fromkeys(("pathParameters", "queryStringParameters", "body"))
    event = http_event("POST /orders", claims={"sub": CUSTOMER}) | left_out
    assert world.invoke("place_order", event)["statusCode"] == 400
    assert world.invoke("place_order", event | {"headers": None})["statusCode"] == 401
