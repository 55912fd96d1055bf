"""An order that comes to nothing has no payment: no provider is called, and nobody is told of money."""

import json
from typing import Any

import pytest

from orders.adapters.payments import simulated
from orders.adapters.store import keys, orders, table
from orders.domain import notifications
from orders.domain.decisions import paying
from orders.domain.errors import OrderChanged
from orders.domain.events import ORDER_STATUS_CHANGED
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot
from orders.domain.statuses import OrderStatus, PaymentMethod, PaymentStatus
from orders.services import changes
from tests.harness.bodies import a_body
from tests.harness.events import a_batch, a_message, refused
from tests.harness.orders import OPENED, a_free_order, later
from tests.harness.world import World

METHODS = [method.value for method in PaymentMethod]


@pytest.fixture
def free(world: World) -> World:
    """A world with a product that costs nothing."""
    world.stock("leaflet", 100, price=0)
    return world


def shown(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.http("GET /orders/{id}", "order-1").body
    return found


def steps(world: World) -> dict[str, str]:
    progress = world.http("GET /orders/{id}/status", "order-1").body
    return {step["name"]: step["status"] for step in progress["steps"]}


@pytest.mark.parametrize("method", METHODS)
def test_it_goes_on_without_a_payment_and_is_delivered(free: World, method: str) -> None:
    free.place(product="leaflet", method=method)
    free.follow_up()
    free.go_on(OrderStatus.PROCESSING)
    assert shown(free)["payment"] is None
    assert shown(free)["order"]["status"] == "PROCESSING"
    assert steps(free)["Payment Processing"] == "SKIPPED"
    assert free.trail()[-1] == "PAYMENT_SKIPPED"
    assert free.step("charge_payment")["status"] == "PROCESSING"
    free.executions.waiting.add("ship-order-1")
    free.step("ship_parcel", task_token="ship-order-1", transit=10)
    free.step("deliver_order")
    progress = free.http("GET /orders/{id}/status", "order-1").body
    assert (progress["status"], progress["overall_status"]) == ("DELIVERED", "COMPLETED")
    assert shown(free)["payment"] is None
    assert not free.ledger()
    assert not free.items("order-1", "#PAYMENT")


def test_it_keeps_no_token_of_a_card(free: World) -> None:
    free.place(product="leaflet", token="tok_ok")
    assert free.order().payment_token is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_it_ends_with_its_goods_back_and_nothing_refunded(free: World, method: str, end: OrderStatus) -> None:
    free.place(product="leaflet", method=method)
    free.go_on(OrderStatus.DELIVERED if end is OrderStatus.RETURNED else OrderStatus.PROCESSING)
    way = "return" if end is OrderStatus.RETURNED else "cancel"
    assert free.support(f"POST /orders/{{id}}/{way}", "order-1").status == 200
    free.unwind()
    progress = free.http("GET /orders/{id}/status", "order-1").body
    assert (progress["status"], progress["overall_status"]) == (end, "ROLLED_BACK")
    assert steps(free)["Inventory Reservation"] == "COMPENSATED"
    assert steps(free)["Payment Processing"] == "SKIPPED"
    assert free.pieces("leaflet") == 100
    assert not free.ledger()
    assert not {"PAYMENT_REFUNDED", "PAYMENT_VOIDED"} & set(free.trail())
    text = _last_notice()
    assert "There was nothing to pay." in text
    assert "paid" not in text
    assert "charged" not in text


def _last_notice() -> str:
    trail = orders.history(OrderId("order-1"))
    told = [detail for event in trail for kind, detail, _ in notifications.messages(event) if kind == ORDER_STATUS_CHANGED]
    notice = notifications.notice(told[-1])
    assert notice is not None
    return " ".join(notice)


def test_it_is_reviewed_where_that_is_required(free: World) -> None:
    free.place(product="leaflet", require_approval=True)
    free.reserve_for_review()
    assert free.support("POST /orders/{id}/approve", "order-1").status == 200
    assert free.step("charge_payment")["status"] == "PROCESSING"
    assert steps(free)["Manual Review"] == "COMPLETED"


@pytest.mark.parametrize("status", ["PROCESSING", "CONFIRMED"])
def test_by_hand_it_becomes_what_it_can(free: World, status: str) -> None:
    free.place(product="leaflet", method="CASH_ON_DELIVERY")
    answer = free.support("PATCH /orders/{id}/status", "order-1", {"status": status})
    assert answer.status == (200 if status == "PROCESSING" else 409)
    assert shown(free)["payment"] is None


def test_it_counts_as_an_order_that_went_on(free: World) -> None:
    free.place(product="leaflet")
    free.go_on(OrderStatus.DELIVERED)
    details = [
        detail
        for event in orders.history(OrderId("order-1"))
        for kind, detail, _ in notifications.messages(event)
        if kind == ORDER_STATUS_CHANGED
    ]
    assert [detail["new_status"] for detail in details] == ["PENDING", "PROCESSING", "SHIPPED", "DELIVERED"]
    assert not any("Payment Processing" in detail["step_seconds"] for detail in details)


# --- beside an earlier release, which makes a payment of nothing ---


def test_a_payment_of_nothing_that_was_begun_is_brought_to_its_end(world: World) -> None:
    world.stock("leaflet", 100, price=0)
    world.place(product="leaflet")
    world.step("reserve_stock")
    changes.apply(OrderId("order-1"), lambda found: paying.start_payment(found, OPENED, later()))
    world.step("charge_payment")
    payment = world.snapshot().payment
    assert payment is not None
    assert payment.status is PaymentStatus.COMPLETED
    assert [entry["amount"] for entry in world.ledger()] == [0]


def test_what_is_said_of_a_payment_of_nothing_is_recorded_and_asks_nobody(world: World) -> None:
    """Its provider may know nothing of it, and would be asked again and again."""
    world.stock("leaflet", 100, price=0)
    world.place(product="leaflet", method="BANK_TRANSFER")
    world.step("reserve_stock")
    changes.apply(OrderId("order-1"), lambda found: paying.start_payment(found, OPENED, later()))
    said = {"detail-type": "payment.confirmed", "source": "bank", "detail": {"event_id": "b-1", "order_id": "order-1"}}
    assert refused(world.invoke("on_payment_event", a_batch([a_message(json.dumps(said))]))) == []
    assert world.trail()[-1] == "PAYMENT_REPORTED"


def test_cash_that_was_agreed_on_is_collected_with_the_parcel(world: World) -> None:
    world.place(method="CASH_ON_DELIVERY")
    world.go_on(OrderStatus.CONFIRMED)
    table.set_attributes(keys.order_key(OrderId("order-1")), {"total": {"N": "0"}})
    table.set_attributes(keys.payment_key(OrderId("order-1")), {"amount": {"N": "0"}})
    world.executions.waiting.add("ship-order-1")
    world.step("ship_parcel", task_token="ship-order-1", transit=10)
    world.step("deliver_order")
    payment = world.snapshot().payment
    assert payment is not None
    assert payment.status is PaymentStatus.COMPLETED
    assert world.support("POST /orders/{id}/return", "order-1").status == 200
    world.unwind()
    assert world.ledger() == [], "nothing was collected, and nothing is handed out"
    assert world.snapshot().refunds == ()


def test_a_payment_that_another_release_begins_meanwhile_is_found_by_the_next_try() -> None:
    life = a_free_order().reserve()
    begun = paying.start_payment(life.snapshot, OPENED, life.tick())
    assert begun is not None
    with pytest.raises(OrderChanged):
        paying.skip_payment(Snapshot(begun.order, begun.payment), life.tick())


# --- more than nothing, and less than the provider takes ---


@pytest.mark.parametrize(
    ("price", "currency", "method", "status"),
    [
        (49, "USD", "CREDIT_CARD", 400),
        (49, "USD", "BANK_TRANSFER", 400),
        (50, "USD", "CREDIT_CARD", 202),
        (0, "USD", "CREDIT_CARD", 202),
        (49, "USD", "CASH_ON_DELIVERY", 202),
        (49, "JPY", "CREDIT_CARD", 202),
    ],
)
def test_what_the_provider_would_not_take_is_refused_when_the_order_is_placed(
    world: World, monkeypatch: pytest.MonkeyPatch, price: int, currency: str, method: str, status: int
) -> None:
    monkeypatch.setattr(simulated, "MINIMUM", {"USD": 50}, raising=False)
    world.stock("pin", 100, price=price, currency=currency)
    answer = world.http("POST /orders", body=a_body(product="pin", method=method))
    assert answer.status == status, answer.text
    if status == 400:
        assert answer.body["errors"] == [
            {"field": "items", "message": "come to 0.49 USD, and 0.50 USD is the least that can be paid."}
        ]


def test_the_shop_s_own_total_counts_and_a_key_still_leads_to_its_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    price = {"unit_price": {"amount": 30, "currency": "USD"}, "tax": {"amount": 19, "currency": "USD"}}
    body = a_body(product="prod-001", customer_id="ada") | {"pricing": {"items": [price]}}
    key = {"idempotency-key": "key-1"}
    first = world.shop("POST /orders", body=body, headers=key)
    monkeypatch.setattr(simulated, "MINIMUM", {"USD": 50}, raising=False)
    again = world.shop("POST /orders", body=body, headers=key)
    assert (again.status, again.order["order_id"]) == (202, first.order["order_id"])
    assert world.shop("POST /orders", body=body).status == 400
    dearer = {"items": [price | {"tax": {"amount": 20, "currency": "USD"}}]}
    assert world.shop("POST /orders", body=body | {"pricing": dearer}).status == 202
