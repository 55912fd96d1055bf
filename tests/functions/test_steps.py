"""The workflow's steps against the table: each run once, run twice, killed in the middle, and raced by a cancellation."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orders.adapters import cash_book
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import orders
from orders.domain.errors import CarrierUnavailable, DeliveryPending, GatewayUnavailable, OrderError, OrderOver, OutcomeUnknown
from orders.domain.order import Change
from orders.domain.statuses import OrderStatus, PaymentStatus, ShipmentStatus
from orders.domain.steps import OutOfStock, PaymentDeclined, ShippingRefused
from tests.harness.bodies import HOME
from tests.harness.world import World

COD = "CASH_ON_DELIVERY"
AT_DUSK: dict[str, Any] = {"task_token": "ship-order-1", "transit": 10}
WAY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reserve_stock", {}),
    ("charge_payment", {}),
    ("ship_parcel", AT_DUSK),
    ("deliver_order", {}),
)


def failure(error: OrderError) -> dict[str, Any]:
    """A task's failure as Step Functions hands it to the next state."""
    cause = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
    return {"Error": type(error).__name__, "Cause": json.dumps(cause)}


def fail_step(world: World, module: str, expected: type[OrderError], **more: Any) -> OrderError:
    with pytest.raises(expected) as raised:
        world.step(module, **more)
    return raised.value


class Killed(BaseException):
    """The execution environment died."""


