"""What callers see (``docs/behavior.md#shapes``), and never a credential."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orders.adapters.workflow import HIDDEN, execution_name, fit_to_show, order_of_execution
from orders.domain.decisions import delivering, ending, paying, reviewing, shipping
from orders.domain.errors import IllegalTransition, InvalidArgument, OrderError, PermissionDenied, StoreBusy, Unauthenticated
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.order import Snapshot
from orders.domain.products import Product
from orders.domain.statuses import OrderStatus, OverallStatus
from orders.domain.steps import CancelReason
from orders.web import progress_views, views
from orders.web.handling import problem
from orders.web.responses import product_view
from orders.web.views import Audience
from tests.harness.orders import CUSTOMER, HOME, WAITS, Life, a_cod_order, a_dear_order, an_order, later

STAFF = Audience.STAFF

SECRETS = ("secret-approval", "secret-delivery", "tok_secret")


def lives_with_secrets() -> list[Life]:
    lives = [an_order(status, payment_token="tok_secret") for status in OrderStatus if status is not OrderStatus.CONFIRMED]
    lives.append(a_cod_order(OrderStatus.CONFIRMED, payment_token="tok_secret"))
    waiting = a_dear_order(payment_token="tok_secret").reserve()
    waiting.apply(reviewing.request_approval(waiting.snapshot, "secret-approval", 300, later()))
    for life in (*lives, waiting):
        order = replace(life.order, approval_token="secret-approval", delivery_token="secret-delivery")
        life.snapshot = replace(life.snapshot, order=order)
    return [*lives, waiting]


@pytest.mark.parametrize("life", lives_with_secrets(), ids=lambda life: str(life.order.status))
def test_no_credential_is_seen_by_anybody(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = [
        views.snapshot_view(life.snapshot, STAFF),
        progress_views.progress_view(life.snapshot, {}, WAITS, later()),
        views.history_view(OrderId("order-1"), life.trail, STAFF),
    ]
    shown = json.dumps(seen, default=str) + repr(life.snapshot)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("orders").warning("It broke: %r", life.snapshot)
    assert not any(secret in shown + caplog.text for secret in SECRETS)


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def shipped(pieces: int) -> dict[str, int]:
    return {"quantity_cancelled": 0, "quantity_shipped": pieces, "quantity_delivered": 0, "quantity_returned": 0}


def test_an_order_is_shown_with_what_is_promised() -> None:
    life = a_dear_order(OrderStatus.SHIPPED)
    life.apply(delivering.update_location(life.snapshot, "Utrecht", None, life.tick(), "carrier"))
    shown = json.loads(json.dumps(views.snapshot_view(life.snapshot, STAFF)))
    assert set(shown) == {"order", "payment", "shipments", "shipment", "returns", "refunds"}
    assert shown["shipments"] == [shown["shipment"]]
    assert shown["order"] == {
        "order_id": "order-1",
        "customer_id": CUSTOMER,
        "status": "SHIPPED",
        "fulfillment_status": "SHIPPED",
        "version": life.order.version,
        "items": [
            {"line_id": "1", "product_id": "prod-001", "name": "Teapot", "quantity": 2, "unit_price": usd(1000), **shipped(2)},
            {"line_id": "2", "product_id": "prod-002", "name": "Cup", "quantity": 1, "unit_price": usd(1000), **shipped(1)},
        ],
        "subtotal": usd(3000),
        "discount_total": usd(0),
        "shipping_total": usd(0),
        "tax_total": usd(0),
        "total": {"amount": 3000, "currency": "USD"},
        "shipping_address": {
            "name": HOME.name,
            "line1": HOME.line1,
            "city": HOME.city,
            "postal_code": HOME.postal_code,
            "country": HOME.country,
        },
        "created_at": "2026-11-20T12:00:00.000Z",
        "updated_at": shown["order"]["updated_at"],
        "cancellation": None,
        "approval": {"status": "APPROVED", "expires_at": "2026-11-20T12:05:00.000Z", "decided_by": "grace"},
        "hold": None,
        "shortage": None,
    }
    assert shown["payment"] == {
        "payment_id": "pay-1",
        "status": "COMPLETED",
        "amount": {"amount": 3000, "currency": "USD"},
        "method": "CREDIT_CARD",
        "provider": "simulated",
        "provider_reference": "sim_pay-1",
        "amount_captured": usd(3000),
        "amount_refunded": usd(0),
        "created_at": "2026-11-20T12:00:03.000Z",
        "dispute": None,
    }
    assert shown["shipment"] == {
        "shipment_id": "ship-1",
        "items": [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}],
        "shipped_at": "2026-11-20T12:00:06.000Z",
        "tracking_number": "TRACK-1",
        "carrier": "SimEx",
        "status": "IN_TRANSIT",
        "current_location": "Utrecht",
        "estimated_delivery": "2026-11-20T12:00:10.000Z",
        "scans": [],
    }


def test_payment_and_shipment_are_null_until_they_exist() -> None:
    shown = views.snapshot_view(an_order().snapshot, STAFF)
    assert (shown["payment"], shown["shipment"]) == (None, None)
    assert (shown["order"]["cancellation"], shown["order"]["approval"]) == (None, None)


def test_a_cancellation_says_why_and_by_whom() -> None:
    life = an_order()
    life.apply(ending.cancel(life.snapshot, CancelReason.STAFF, life.tick(), "grace", "Customer called"))
    shown = views.order_view(life.order, STAFF)["cancellation"]
    assert shown
    assert (shown["reason"], shown["cancelled_by"], shown["note"]) == ("staff", "grace", "Customer called")


def test_an_order_that_is_being_unwound_is_not_shown_as_cancelled_yet() -> None:
    life = an_order().reserve().start_payment()
    life.apply(paying.payment_declined(life.snapshot, "No.", life.tick()))
    assert (life.order.status, life.order.overall) == (OrderStatus.PENDING, OverallStatus.ROLLING_BACK)
    assert views.order_view(life.order, STAFF)["cancellation"] is None


def test_progress_is_shown_with_what_is_promised() -> None:
    shown = json.loads(
        json.dumps(progress_views.progress_view(an_order(OrderStatus.PROCESSING).snapshot, {}, WAITS, later(10)))
    )
    assert list(shown) == [
        *("order_id", "status", "fulfillment_status", "overall_status"),
        *("current_step", "last_updated", "estimated_completion", "steps"),
    ]
    assert shown["current_step"] == "Shipping Arrangement"
    assert [step["order"] for step in shown["steps"]] == [1, 2, 3, 4, 5]
    assert [step["name"] for step in shown["steps"]] == [
        *("Inventory Reservation", "Manual Review", "Payment Processing", "Shipping Arrangement", "Delivery")
    ]
    assert shown["steps"][1]["status"] == "SKIPPED"
    assert set(shown["steps"][0]) == {"name", "order", "status", "started_at", "completed_at"}
    assert set(shown["steps"][4]) == {"name", "order", "status"}


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_an_order_that_is_over_has_no_estimate_and_no_step_under_way(status: OrderStatus) -> None:
    life = an_order(status)
    if status is not OrderStatus.DELIVERED:
        life.unwind()
    shown = progress_views.progress_view(life.snapshot, {}, WAITS, later())
    assert shown["estimated_completion"] is None
    assert shown["current_step"] is None


def test_a_declined_order_shows_which_steps_were_undone() -> None:
    life = an_order().reserve().start_payment()
    life.apply(paying.payment_declined(life.snapshot, "The card was declined.", life.tick()))
    life.unwind()
    shown = progress_views.progress_view(life.snapshot, {}, WAITS, later())
    assert shown["overall_status"] == "ROLLED_BACK"
    assert [step["status"] for step in shown["steps"]] == ["COMPENSATED", "SKIPPED", "FAILED", "SKIPPED", "SKIPPED"]
    assert shown["steps"][2]["error_message"] == "The card was declined."


def test_every_entry_of_the_trail_has_what_is_promised() -> None:
    for entry in views.history_view(OrderId("order-1"), an_order(OrderStatus.RETURNED).unwind().trail, STAFF)["history"]:
        assert {"version", "event_type", "status", "timestamp", "triggered_by", "metadata"} <= set(entry)


def test_a_product_is_shown_with_its_price_and_stock() -> None:
    shown = product_view(Product("prod-001", "Teapot", Money(1000, "USD"), 7))
    assert shown == {
        "product_id": "prod-001",
        "name": "Teapot",
        "unit_price": {"amount": 1000, "currency": "USD"},
        "stock": 7,
    }


REFUSED: dict[str, Callable[[Snapshot], object]] = {
    "cancel": lambda snapshot: ending.cancel(snapshot, CancelReason.CUSTOMER, later(), CUSTOMER),
    "change address": lambda snapshot: shipping.change_address(snapshot, HOME, later(), CUSTOMER),
    "update location": lambda snapshot: delivering.update_location(snapshot, "Utrecht", None, later(), CUSTOMER),
    "approve": lambda snapshot: reviewing.approve(snapshot, later(), CUSTOMER, None),
    "return": lambda snapshot: ending.return_order(snapshot, later(), CUSTOMER),
    "deliver": lambda snapshot: delivering.deliver(snapshot, later(), CUSTOMER),
    "hand over": lambda snapshot: shipping.start_handover(snapshot, "ship-1", "SimEx", later()),
}


@pytest.mark.parametrize("deed", REFUSED)
def test_a_problem_keeps_the_members_that_the_standard_names(deed: str) -> None:
    with pytest.raises(OrderError) as raised:
        REFUSED[deed](an_order(OrderStatus.CANCELLED).snapshot)
    answer = problem(raised.value, "/orders/order-1")
    body = json.loads(answer["body"])
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert body["status"] == answer["statusCode"] == 409
    assert body["code"] == "FAILED_PRECONDITION"
    assert {"type", "title", "detail", "instance"} <= set(body)


def test_a_refused_transition_says_from_to_and_what_is_allowed() -> None:
    body = json.loads(problem(IllegalTransition("SHIPPED", "CANCELLED", ["RETURNED", "DELIVERED"]), "")["body"])
    assert (body["from"], body["to"], body["allowed"]) == ("SHIPPED", "CANCELLED", ["DELIVERED", "RETURNED"])


@pytest.mark.parametrize(
    ("refusal", "status", "code", "header"),
    [
        (InvalidArgument.of("items", "is empty"), 400, "INVALID_ARGUMENT", None),
        (Unauthenticated("Sign in."), 401, "UNAUTHENTICATED", "www-authenticate"),
        (PermissionDenied("No."), 403, "PERMISSION_DENIED", None),
        (StoreBusy("Busy."), 503, "UNAVAILABLE", "retry-after"),
    ],
)
def test_every_refusal_has_its_code_and_its_headers(refusal: OrderError, status: int, code: str, header: str | None) -> None:
    answer = problem(refusal, "/orders")
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (status, code)
    assert header is None or answer["headers"][header]


def test_no_refusal_can_pass_itself_off_as_another() -> None:
    body = json.loads(problem(OrderError("No.", status="SHIPPED", code="OK", title="", type="x"), "")["body"])
    assert (body["status"], body["code"], body["detail"]) == (409, "FAILED_PRECONDITION", "No.")


# --- executions ---


def test_no_task_token_is_seen_in_an_execution() -> None:
    scheduled = {"Payload": {"order_id": "order-1", "task_token": "secret", "deep": [{"task_token": "secret"}]}}
    view = {
        "name": "order-1",
        "started_at": later(),
        "definition": {"States": {"Ship": {"Parameters": {"task_token.$": "$$.Task.Token"}}}},
        "events": [
            {"id": 1, "timestamp": later(), "taskScheduledEventDetails": {"parameters": json.dumps(scheduled)}},
            {"id": 2, "stateEnteredEventDetails": {"input": json.dumps({"order_id": "task_token"})}},
        ],
    }
    shown = fit_to_show(view, str)
    assert "secret" not in json.dumps(shown)
    assert HIDDEN in json.dumps(shown)
    assert json.loads(shown["events"][1]["stateEnteredEventDetails"]["input"]) == {"order_id": "task_token"}
    assert shown["definition"]["States"]["Ship"]["Parameters"] == {"task_token.$": "$$.Task.Token"}


@pytest.mark.parametrize("order_id", ["order-1", "a_b_c", "2_b", "0", "x" * 64, "a.b-c_9_"])
@pytest.mark.parametrize("run", [1, 2, 10, 999])
def test_an_execution_is_named_by_its_order(order_id: str, run: int) -> None:
    name = execution_name(OrderId(order_id), run)
    assert order_of_execution(name) == order_id
    assert len(name) <= 80


def test_a_repr_of_an_order_keeps_its_secrets() -> None:
    order = an_order().order
    shown = repr(replace(order, payment_token="secret-1", approval_token="secret-2", delivery_token="secret-3"))
    assert "secret" not in shown
    assert order.order_id in shown
