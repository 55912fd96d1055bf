"""An order on hold: nothing is charged, captured or handed over by the pipeline itself until it is released."""

import json
from datetime import timedelta
from typing import Any

import pytest

from orders import settings
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.errors import GatewayUnavailable, OrderOnHold
from orders.domain.identifiers import OrderId
from orders.domain.statuses import OrderStatus, OverallStatus
from orders.services import recovery
from orders.services.changes import utc_now
from tests.harness.events import a_batch, a_message, refused
from tests.harness.world import FULFIL, World, in_a_while

TIMED_OUT = {"Error": "States.Timeout", "Cause": ""}
HOLD = {"reason": "The address looks odd"}


def hold(world: World) -> None:
    answer = world.support("POST /orders/{id}/hold", "order-1", HOLD)
    assert answer.status == 200, answer.text
    assert answer.order["hold"] | {"held_at": ""} == {"reason": HOLD["reason"], "held_at": "", "held_by": "grace"}


def release(world: World) -> None:
    answer = world.support("POST /orders/{id}/release", "order-1", {})
    assert (answer.status, answer.order["hold"]) == (200, None), answer.text


def reserved(world: World, **wish: Any) -> None:
    world.place(**wish)
    world.follow_up()
    world.step("reserve_stock", outcomes=True)


def charge(world: World) -> Any:
    return world.step("charge_payment", outcomes=True)


def ship(world: World) -> Any:
    world.executions.waiting.add("ship-1")
    return world.step("ship_parcel", task_token="ship-1", transit=10, run=1)


def await_release(world: World, token: str = "hold-1") -> None:
    world.executions.waiting.add(token)
    world.step("await_release", task_token=token, run=1)


def report(world: World, status: str) -> list[str]:
    said = {
        "event_type": "fulfillment.status_changed",
        "fulfillment_id": "box-1",
        "order_id": "order-1",
        "new_status": status,
    }
    return refused(world.invoke("on_fulfillment_event", a_batch([a_message(json.dumps(said))])))


@pytest.mark.parametrize("wish", [{}, {"method": "CASH_ON_DELIVERY", "token": None}])
def test_nothing_is_charged_while_an_order_is_on_hold(world: World, wish: dict[str, Any]) -> None:
    reserved(world, **wish)
    hold(world)
    reported = charge(world)
    assert (reported["payment"]["outcome"], reported["status"]) == ("on_hold", "PENDING")
    assert (world.ledger(), world.snapshot().payment) == ([], None)
    await_release(world)
    release(world)
    assert "ANSWER_RELEASED" in world.follow_up()
    waits = world.executions.answers["hold-1"]
    configured = settings.waits()
    assert (waits["preparation"], waits["confirmation"]) == (configured.preparation, configured.confirmation)
    assert 0 <= waits["payment"] <= configured.payment, "since it was placed"
    assert charge(world)["payment"]["outcome"] in ("paid", "cash")
    world.add_up()