def killed_at_commit(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The next commit of such an event never happens: the function is gone."""
    real = orders.commit

    def commit(change: Change, *more: Any) -> None:
        if change.event.type.value == kind:
            monkeypatch.setattr(orders, "commit", real)
            raise Killed
        real(change, *more)

    monkeypatch.setattr(orders, "commit", commit)


def before(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, deed: Callable[[], object]) -> None:
    """Does something once, just before the outside party hears of a call."""
    real = getattr(owner, name)

    def hooked(self: object, *arguments: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        deed()
        return real(self, *arguments)

    monkeypatch.setattr(owner, name, hooked)


def after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, deed: Callable[[], object]) -> None:
    """Does something once, just after the outside party has answered."""
    real = getattr(owner, name)

    def hooked(self: object, *arguments: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        answer = real(self, *arguments)
        deed()
        return answer

    monkeypatch.setattr(owner, name, hooked)


# --- the whole way ---


def test_an_order_lives_from_placed_to_delivered(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    assert world.trail() == [
        *("ORDER_PLACED", "STOCK_RESERVED", "PAYMENT_STARTED", "PAYMENT_COMPLETED"),
        *("HANDOVER_STARTED", "ORDER_SHIPPED", "ORDER_DELIVERED"),
    ]
    assert world.ledger() == [{"state": "charged", "amount": 3000, "currency": "USD"}]
    assert (world.pieces("prod-001"), world.pieces("prod-002")) == (98, 99)
    world.add_up()


def test_every_step_run_twice_is_run_once(world: World) -> None:
    world.place()
    for module, more in WAY:
        first = world.step(module, **more)
        version = world.order().version
        assert world.step(module, **more) == first
        assert world.order().version == version
    assert len(world.ledger()) == len(world.ledger("CARRIER")) == 1
    world.add_up()


def test_every_step_may_come_late_and_out_of_turn(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    version = world.order().version
    for module in ("reserve_stock", "charge_payment", "deliver_order", "release_stock", "close_order"):
        world.step(module)
    world.executions.waiting.add("late")
    world.step("ship_parcel", task_token="late", transit=10)
    assert world.executions.answers["late"]["status"] == "DELIVERED"
    assert world.order().version == version
    world.add_up()


def test_cash_on_delivery_is_charged_when_it_is_delivered_and_not_before(world: World) -> None:
    world.live(OrderStatus.CONFIRMED, method=COD)
    assert world.ledger() == []
    world.step("ship_parcel", **AT_DUSK)
    assert world.order().status is OrderStatus.SHIPPED
    assert "HANDOVER_STARTED" in world.trail()
    assert world.ledger() == []
    world.step("deliver_order")
    world.step("deliver_order")
    assert world.ledger() == [{"state": "charged", "amount": 3000, "currency": "USD", "cash": True}]
    world.add_up()


def test_cash_is_in_the_books_though_the_function_was_killed_before_it_wrote_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(OrderStatus.SHIPPED, method=COD)
    with monkeypatch.context() as patch:
        patch.setattr(cash_book, "collect", _killed)
        with pytest.raises(Killed):
            world.step("deliver_order")
    assert world.ledger() == []
    world.step("deliver_order")
    assert [entry["state"] for entry in world.ledger()] == ["charged"]


def _killed(*_: Any) -> None:
    raise Killed


def test_cash_that_a_carrier_reported_is_in_the_books_though_the_function_was_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    world.live(OrderStatus.PENDING, method=COD)
    for module, more in WAY[:3]:
        world.step(module, **more)
    world.executions.waiting.add("ship-order-1")
    with monkeypatch.context() as patch:
        patch.setattr(cash_book, "collect", _killed)
        with pytest.raises(Killed):
            world.http("POST /orders/{id}/delivered", "order-1", by="carl", groups=["carrier"])
    assert world.follow_up()[-1] == "ANSWER_DELIVERED"
    world.step("deliver_order")
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    world.add_up()


# --- stock ---


def test_an_order_without_stock_ends_cancelled_and_takes_nothing(world: World) -> None:
    world.stock("prod-002", 0)
    world.place()
    refused = fail_step(world, "reserve_stock", OutOfStock)
    assert "prod-002" in str(refused)
    world.step("begin_unwinding", failure=failure(refused))
    assert world.order().status is OrderStatus.CANCELLED
    assert world.order().cancellation is not None
    assert world.http("GET /orders/{id}", "order-1").order["cancellation"]["reason"] == "out_of_stock"
    world.add_up()


def test_the_last_piece_goes_to_one_order(world: World) -> None:
    world.stock("prod-001", 2)
    world.place("one")
    world.place("other")
    world.step("reserve_stock", "one")
    with pytest.raises(OutOfStock):
        world.step("reserve_stock", "other")
    assert world.pieces("prod-001") == 0
    world.add_up()


# --- charging ---


def test_the_intent_is_in_the_table_before_the_gateway_hears_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    before(monkeypatch, SimulatedGateway, "authorize", lambda: seen.append(world.snapshot().payment))
    world.live(OrderStatus.PROCESSING)
    (payment,) = seen
    assert payment is not None
    assert getattr(payment, "status", None) is PaymentStatus.PROCESSING
    assert getattr(payment, "provider_reference", None) == f"sim_{getattr(payment, 'payment_id', None)}"


def test_a_function_killed_after_the_gateway_accepted_does_not_charge_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.place()
    world.step("reserve_stock")
    killed_at_commit(monkeypatch, "PAYMENT_COMPLETED")
    with pytest.raises(Killed):
        world.step("charge_payment")
    calls: list[str] = []
    before(monkeypatch, SimulatedGateway, "authorize", lambda: calls.append("authorize"))
    world.step("charge_payment")
    assert calls == [], "an unknown outcome is asked for, not guessed"
    assert world.order().status is OrderStatus.PROCESSING
    assert [entry["state"] for entry in world.ledger()] == ["charged"]


def test_a_function_killed_before_the_gateway_was_called_charges_the_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.place()
    world.step("reserve_stock")
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, "authorize", _killed)
        with pytest.raises(Killed):
            world.step("charge_payment")
    first = world.snapshot().payment
    world.step("charge_payment")
    second = world.snapshot().payment
    assert first is not None
    assert second is not None
    assert first.payment_id == second.payment_id
    world.add_up()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_lost_answer_is_asked_for(world: World, times: int) -> None:
    world.place(token=f"tok_timeout_{times}")
    world.step("reserve_stock")
    fail_step(world, "charge_payment", OutcomeUnknown)
    world.step("charge_payment")
    assert world.order().status is OrderStatus.PROCESSING
    assert [entry["state"] for entry in world.ledger()] == ["charged"]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_gateway_that_fails_a_few_times_is_tried_again_under_one_key(world: World, times: int) -> None:
    world.place(token=f"tok_flaky_{times}")
    world.step("reserve_stock")
    for _ in range(times):
        fail_step(world, "charge_payment", GatewayUnavailable)
        assert world.ledger() == []
    world.step("charge_payment")
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    assert world.trail().count("PAYMENT_STARTED") == 1


@pytest.mark.parametrize(
    ("token", "words"), [("tok_declined", "The card was declined."), ("tok_insufficient_funds", "Insufficient funds.")]
)
def test_a_declined_order_is_unwound(world: World, token: str, words: str) -> None:
    world.place(token=token)
    world.step("reserve_stock")
    refused = fail_step(world, "charge_payment", PaymentDeclined)
    world.step("begin_unwinding", failure=failure(refused))
    world.step("begin_unwinding", failure=failure(refused))
    world.follow_up()
    assert world.executions.running() == ["unwind order-1"]
    world.unwind()
    shown = world.http("GET /orders/{id}", "order-1").body
    assert shown["order"]["status"] == "CANCELLED"
    assert shown["order"]["cancellation"]["reason"] == "payment_failed"
    assert shown["payment"]["status"] == "FAILED"
    assert shown["payment"]["failure_reason"] == words
    assert world.trail()[-1] == "ORDER_CANCELLED"
    assert "PAYMENT_REFUNDED" not in world.trail()
    world.add_up()


@pytest.mark.parametrize(("token", "state"), [("tok_flaky_99", "voided"), ("tok_timeout_1", "refunded")])
def test_a_charge_that_nobody_answers_stays_open_and_is_settled_by_the_gateway(world: World, token: str, state: str) -> None:
    world.place(token=token)
    world.step("reserve_stock")
    raised = GatewayUnavailable if "flaky" in token else OutcomeUnknown
    given_up = fail_step(world, "charge_payment", raised)
    world.step("begin_unwinding", failure=failure(given_up))
    assert (world.order().status, world.trail()[-1]) == (OrderStatus.PENDING, "PAYMENT_DELAYED")
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    assert world.order().status is OrderStatus.CANCELLED
    assert [entry["state"] for entry in world.ledger()] == [state]
    world.add_up()


# --- cancelling meanwhile ---


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("token", ["tok_ok", "tok_flaky_1", "tok_timeout_1", "tok_declined"])
@pytest.mark.parametrize("undone_at_once", [False, True])
def test_a_cancellation_during_the_charge_gives_the_money_back_once(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str, token: str, undone_at_once: bool
) -> None:
    def cancel() -> None:
        assert world.http("POST /orders/{id}/cancel", "order-1").order["status"] == "CANCELLED"
        if undone_at_once:
            world.unwind()

    world.place(token=token)
    world.follow_up()
    world.step("reserve_stock")
    (before if moment == "before" else after)(monkeypatch, SimulatedGateway, "authorize", cancel)
    with pytest.raises(OrderError) as raised:
        world.step("charge_payment")
    if world.order().status is not OrderStatus.CANCELLED:
        cancel()
    if not isinstance(raised.value, OrderOver):
        world.step("begin_unwinding", failure=failure(raised.value))
    world.follow_up()
    assert world.executions.running() == ([] if undone_at_once else ["unwind order-1"])
    world.unwind()
    with pytest.raises(OrderOver):
        world.step("charge_payment")
    states = [entry["state"] for entry in world.ledger()]
    assert len(states) <= 1
    assert states[0] in ("refunded", "voided", "declined")
    assert world.order().status is OrderStatus.CANCELLED
    assert world.http("GET /orders/{id}/status", "order-1", by=None, headers={}).status == 401
    world.add_up()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("undone_at_once", [False, True])
def test_a_cancellation_during_the_hand_over_gets_the_parcel_back(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str, undone_at_once: bool
) -> None:
    def cancel() -> None:
        assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
        if undone_at_once:
            world.unwind()

    world.live(OrderStatus.PROCESSING)
    (before if moment == "before" else after)(monkeypatch, SimulatedCarrier, "book", cancel)
    with pytest.raises((OrderOver, ShippingRefused)) as raised:
        world.step("ship_parcel", **AT_DUSK)
    if isinstance(raised.value, ShippingRefused):
        world.step("begin_unwinding", failure=failure(raised.value))
    world.unwind()
    assert [entry["state"] for entry in world.ledger("CARRIER")] == ["recalled"]
    assert [entry["state"] for entry in world.ledger()] == ["refunded"]
    assert world.order().status is OrderStatus.CANCELLED
    world.add_up()


@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.PROCESSING])
def test_a_step_of_a_cancelled_order_stops(world: World, status: OrderStatus) -> None:
    world.live(status)
    world.http("POST /orders/{id}/cancel", "order-1")
    for module, more in WAY:
        fail_step(world, module, OrderOver, **more)
    world.unwind()
    world.add_up()


# --- shipping ---


def test_a_refused_address_gives_everything_back(world: World) -> None:
    world.live(OrderStatus.PROCESSING, shipping_address=HOME | {"postal_code": "REFUSED"})
    refused = fail_step(world, "ship_parcel", ShippingRefused, **AT_DUSK)
    world.step("begin_unwinding", failure=failure(refused))
    world.unwind()
    shown = world.http("GET /orders/{id}", "order-1").body
    assert shown["order"]["cancellation"]["reason"] == "shipping_failed"
    assert shown["payment"]["status"] == "REFUNDED"
    assert [entry["state"] for entry in world.ledger("CARRIER")] == ["refused"]
    world.add_up()


@pytest.mark.parametrize(("code", "fault"), [("FLAKY-2", CarrierUnavailable), ("TIMEOUT-2", OutcomeUnknown)])
def test_a_carrier_that_fails_a_few_times_gets_one_parcel(world: World, code: str, fault: type[OrderError]) -> None:
    world.live(OrderStatus.PROCESSING, shipping_address=HOME | {"postal_code": code})
    for _ in range(2):
        fail_step(world, "ship_parcel", fault, **AT_DUSK)
    world.step("ship_parcel", **AT_DUSK)
    assert [entry["state"] for entry in world.ledger("CARRIER")] == ["booked"]
    assert world.order().status is OrderStatus.SHIPPED


def test_a_function_killed_after_the_carrier_accepted_books_no_second_parcel(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(OrderStatus.PROCESSING)
    killed_at_commit(monkeypatch, "ORDER_SHIPPED")
    with pytest.raises(Killed):
        world.step("ship_parcel", **AT_DUSK)
    first = world.snapshot().shipment
    world.step("ship_parcel", **AT_DUSK)
    second = world.snapshot().shipment
    assert first is not None
    assert second is not None
    assert first.shipment_id == second.shipment_id
    assert second.tracking_number
    assert len(world.ledger("CARRIER")) == 1


def test_what_the_carrier_got_is_what_the_order_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = HOME | {"city": "Ockham"}
    answers: list[int] = []

    def move() -> None:
        answers.append(world.http("PUT /orders/{id}/address", "order-1", moved).status)

    world.live(OrderStatus.PROCESSING)
    before(monkeypatch, SimulatedCarrier, "book", move)
    world.step("ship_parcel", **AT_DUSK)
    assert answers == [409]
    (booked,) = world.ledger("CARRIER")
    assert booked["city"] == world.order().shipping_address.city == "London"


def test_an_address_changed_in_time_is_where_the_parcel_goes(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.http("PUT /orders/{id}/address", "order-1", HOME | {"city": "Ockham"}).status == 200
    world.step("ship_parcel", **AT_DUSK)
    (booked,) = world.ledger("CARRIER")
    assert booked["city"] == world.order().shipping_address.city == "Ockham"


def test_a_transit_that_takes_no_time_ends_the_wait_at_once(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.executions.waiting.add("ship-order-1")
    world.step("ship_parcel", task_token="ship-order-1", transit=0)
    assert world.executions.answers["ship-order-1"]["status"] == "SHIPPED"


def test_a_timer_that_ran_out_during_the_hand_over_ships_first(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.step("deliver_order")
    assert world.order().status is OrderStatus.DELIVERED
    assert world.trail()[-3:] == ["HANDOVER_STARTED", "ORDER_SHIPPED", "ORDER_DELIVERED"]


def test_only_the_carrier_says_that_a_parcel_arrived_where_it_is_so_agreed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    world.live(OrderStatus.SHIPPED)
    with pytest.raises(DeliveryPending):
        world.step("deliver_order")
    assert world.order().status is OrderStatus.SHIPPED
    world.http("POST /orders/{id}/delivered", "order-1", by="carl", groups=["carrier"])
    world.step("deliver_order")
    assert world.order().status is OrderStatus.DELIVERED


def test_an_order_cancelled_meanwhile_is_not_unwound_twice_for_a_review_it_no_longer_needs(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.http("POST /orders/{id}/cancel", "order-1")
    version = world.order().version
    world.step("begin_unwinding", failure={"Error": "ApprovalPending", "Cause": ""})
    assert (world.order().version, world.order().is_over) == (version, True)


# --- a run that another has replaced ---


def test_the_token_of_an_earlier_run_does_not_replace_the_later_one_s(world: World) -> None:
    world.place(require_approval=True)
    world.follow_up()
    world.reserve_for_review()
    world.step("begin_unwinding", failure={"Error": "ApprovalPending", "Cause": ""})
    world.step("request_approval", task_token="of-run-2", seconds=300, run=2)
    with pytest.raises(OrderOver):
        world.step("request_approval", task_token="of-run-1", seconds=300, run=1)
    assert world.order().approval_token == "of-run-2"


def test_an_earlier_run_that_ships_late_ships_and_leaves_the_wait_to_the_later_one(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.step("ship_parcel", task_token="of-run-0", transit=10, run=0)
    assert (world.order().status, world.order().delivery_token) == (OrderStatus.SHIPPED, None)
    world.step("ship_parcel", task_token="of-run-1", transit=10, run=1)
    assert world.order().delivery_token == "of-run-1"


# --- review ---


def test_an_execution_that_knows_no_way_to_the_review_from_here_is_followed_by_one_that_does(world: World) -> None:
    world.place(require_approval=True)
    world.follow_up()
    world.reserve_for_review()
    world.step("begin_unwinding", failure={"Error": "ApprovalPending", "Cause": ""})
    order = world.order()
    assert (order.status, order.is_over, order.run) == (OrderStatus.PENDING, False, 2)
    world.executions.end(next(iter(world.executions.executions)), "SUCCEEDED")
    world.follow_up()
    assert world.executions.running() == ["fulfil _2_order-1"]


def test_the_review_is_waited_for_and_its_answer_wakes_the_workflow(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.executions.waiting.add("review-1")
    world.step("request_approval", task_token="review-1", seconds=300)
    assert world.support("POST /orders/{id}/approve", "order-1", {"reason": "Known customer"}).status == 200
    assert "ANSWER_APPROVED" in world.follow_up()
    assert world.executions.answers["review-1"] == {"approved": True}


def test_an_answer_given_before_it_was_asked_for_wakes_the_workflow_too(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.support("POST /orders/{id}/approve", "order-1")
    world.executions.waiting.add("review-1")
    world.step("request_approval", task_token="review-1", seconds=300)
    assert world.executions.answers["review-1"] == {"approved": True}


def test_a_rejection_wakes_the_workflow_with_its_error(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.executions.waiting.add("review-1")
    world.step("request_approval", task_token="review-1", seconds=300)
    world.support("POST /orders/{id}/reject", "order-1", {"reason": "Too dear"})
    world.follow_up()
    assert world.executions.answers["review-1"][0] == "ApprovalRejected"
    version = world.order().version
    world.step("begin_unwinding", failure={"Error": "ApprovalRejected", "Cause": "Too dear"})
    assert world.order().version == version
    world.unwind()
    assert world.http("GET /orders/{id}", "order-1").order["cancellation"]["reason"] == "approval_rejected"
    world.add_up()


def test_silence_cancels_the_order(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.step("request_approval", task_token="review-1", seconds=300)
    world.step("begin_unwinding", failure={"Error": "States.Timeout", "Cause": ""})
    world.unwind()
    shown = world.http("GET /orders/{id}", "order-1").order
    assert shown["cancellation"]["reason"] == "approval_timeout"
    assert shown["approval"]["status"] == "TIMED_OUT"
    assert world.support("POST /orders/{id}/approve", "order-1").status == 409
    world.add_up()


def test_an_approval_that_was_committed_before_the_time_ran_out_counts(world: World) -> None:
    world.place(require_approval=True)
    world.follow_up()
    world.reserve_for_review()
    world.step("request_approval", task_token="review-1", seconds=300)
    world.support("POST /orders/{id}/approve", "order-1")
    world.step("begin_unwinding", failure={"Error": "States.Timeout"})
    world.executions.end(next(iter(world.executions.executions)), "SUCCEEDED")
    world.follow_up()
    assert world.executions.running() == ["fulfil _2_order-1"]
    world.go_on(OrderStatus.DELIVERED)
    world.add_up()


def test_an_approved_order_that_was_cancelled_is_not_started_again_by_a_late_time_out(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.support("POST /orders/{id}/approve", "order-1")
    world.http("POST /orders/{id}/cancel", "order-1")
    version = world.order().version
    world.step("begin_unwinding", failure={"Error": "States.Timeout"})
    assert world.order().version == version


# --- failures that nobody foresaw ---


@pytest.mark.parametrize(
    "cause",
    ["", "not json", "null", "[]", '{"errorType": "KeyError", "errorMessage": "secret internals"}', '{"errorType": ["x"]}'],
)
def test_an_internal_fault_is_not_shown_to_anybody(world: World, cause: str) -> None:
    world.live(OrderStatus.PROCESSING)
    world.step("begin_unwinding", failure={"Error": "Lambda.Unknown", "Cause": cause})
    world.unwind()
    shown = world.http("GET /orders/{id}/history", "order-1").text
    assert "internals" not in shown
    assert world.http("GET /orders/{id}", "order-1").order["cancellation"]["reason"] == "shipping_failed"


def test_a_failure_of_a_shipped_order_leaves_it_to_the_sweep(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    version = world.order().version
    world.step("begin_unwinding", failure={"Error": "StoreBusy", "Cause": "{}"})
    assert world.order().version == version
    assert world.snapshot().shipment is not None


# --- returns ---


@pytest.mark.parametrize("method", ["CREDIT_CARD", COD])
def test_a_return_gives_the_money_back_once(world: World, method: str) -> None:
    world.live(OrderStatus.RETURNED, method=method)
    world.unwind()
    if method == COD:
        (refund,) = world.snapshot().refunds
        path = {"id": "order-1", "refund_id": refund.refund_id}
        assert world.support("POST /orders/{id}/refunds/{refund_id}/complete", path).status == 200
    assert [entry["state"] for entry in world.ledger()] == ["refunded"]
    shown = world.http("GET /orders/{id}", "order-1").body
    assert (shown["order"]["status"], shown["payment"]["status"]) == ("RETURNED", "REFUNDED")
    world.add_up()


@pytest.mark.parametrize("method", ["CREDIT_CARD", COD])
def test_a_parcel_that_came_back_is_restocked_and_paid_back_if_it_was_paid(world: World, method: str) -> None:
    world.live(OrderStatus.SHIPPED, method=method)
    assert world.support("PATCH /orders/{id}/status", "order-1", {"status": "RETURNED"}).status == 200
    world.follow_up()
    assert world.executions.running() == ["unwind order-1"]
    world.unwind()
    assert [entry["state"] for entry in world.ledger()] == ([] if method == COD else ["refunded"])
    shipment = world.snapshot().shipment
    assert shipment is not None
    assert shipment.status is ShipmentStatus.RETURNED_TO_SENDER
    world.add_up()
