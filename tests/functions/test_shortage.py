"""Orders of which not all is in stock, through the functions: placed with each policy, asked about, amended, unanswered."""

from typing import Any

import pytest

from orders.adapters.store import orders
from orders.domain.events import FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus
from orders.domain.steps import CancelReason
from tests.harness.world import STRANGER, World

AMEND = "POST /orders/{id}/amend"
KEY = {"idempotency-key": "amend-1"}
OUT = {"Error": "States.Timeout", "Cause": ""}


def short(world: World, policy: str, stock: int = 1) -> dict[str, Any]:
    """An order of two pieces, of which only so many are there, after its reservation; what that step reports."""
    world.stock("few", stock)
    world.place(product="few", quantity=2, shortage=policy)
    world.follow_up()
    report: dict[str, Any] = world.step("reserve_stock", outcomes=True)
    return report


def asked(world: World) -> None:
    assert short(world, "ask")["stock"] == {"outcome": "short"}
    world.executions.waiting.add("asked")
    assert world.step("ask_customer", task_token="asked", seconds=60) == {}


def waiting(world: World, status: str = "asked") -> list[str]:
    """The desk's queue of orders that wait for their customers."""
    return [order["order_id"] for order in world.support("GET /orders", query={"shortage_status": status}).body["orders"]]


def test_the_default_is_to_cancel(world: World) -> None:
    assert short(world, "cancel")["stock"]["outcome"] == "out_of_stock"
    assert world.pieces("few") == 1


def test_what_is_missing_is_dropped_and_not_charged(world: World) -> None:
    assert short(world, "drop")["stock"] == {"outcome": "reserved"}
    assert world.pieces("few") == 0
    order = world.http("GET /orders/{id}", "order-1").order
    assert (order["items"][0]["quantity_cancelled"], order["total"]["amount"], order["shortage"]) == (1, 1000, None)
    world.go_on(OrderStatus.DELIVERED)
    shown = world.http("GET /orders/{id}", "order-1").body
    assert (shown["payment"]["amount"]["amount"], shown["order"]["items"][0]["quantity_delivered"]) == (1000, 1)
    assert world.http("POST /orders/{id}/return", "order-1", by="grace", groups=["support"]).status == 200
    world.unwind()
    assert world.pieces("few") == 1


def test_the_customer_is_asked_and_takes_what_is_there(world: World) -> None:
    asked(world)
    assert (waiting(world), waiting(world, "ASKED")) == (["order-1"], ["order-1"])
    assert world.http("GET /orders", query={"shortage_status": "asked"}).status == 403
    assert world.support("GET /orders", query={"shortage_status": "told"}).fields == ["shortage_status"]
    order = world.http("GET /orders/{id}", "order-1").order
    assert order["shortage"]["missing"] == [{"line_id": "1", "product_id": "few", "quantity": 1}]
    assert world.pieces("few") == 0
    for route, body in (("PATCH /orders/{id}/status", {"status": "PROCESSING"}), ("POST /orders/{id}/approve", {})):
        assert world.http(route, "order-1", body, by="grace", groups=["support"]).status == 409
    assert world.http(AMEND, "order-1", by=STRANGER).status == 403
    taken = world.http(AMEND, "order-1", headers=KEY)
    assert (taken.status, taken.order["total"]["amount"], taken.order["shortage"]) == (200, 1000, None)
    assert world.http(AMEND, "order-1", headers=KEY).body == taken.body
    assert world.http(AMEND, "order-1").status == 409
    assert world.follow_up() == [FollowUp.ANSWER_AMENDED.name]
    assert "asked" not in world.executions.waiting
    assert waiting(world) == []
    assert world.step("reserve_stock", outcomes=True)["stock"] == {"outcome": "reserved"}
    world.go_on(OrderStatus.DELIVERED)
    world.add_up()


@pytest.mark.parametrize("end", ["cancel", "silence"])
def test_an_order_that_is_not_amended_gives_back_what_was_reserved(world: World, end: str) -> None:
    asked(world)
    if end == "cancel":
        assert world.http("POST /orders/{id}/cancel", "order-1").order["cancellation"]["reason"] == "customer"
    else:
        world.step("begin_unwinding", run=1, so_far={"failure": OUT})
        order = world.http("GET /orders/{id}", "order-1").order
        assert (order["status"], order["cancellation"]["reason"]) == ("CANCELLED", "out_of_stock")
    assert waiting(world) == []
    world.unwind()
    assert (world.pieces("few"), world.figures("few")) == (1, (0, 0))
    assert orders.load(OrderId("order-1")).payment is None


