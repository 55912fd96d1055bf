"""A whole order with the real handlers, from the HTTP request to its end: what it comes to, and what it costs (``shop``)."""

from typing import Any

import pytest

from orders.adapters.store import catalog, orders
from orders.domain.events import FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus, OverallStatus, PaymentStatus, StepStatus
from orders.domain.steps import CancelReason, StepName
from tests.harness.caches import forget_settings
from tests.statemachine.shop import Shop, charge_of

ADDRESS = {"name": "Ada", "line1": "1 Main St", "city": "London", "postal_code": "N1 9GU", "country": "GB"}


def stock() -> dict[str, int]:
    return {product_id: product.stock for product_id, product in catalog.products(["prod-001", "prod-002"]).items()}


# --- what an order costs (README quotes these) ---


def test_figures_of_a_delivered_order(shop: Shop) -> None:
    snapshot = shop.place("delivered")
    assert snapshot.order.status is OrderStatus.DELIVERED
    assert snapshot.order.overall is OverallStatus.COMPLETED
    assert (charge_of(snapshot), stock()) == ("charged", {"prod-001": 98, "prod-002": 99})
    assert shop.costs.transitions == 9
    assert shop.costs.invocations == {
        "place_order": 1,
        "reserve_stock": 1,
        "charge_payment": 1,
        "ship_parcel": 1,
        "deliver_order": 1,
        "drive_workflow": 1,
    }
    assert shop.costs.requests == {
        "place_order": 2,
        "drive_workflow": 1,
        "reserve_stock": 2,
        "charge_payment": 3,
        "ship_parcel": 3,
        "deliver_order": 2,
        "(simulated parties)": 2,
    }
    assert (shop.costs.own_requests, shop.costs.total_requests, shop.costs.transactions) == (13, 15, 7)


def test_figures_of_a_declined_order(shop: Shop) -> None:
    snapshot = shop.place("declined", payment={"method": "CREDIT_CARD", "token": "tok_declined"})
    order = snapshot.order
    assert (order.status, order.overall) == (OrderStatus.CANCELLED, OverallStatus.ROLLED_BACK)
    assert order.cancellation
    assert order.cancellation.reason is CancelReason.PAYMENT_FAILED
    assert snapshot.payment
    assert (snapshot.payment.status, snapshot.payment.failure_reason) == (PaymentStatus.FAILED, "The card was declined.")
    assert (charge_of(snapshot), stock()) == ("declined", {"prod-001": 100, "prod-002": 100})
    assert order.step(StepName.PAYMENT).error_message == "The card was declined."
    # Fulfillment: start, seven states. Unwinding: start, choice, release, close.
    assert shop.costs.transitions == 8 + 4
    assert shop.costs.invocations.total() == 8
    assert (shop.costs.own_requests, shop.costs.total_requests, shop.costs.transactions) == (15, 16, 6)


def test_figures_of_an_order_there_is_nothing_left_for(shop: Shop) -> None:
    snapshot = shop.place("sold-out", items=[{"product_id": "prod-001", "quantity": 101}])
    order = snapshot.order
    assert order.cancellation
    assert (order.status, order.cancellation.reason) == (OrderStatus.CANCELLED, CancelReason.OUT_OF_STOCK)
    assert (snapshot.payment, snapshot.shipment, stock()["prod-001"]) == (None, None, 100)
    assert (shop.costs.transitions, shop.costs.invocations["begin_unwinding"]) == (5, 1)
    assert shop.costs.total_requests == shop.costs.own_requests == 9


def test_figures_of_an_order_paid_at_the_door(shop: Shop) -> None:
    snapshot = shop.place("cash", payment={"method": "CASH_ON_DELIVERY"})
    assert snapshot.order.status is OrderStatus.DELIVERED
    assert snapshot.payment
    assert (snapshot.payment.status, charge_of(snapshot)) == (PaymentStatus.COMPLETED, "charged")
    assert [event.status for event in orders.history(OrderId("cash"))] == [
        OrderStatus.PENDING,
        OrderStatus.PENDING,
        OrderStatus.CONFIRMED,
        OrderStatus.PROCESSING,
        OrderStatus.SHIPPED,
        OrderStatus.DELIVERED,
    ]
    assert shop.costs.transitions == 9
    # One more read than with a card: what follows from the delivery enters the cash too, if whoever delivered could not.
    assert (shop.costs.own_requests, shop.costs.total_requests, shop.costs.transactions) == (13, 16, 6)


def test_figures_of_an_order_whose_payment_fails_twice(shop: Shop) -> None:
    snapshot = shop.place("flaky", payment={"method": "CREDIT_CARD", "token": "tok_flaky_2"})
    assert (snapshot.order.status, charge_of(snapshot)) == (OrderStatus.DELIVERED, "charged")
    assert shop.costs.transitions == 9 + 2
    assert shop.costs.invocations["charge_payment"] == 3


def test_figures_of_a_reviewed_order(shop: Shop) -> None:
    snapshot = shop.place("reviewed", review="approve")
    assert snapshot.order.status is OrderStatus.DELIVERED
    assert shop.costs.transitions == 10


# --- what is billed on every way, with both waits and with none ---