def test_nothing_is_handed_over_while_an_order_is_on_hold_and_no_wait_is_waited_twice(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    hold(world)
    with pytest.raises(OrderOnHold):
        ship(world)
    with pytest.raises(OrderOnHold):
        world.step("deliver_order")
    assert world.ledger("CARRIER") == []
    await_release(world)
    release(world)
    world.follow_up()
    assert world.executions.answers["hold-1"]["preparation"] <= settings.waits().preparation
    assert charge(world)["payment"]["outcome"] == "paid"
    ship(world)
    assert world.order().status is OrderStatus.SHIPPED
    world.add_up()


def test_a_release_before_the_wait_is_found_by_the_wait(world: World) -> None:
    reserved(world)
    hold(world)
    release(world)
    await_release(world)
    assert "hold-1" in world.executions.answers
    assert world.order().release_token is None


def test_staff_cannot_go_around_a_hold(world: World) -> None:
    reserved(world)
    hold(world)
    for status in ("PROCESSING",):
        answer = world.support("PATCH /orders/{id}/status", "order-1", {"status": status})
        assert (answer.status, answer.code) == (409, "FAILED_PRECONDITION")
    release(world)
    charge(world)
    hold(world)
    assert world.support("PATCH /orders/{id}/status", "order-1", {"status": "SHIPPED"}).status == 409
    assert world.support("POST /orders/{id}/hold", "order-1", HOLD).status == 409, "it is on hold already"


def test_only_what_is_left_to_be_handed_over_can_be_held(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    assert world.support("POST /orders/{id}/hold", "order-1", HOLD).status == 409
    assert world.support("POST /orders/{id}/release", "order-1", {}).status == 409


def test_the_owner_sees_that_it_is_on_hold_and_not_why(world: World) -> None:
    reserved(world)
    hold(world)
    shown = world.http("GET /orders/{id}", "order-1").order["hold"]
    assert shown.keys() == {"held_at", "held_by"}
    trail = world.http("GET /orders/{id}/history", "order-1").body["history"]
    assert HOLD["reason"] not in json.dumps(trail)


def test_cancelling_lifts_a_hold(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    hold(world)
    answer = world.http("POST /orders/{id}/cancel", "order-1")
    assert (answer.status, answer.order["hold"]) == (200, None)
    world.unwind()
    assert world.order().overall is OverallStatus.ROLLED_BACK
    world.add_up()


def test_cancelling_all_that_is_left_lifts_a_hold_and_wakes_what_waits_for_it(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    parcel = world.support("POST /orders/{id}/shipments", "order-1", {"items": [{"line_id": "1", "quantity": 1}]})
    assert parcel.status == 200, parcel.text
    hold(world)
    await_release(world)
    answer = world.http("POST /orders/{id}/cancel", "order-1")
    assert (answer.order["status"], answer.order["hold"]) == ("SHIPPED", None), answer.text
    world.follow_up()
    assert "hold-1" in world.executions.answers
    assert world.support("POST /orders/{id}/release", "order-1", {}).status == 409, "nothing is left to be released"
    world.add_up()


def test_a_charge_in_flight_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reserved(world)
    real = SimulatedGateway.authorize

    def meanwhile(gateway: SimulatedGateway, *call: Any) -> Any:
        hold(world)
        return real(gateway, *call)

    monkeypatch.setattr(SimulatedGateway, "authorize", meanwhile)
    assert charge(world)["payment"]["outcome"] == "paid"
    assert world.order().status is OrderStatus.PROCESSING


@pytest.mark.parametrize(("reported", "status"), [("shipped", OrderStatus.SHIPPED), ("completed", OrderStatus.DELIVERED)])
def test_what_the_warehouse_reports_is_a_fact_and_its_money_waits_for_the_release(
    world: World, monkeypatch: pytest.MonkeyPatch, reported: str, status: OrderStatus
) -> None:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    reserved(world)
    charge(world)
    hold(world)
    assert report(world, reported) == []
    assert recovery.sweep(clock=in_a_while(3600)).restarted == ()
    found = world.snapshot()
    assert found.payment
    assert (found.order.status, found.payment.amount_captured) == (status, 0)
    release(world)
    world.follow_up()
    assert world.http("GET /orders/{id}", "order-1").body["payment"]["amount_captured"]["amount"] == 3000
    assert (world.order().due_at is None) is (status is OrderStatus.DELIVERED)
    world.add_up()


def test_the_warehouse_does_not_have_an_order_charged_that_is_on_hold(world: World) -> None:
    reserved(world)
    hold(world)
    assert report(world, "shipped") == []
    assert (world.order().status, world.trail()[-1]) == (OrderStatus.PENDING, "FULFILLMENT_REFUSED")


def test_an_order_on_hold_is_not_repaired_and_follows_its_release(world: World) -> None:
    reserved(world)
    hold(world)
    world.executions.end(f"{FULFIL}:order-1", "ABORTED")
    before = world.order()
    assert recovery.sweep(clock=in_a_while(86400)).restarted == ()
    assert world.order().version == before.version
    release(world)
    world.follow_up()
    assert recovery.sweep(clock=in_a_while(86400)).restarted == ("order-1",)
    assert world.order().run == 2


def test_a_wait_for_the_release_that_runs_out_is_followed_by_the_next_run(world: World) -> None:
    reserved(world)
    hold(world)
    charge(world)
    await_release(world)
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    order = world.order()
    assert (order.run, order.overall, order.hold is not None) == (2, OverallStatus.IN_PROGRESS, True)


@pytest.mark.parametrize("definition", ["by outcomes", "by errors"])
def test_an_execution_of_an_earlier_definition_is_followed_by_one_that_waits(world: World, definition: str) -> None:
    reserved(world)
    hold(world)
    if definition == "by errors":
        with pytest.raises(OrderOnHold):
            world.step("charge_payment")
    with pytest.raises(OrderOnHold):
        ship(world)
    world.step("begin_unwinding", so_far={"failure": {"Error": "OrderOnHold", "Cause": "{}"}}, run=1)
    assert (world.order().run, world.trail()[-1]) == (2, "WORKFLOW_RESTARTED")


# --- money that is held for a time only ---


def held_for_a_time(world: World, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    reserved(world, token=token)
    charge(world)


def test_a_hold_of_money_is_renewed_a_day_before_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held_for_a_time(world, monkeypatch, "tok_ok")
    hold(world)
    before = world.snapshot().payment
    assert before
    assert before.authorization_expires_at
    assert recovery.sync(OrderId("order-1"), "grace").order.version == world.order().version, "it is too early"
    late = before.authorization_expires_at - timedelta(hours=23)
    after = recovery.sync(OrderId("order-1"), "grace", lambda: late).payment
    assert after
    assert after.authorization_expires_at
    assert after.authorization_expires_at >= before.authorization_expires_at
    assert world.trail()[-1] == "AUTHORIZATION_RENEWED"


def test_a_hold_of_money_that_cannot_be_renewed_puts_the_order_on_hold_until_it_ends(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held_for_a_time(world, monkeypatch, "tok_hold_expires")
    capsys.readouterr()
    assert recovery.sweep(clock=in_a_while(120)).restarted == ("order-1",)
    shown = world.http("GET /orders/{id}", "order-1").order["hold"]
    assert (shown["reason"], shown["held_by"]) == ("authorization_expired", "system")
    assert "authorizations_ended_total" in capsys.readouterr().out
    with pytest.raises(OrderOnHold):
        ship(world)
    assert recovery.sweep(clock=in_a_while(180)).restarted == (), "once is enough"
    at_last = utc_now() + timedelta(hours=2)
    monkeypatch.setattr("orders.adapters.payments.simulated.time.time", at_last.timestamp)
    assert recovery.sweep(clock=in_a_while(7300)).restarted == ("order-1",)
    assert "STOP_AND_UNWIND" in world.follow_up()
    world.unwind()
    order = world.order()
    assert (order.status, order.cancellation and order.cancellation.reason) == (OrderStatus.CANCELLED, "payment_failed")
    assert world.http("GET /orders/{id}", "order-1").body["payment"]["status"] == "FAILED"
    world.add_up()


def test_a_warehouse_that_takes_its_time_is_not_late_because_the_money_is_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREPARATION_MODE", "warehouse")
    monkeypatch.setenv("WAREHOUSE_OVERDUE_SECONDS", str(30 * 86400))
    held_for_a_time(world, monkeypatch, "tok_ok")
    world.step("await_warehouse", task_token="warehouse-1", run=1)
    payment, order = world.snapshot().payment, world.order()
    assert payment
    assert payment.authorization_expires_at
    assert order.due_at
    assert order.due_at <= payment.authorization_expires_at - timedelta(days=1)
    late = payment.authorization_expires_at - timedelta(hours=23)
    monkeypatch.setattr("orders.adapters.payments.simulated.time.time", late.timestamp)
    assert recovery.sweep(clock=lambda: late).restarted == ("order-1",)
    assert world.trail()[-1] == "AUTHORIZATION_RENEWED"
    after = world.order().due_at
    assert after
    assert after > late + timedelta(days=5)
    hold(world)
    release(world)
    assert recovery.sweep(clock=in_a_while(600)).restarted == (), "it waits for its warehouse"
    assert "WAREHOUSE_OVERDUE" not in world.trail()


# --- a provider that is down ---


@pytest.mark.parametrize("where", ["open", "authorize", "capture"])
def test_a_provider_that_is_down_is_no_declined_card(world: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    reserved(world)
    if where == "capture":
        charge(world)

    def down(*_: Any) -> Any:
        raise GatewayUnavailable("The key was revoked.")

    arn = f"{FULFIL}:order-1"
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, where, down)
        with pytest.raises(GatewayUnavailable):
            (ship if where == "capture" else charge)(world)
        said = world.step("begin_unwinding", so_far={"failure": {"Error": "GatewayUnavailable", "Cause": "{}"}}, run=1)
        assert said["error"] == "UnwindingNotBegun"
        world.executions.end(arn, "FAILED", "UnwindingNotBegun")
        ended = {"executionArn": arn, "status": "FAILED", "error": "UnwindingNotBegun"}
        world.invoke("sweep_orders", {"detail": ended})
        order = world.order()
        assert (order.overall, order.run, order.failed_runs) == (OverallStatus.IN_PROGRESS, 1, 0)
        trail = world.http("GET /orders/{id}/history", "order-1").body["history"]
        assert "cannot be reached" in trail[-1]["reason"]
    assert recovery.sweep(clock=in_a_while(600)).restarted == ("order-1",)
    assert (world.order().run, world.order().failed_runs) == (2, 0)
    charge(world)
    world.executions.waiting.add("ship-2")
    world.step("ship_parcel", task_token="ship-2", transit=10, run=2)
    assert (world.order().status, world.order().provider_down_since) == (OrderStatus.SHIPPED, None)
    world.add_up()