def test_an_answer_that_comes_as_the_wait_runs_out_counts(world: World) -> None:
    asked(world)
    assert world.http(AMEND, "order-1").status == 200
    world.step("begin_unwinding", run=1, so_far={"failure": OUT})
    order = orders.load(OrderId("order-1")).order
    assert (order.status, order.run, order.is_over) == (OrderStatus.PENDING, 2, False)


def test_an_approved_order_whose_customer_does_not_answer_is_cancelled_as_well(world: World) -> None:
    world.stock("few", 1)
    world.place(product="few", quantity=2, shortage="ask", require_approval=True)
    world.follow_up()
    assert world.support("POST /orders/{id}/approve", "order-1").status == 200
    world.follow_up()
    assert world.step("reserve_stock", outcomes=True)["stock"] == {"outcome": "short"}
    world.step("ask_customer", task_token="asked", seconds=60)
    world.step("begin_unwinding", run=1, so_far={"failure": OUT})
    order = orders.load(OrderId("order-1")).order
    assert (order.status, order.run) == (OrderStatus.CANCELLED, 1)
    assert order.cancellation
    assert order.cancellation.reason is CancelReason.OUT_OF_STOCK


def test_an_answer_that_came_before_the_wait_began_ends_it(world: World) -> None:
    assert short(world, "ask")["stock"] == {"outcome": "short"}
    assert world.http(AMEND, "order-1").status == 200
    world.executions.waiting.add("asked")
    world.step("ask_customer", task_token="asked", seconds=60)
    assert "asked" not in world.executions.waiting


def test_a_fulfillment_event_does_not_run_ahead_of_the_answer(world: World) -> None:
    asked(world)
    refused = world.http("PATCH /orders/{id}/status", "order-1", {"status": "PROCESSING"}, by="grace", groups=["support"])
    assert (refused.status, refused.body["title"]) == (409, "Waiting for the customer's answer")


@pytest.mark.parametrize("answer", ["amend", "cancel", "silence"])
def test_an_item_is_unavailable_and_its_customer_amends_cancels_or_says_nothing(world: World, answer: str) -> None:
    """As in Temporal's reference application: one item is there and another is not, and the order waits for its customer."""
    world.stock("nike", 5)
    world.stock("adidas", 0)
    items = [{"product_id": "nike", "quantity": 2}, {"product_id": "adidas", "quantity": 1}]
    world.place(items=items, shortage="ask")
    world.follow_up()
    assert world.step("reserve_stock", outcomes=True)["stock"] == {"outcome": "short"}
    world.executions.waiting.add("asked")
    world.step("ask_customer", task_token="asked", seconds=60)
    missing = world.http("GET /orders/{id}", "order-1").order["shortage"]["missing"]
    assert missing == [{"line_id": "2", "product_id": "adidas", "quantity": 1}]
    if answer == "silence":
        world.step("begin_unwinding", run=1, so_far={"failure": OUT})
    else:
        assert world.http(f"POST /orders/{{id}}/{answer}", "order-1").status == 200
    if answer == "amend":
        world.follow_up()
        world.go_on(OrderStatus.DELIVERED)
        shown = world.http("GET /orders/{id}", "order-1").body
        assert [(one["quantity_cancelled"], one["quantity_delivered"]) for one in shown["order"]["items"]] == [(0, 2), (1, 0)]
        assert shown["payment"]["amount_captured"] == {"amount": 2000, "currency": "USD"}
        assert (world.pieces("nike"), world.figures("nike")) == (3, (0, 2))
    else:
        world.unwind()
        shown = world.http("GET /orders/{id}", "order-1").body
        reason = {"cancel": "customer", "silence": "out_of_stock"}[answer]
        assert (shown["order"]["status"], shown["order"]["cancellation"]["reason"]) == ("CANCELLED", reason)
        assert (shown["payment"], world.pieces("nike"), world.figures("nike")) == (None, 5, (0, 0))
    world.add_up()