PATHS: dict[str, tuple[dict[str, Any], int, int]] = {
    "delivered": ({}, 9, 7),
    "paid in cash": ({"payment": {"method": "CASH_ON_DELIVERY"}}, 9, 7),
    "reviewed": ({"review": "approve"}, 10, 9),
    "rejected": ({"review": "reject"}, 6 + 4, 6 + 4),
    "never reviewed": ({"require_approval": True}, 6 + 4, 6 + 4),
    "out of stock": ({"items": [{"product_id": "prod-001", "quantity": 101}]}, 5, 5),
    "declined": ({"payment": {"method": "CREDIT_CARD", "token": "tok_declined"}}, 8 + 4, 7 + 4),
    "refused by the carrier": ({"shipping_address": ADDRESS | {"postal_code": "N1-refused"}}, 10 + 6, 8 + 6),
}
"""Each way through the machines: how an order is placed that takes it, and its transitions, those of the unwinding included."""


@pytest.mark.parametrize("waits", ["both waits", "no wait"])
@pytest.mark.parametrize("path", PATHS)
def test_what_is_billed(shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str, waits: str) -> None:
    placed, with_waits, without = PATHS[path]
    if waits == "no wait":
        for setting in ("PAYMENT_WAIT_SECONDS", "PREPARATION_WAIT_SECONDS"):
            monkeypatch.setenv(setting, "0")
        forget_settings()
    shop.place(f"{path} {waits}".replace(" ", "-"), **placed)
    assert shop.costs.transitions == (without if waits == "no wait" else with_waits)


# --- what an execution shows ---


@pytest.mark.parametrize("path", PATHS)
def test_an_execution_shows_what_was_done_and_nothing_personal(shop: Shop, path: str) -> None:
    placed, _, _ = PATHS[path]
    address = {
        **ADDRESS,
        **placed.get("shipping_address", {}),
        "name": "Wilhelmina Q",
        "line1": "77 Quill Row",
        "city": "Oxbow",
    }
    snapshot = shop.place(f"shown-{path}".replace(" ", "-"), **{**placed, "shipping_address": address})
    (fulfillment, status), *unwinding = shop.histories()
    is_delivered = snapshot.order.status is OrderStatus.DELIVERED
    assert status == ("SUCCEEDED" if is_delivered else "FAILED")
    assert [status for _, status in unwinding] in ([], ["SUCCEEDED"])
    ids = [part.payment_id for part in [snapshot.payment] if part]
    ids += [part.tracking_number or part.shipment_id for part in [snapshot.shipment] if part]
    assert all(one in fulfillment for one in ids), "what was done is shown"
    words = ["Wilhelmina", "Quill", "Oxbow", "tok_", '"ada"', address["postal_code"]]
    assert [word for word in words for history, _ in [(fulfillment, status), *unwinding] if word in history] == []


# --- the other ways an order ends ---


def test_a_rejected_order_gives_its_goods_back(shop: Shop) -> None:
    snapshot = shop.place("rejected", review="reject")
    order = snapshot.order
    assert order.cancellation
    assert (order.status, order.cancellation.reason) == (OrderStatus.CANCELLED, CancelReason.APPROVAL_REJECTED)
    assert (snapshot.payment, stock()) == (None, {"prod-001": 100, "prod-002": 100})
    assert order.overall is OverallStatus.ROLLED_BACK


def test_an_order_nobody_reviews_gives_its_goods_back(shop: Shop) -> None:
    snapshot = shop.place("silent", require_approval=True)
    order = snapshot.order
    assert order.cancellation
    assert (order.status, order.cancellation.reason) == (OrderStatus.CANCELLED, CancelReason.APPROVAL_TIMEOUT)
    assert stock() == {"prod-001": 100, "prod-002": 100}


def test_a_parcel_nobody_takes_is_refunded(shop: Shop) -> None:
    snapshot = shop.place("refused", shipping_address=ADDRESS | {"postal_code": "N1-refused"})
    order = snapshot.order
    assert order.cancellation
    assert (order.status, order.cancellation.reason) == (OrderStatus.CANCELLED, CancelReason.SHIPPING_FAILED)
    assert (charge_of(snapshot), stock()) == ("refunded", {"prod-001": 100, "prod-002": 100})
    undone = {step.name: step.status for step in order.steps}
    assert undone[StepName.PAYMENT] is undone[StepName.INVENTORY] is StepStatus.COMPENSATED


@pytest.mark.parametrize("token", ["tok_flaky_6", "tok_timeout_3"])
def test_a_gateway_that_comes_round_charges_once(shop: Shop, token: str) -> None:
    snapshot = shop.place(f"patient-{token}", payment={"method": "CREDIT_CARD", "token": token})
    assert (snapshot.order.status, charge_of(snapshot)) == (OrderStatus.DELIVERED, "charged")


def test_a_gateway_that_stays_away_leaves_nothing_behind(shop: Shop) -> None:
    snapshot = shop.place("dead", payment={"method": "CREDIT_CARD", "token": "tok_flaky_99"})
    assert (snapshot.order.status, snapshot.order.is_over) == (OrderStatus.PENDING, False), "it is no declined card"
    snapshot = shop.cancel("dead")
    assert snapshot.order.status is OrderStatus.CANCELLED
    assert (charge_of(snapshot), stock()) == ("voided", {"prod-001": 100, "prod-002": 100})


def test_nothing_follows_from_an_order_that_is_done(shop: Shop) -> None:
    shop.place("done")
    assert [event.follow_up for event in orders.history(OrderId("done")) if event.follow_up] == [FollowUp.START_FULFILLMENT]
