"""Money that is held first: taken with the parcels, released where it is not wanted, never taken twice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import indexes
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.statuses import CaptureStatus, OrderStatus, OverallStatus, ShipmentStatus, StepStatus
from orders.domain.steps import PaymentDeclined, ShippingRefused, StepName
from orders.services import recovery
from tests.harness.events import a_batch, a_message, refused
from tests.harness.world import World, in_a_while


class Killed(BaseException):
    """The execution environment died."""


@pytest.fixture(autouse=True)
def on_shipment(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
    yield
    world.add_up()


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def held(world: World, **wish: Any) -> Any:
    """An order whose money is held; what the step reports."""
    world.place(**wish)
    world.follow_up()
    world.step("reserve_stock", outcomes=True)
    return world.step("charge_payment", outcomes=True)


@contextmanager
def captures_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The provider captures, and its answers do not arrive."""
    real = SimulatedGateway.capture

    def lost(gateway: SimulatedGateway, *call: Any) -> GatewayOutcome:
        real(gateway, *call)
        return GatewayOutcome(OutcomeKind.UNKNOWN)

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, "capture", lost)
        yield


def ship(world: World) -> Any:
    world.executions.waiting.add("ship-1")
    return world.step("ship_parcel", task_token="ship-1", transit=10, run=1)


def payment(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.http("GET /orders/{id}", "order-1").body["payment"]
    return found


def sums(world: World) -> tuple[str, int, int]:
    shown = payment(world)
    return shown["status"], shown["amount_captured"]["amount"], shown["amount_refunded"]["amount"]


def report(world: World, status: str = "shipped", event_id: str = "f-1") -> list[str]:
    said = {
        "event_type": "fulfillment.status_changed",
        "event_id": event_id,
        "fulfillment_id": "box-1",
        "order_id": "order-1",
        "new_status": status,
    }
    return refused(world.invoke("on_fulfillment_event", a_batch([a_message(json.dumps(said))])))


def taken(world: World) -> int:
    """What the provider's own book says."""
    (entry,) = world.ledger()
    return sum(entry.get("captures", {}).values())


def test_the_charge_holds_the_money_and_takes_none(world: World) -> None:
    reported = held(world)
    assert (reported["payment"]["outcome"], reported["status"]) == ("paid", "PROCESSING")
    assert sums(world) == ("AUTHORIZED", 0, 0)
    assert payment(world)["authorization_expires_at"] > world.http("GET /orders/{id}", "order-1").order["updated_at"]
    assert taken(world) == 0
    assert "PAYMENT_AUTHORIZED" in world.trail()


def test_the_money_is_taken_with_the_parcel_before_it_is_booked(world: World) -> None:
    held(world)
    ship(world)
    assert sums(world) == ("COMPLETED", 3000, 0)
    assert taken(world) == 3000
    trail = world.trail()
    assert trail.index("HANDOVER_STARTED") < trail.index("PAYMENT_CAPTURED") < trail.index("ORDER_SHIPPED")
    world.step("deliver_order")
    assert world.order().overall is OverallStatus.COMPLETED


def test_a_payment_that_the_customer_confirms_is_held_too(world: World) -> None:
    held(world, token="tok_requires_action")
    said = {"detail-type": "payment.confirmed", "source": "bank", "detail": {"order_id": "order-1"}}
    assert refused(world.invoke("on_payment_event", a_batch([a_message(json.dumps(said))]))) == []
    assert sums(world) == ("AUTHORIZED", 0, 0)
    ship(world)
    assert sums(world) == ("COMPLETED", 3000, 0)


def test_a_transfer_and_cash_are_never_held(world: World) -> None:
    held(world, method="CASH_ON_DELIVERY", token=None)
    ship(world)
    assert sums(world) == ("PENDING", 0, 0)
    world.step("deliver_order")
    assert sums(world) == ("COMPLETED", 3000, 0)


def test_a_cancelled_order_releases_the_money_and_refunds_nothing(world: World) -> None:
    held(world)
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    assert sums(world) == ("VOIDED", 0, 0)
    assert taken(world) == 0
    assert "PAYMENT_REFUNDED" not in world.trail()
    assert world.order().step(StepName.PAYMENT).status is StepStatus.COMPENSATED


def test_a_refused_capture_stops_the_hand_over(world: World) -> None:
    held(world, token="tok_hold_expires")
    with pytest.raises(PaymentDeclined):
        ship(world)
    world.unwind()
    order = world.order()
    assert (order.status, order.cancellation and order.cancellation.reason) == (OrderStatus.CANCELLED, "payment_failed")
    assert sums(world) == ("FAILED", 0, 0)
    assert order.step(StepName.PAYMENT).status is StepStatus.FAILED
    assert [entry["state"] for entry in world.ledger("CARRIER")] == ["recalled"], "nothing is booked"


def test_staff_are_refused_what_the_provider_refuses(world: World) -> None:
    held(world, token="tok_hold_expires")
    answer = world.support("PATCH /orders/{id}/status", "order-1", {"status": "SHIPPED"})
    assert (answer.status, answer.code) == (409, "FAILED_PRECONDITION")
    world.unwind()
    assert world.order().status is OrderStatus.CANCELLED


def test_a_parcel_that_the_warehouse_has_handed_over_is_paid_afterwards(world: World) -> None:
    held(world)
    assert report(world) == []
    assert (world.order().status, sums(world)) == (OrderStatus.SHIPPED, ("COMPLETED", 3000, 0))
    assert report(world) == []
    assert taken(world) == 3000


def test_a_refusal_does_not_undo_what_the_warehouse_has_done(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    held(world, token="tok_hold_expires")
    capsys.readouterr()
    assert report(world) == []
    assert (world.order().status, sums(world)) == (OrderStatus.SHIPPED, ("FAILED", 0, 0))
    assert "CAPTURE_REFUSED" in world.trail()
    assert "captures_refused_total" in capsys.readouterr().out
    again = world.step("charge_payment", outcomes=True)
    assert again["payment"]["outcome"] == "none", "a workflow that begins again goes on to the delivery"
    assert ship(world)["status"] == "SHIPPED"
    assert report(world, "completed", "f-2") == []
    assert (world.order().status, world.order().due_at) == (OrderStatus.DELIVERED, None)


@pytest.mark.parametrize("happens", ["before", "after"])
@pytest.mark.parametrize("after_outside_fact", [False, True])
def test_killed_around_the_capture_and_found_days_later_it_is_taken_once(
    world: World, monkeypatch: pytest.MonkeyPatch, happens: str, after_outside_fact: bool
) -> None:
    held(world)
    real = SimulatedGateway.capture

    def killed(gateway: SimulatedGateway, *call: Any) -> GatewayOutcome:
        if happens == "after":
            real(gateway, *call)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, "capture", killed)
        with pytest.raises(Killed):
            (report if after_outside_fact else ship)(world)
    assert sums(world) == ("AUTHORIZED", 0, 0)
    assert taken(world) == (3000 if happens == "after" else 0)
    if happens == "after":
        monkeypatch.setattr(SimulatedGateway, "capture", _forgotten)
    if after_outside_fact:
        assert recovery.sweep(clock=in_a_while(3 * 86400)).restarted == ("order-1",)
    else:
        ship(world)
    assert sums(world) == ("COMPLETED", 3000, 0)
    assert taken(world) == 3000
    assert world.trail().count("PAYMENT_CAPTURED") == 1


def _forgotten(*_: Any) -> GatewayOutcome:
    raise AssertionError("the provider's idempotency key is forgotten: it has to be looked up")


def test_a_lost_answer_is_looked_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    held(world)
    with captures_lost(monkeypatch), pytest.raises(Exception, match="lost"):
        ship(world)
    ship(world)
    assert sums(world) == ("COMPLETED", 3000, 0)
    assert taken(world) == 3000


def test_an_order_that_is_cancelled_while_it_is_captured_gets_the_money_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(world)
    real = SimulatedGateway.capture

    def meanwhile(gateway: SimulatedGateway, *call: Any) -> GatewayOutcome:
        said = real(gateway, *call)
        assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
        return said

    monkeypatch.setattr(SimulatedGateway, "capture", meanwhile)
    with pytest.raises(Exception, match="being unwound"):
        ship(world)
    world.unwind()
    assert sums(world) == ("REFUNDED", 3000, 3000)
    assert world.order().status is OrderStatus.CANCELLED


def test_a_delivery_that_is_ahead_of_the_money_keeps_the_order_for_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(world)
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, "capture", lambda *_: GatewayOutcome(OutcomeKind.UNKNOWN))
        assert report(world, "completed") == ["1"]
    order = world.order()
    assert (order.status, order.due_at is not None) == (OrderStatus.DELIVERED, True)
    assert recovery.sweep(clock=in_a_while(3600)).restarted == ("order-1",)
    assert (sums(world), world.order().due_at) == (("COMPLETED", 3000, 0), None)


def test_what_is_captured_is_written_down_first(world: World) -> None:
    held(world)
    ship(world)
    found = world.snapshot().payment
    assert found
    (capture,) = found.captures
    shipment = world.snapshot().shipment
    assert shipment
    assert (capture.capture_id, capture.status) == (f"capture-{shipment.shipment_id}", CaptureStatus.COMPLETED)


# --- several parcels ---


def hand_over(world: World, **body: Any) -> Any:
    return world.support("POST /orders/{id}/shipments", "order-1", body)


def two_and_one(world: World, token: str = "tok_ok") -> None:
    """Two pieces at 10.00 and one at 10.00, held."""
    held(world, token=token, items=[{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}])


def test_each_parcel_s_share_is_taken_when_it_is_handed_over(world: World) -> None:
    two_and_one(world)
    assert hand_over(world, items=[{"line_id": "1", "quantity": 1}]).status == 200
    assert (sums(world), taken(world)) == (("AUTHORIZED", 1000, 0), 1000)
    assert hand_over(world).status == 200
    assert (sums(world), taken(world)) == (("COMPLETED", 3000, 0), 3000)
    assert world.order().status is OrderStatus.SHIPPED


def test_what_is_cancelled_before_the_last_parcel_is_released(world: World) -> None:
    two_and_one(world)
    hand_over(world, items=[{"line_id": "1", "quantity": 1}])
    assert world.support("POST /orders/{id}/cancel", "order-1", {"items": [{"line_id": "2", "quantity": 1}]}).status == 200
    hand_over(world)
    world.follow_up()
    assert (sums(world), taken(world)) == (("COMPLETED", 2000, 0), 2000)
    assert (world.order().status, [entry.get("released") for entry in world.ledger()]) == (OrderStatus.SHIPPED, [True])


def test_cancelling_the_rest_releases_it(world: World) -> None:
    two_and_one(world)
    hand_over(world, items=[{"line_id": "1", "quantity": 2}])
    assert world.support("POST /orders/{id}/cancel", "order-1", {}).status == 200
    world.follow_up()
    assert (sums(world), taken(world)) == (("COMPLETED", 2000, 0), 2000)


def test_a_hold_that_is_captured_once_is_captured_for_all_that_is_wanted_at_the_first_parcel(world: World) -> None:
    two_and_one(world, token="tok_capture_once")
    hand_over(world, items=[{"line_id": "1", "quantity": 1}])
    assert (sums(world), taken(world)) == (("COMPLETED", 3000, 0), 3000)
    assert hand_over(world).status == 200
    assert taken(world) == 3000


def test_what_is_cancelled_after_the_one_capture_is_refunded(world: World) -> None:
    two_and_one(world, token="tok_capture_once")
    hand_over(world, items=[{"line_id": "1", "quantity": 2}])
    assert world.support("POST /orders/{id}/cancel", "order-1", {}).status == 200
    world.follow_up()
    assert (sums(world), taken(world)) == (("PARTIALLY_REFUNDED", 3000, 1000), 3000)
    assert world.order().status == OrderStatus.SHIPPED


def test_a_capture_that_is_refused_ends_what_is_left_and_keeps_what_was_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_and_one(world)
    hand_over(world, items=[{"line_id": "1", "quantity": 2}])
    monkeypatch.setattr(SimulatedGateway, "capture", lambda *_: GatewayOutcome(OutcomeKind.DECLINED, captured=2000))
    assert hand_over(world).status == 409
    world.follow_up()
    assert (sums(world), world.order().status) == (("COMPLETED", 2000, 0), OrderStatus.SHIPPED)


def test_a_second_parcel_waits_for_what_became_of_the_first_one_s_money(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_and_one(world)
    with captures_lost(monkeypatch):
        assert hand_over(world, items=[{"line_id": "1", "quantity": 1}]).status == 503
    assert sums(world) == ("AUTHORIZED", 0, 0)
    ship(world)
    assert (sums(world), taken(world)) == (("COMPLETED", 3000, 0), 3000)
    assert world.order().status is OrderStatus.SHIPPED


# --- a hand-over that a request has begun, and whose function dies ---


def dies_while_booking(monkeypatch: pytest.MonkeyPatch, world: World, **body: Any) -> None:
    def dies(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedCarrier, "book", dies)
        with pytest.raises(Killed):
            hand_over(world, **body)


def repaired(world: World, by: str) -> None:
    if by == "sync":
        assert world.support("POST /orders/{id}/sync", "order-1", {}).status == 200
    else:
        swept = recovery.sweep(clock=in_a_while(200))
        assert not swept.failures


@pytest.mark.parametrize("by", ["sweep", "sync"])
def test_a_hand_over_whose_function_died_is_finished_without_its_caller(
    world: World, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    two_and_one(world)
    due = world.order().due_at
    dies_while_booking(monkeypatch, world, items=[{"line_id": "1", "quantity": 1}])
    assert world.order().due_at == due, "what is due for the order itself stays"
    assert sums(world) == ("AUTHORIZED", 1000, 0)
    repaired(world, by)
    shipment = world.snapshot().shipment
    assert shipment
    assert (shipment.status, shipment.due_at, shipment.tracking_number is None) == (ShipmentStatus.IN_TRANSIT, None, False)
    assert (sums(world), taken(world)) == (("AUTHORIZED", 1000, 0), 1000)
    assert [place.item for place in indexes.orders_due(None)] == ["#ORDER"]
    assert world.trail().count("PARCEL_SHIPPED") == 1


def test_it_waits_for_the_release_of_its_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_and_one(world)
    dies_while_booking(monkeypatch, world)
    assert world.support("POST /orders/{id}/hold", "order-1", {"reason": "a question"}).status == 200
    repaired(world, "sweep")
    assert world.order().status is OrderStatus.PROCESSING
    assert world.support("POST /orders/{id}/release", "order-1", {}).status == 200
    repaired(world, "sync")
    assert world.order().status is OrderStatus.SHIPPED


def test_what_the_carrier_refuses_then_is_withdrawn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_and_one(world)
    dies_while_booking(monkeypatch, world, items=[{"line_id": "1", "quantity": 1}])

    def refuses(*_: Any) -> Any:
        raise ShippingRefused("Too heavy.")

    monkeypatch.setattr(SimulatedCarrier, "book", refuses)
    repaired(world, "sweep")
    assert world.trail()[-1] == "SHIPMENT_RECALLED"
    assert [place.item for place in indexes.orders_due(None)] == ["#ORDER"]


def test_one_that_was_cancelled_in_the_meantime_is_left_to_the_unwinding(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_and_one(world)
    dies_while_booking(monkeypatch, world)
    assert world.support("POST /orders/{id}/cancel", "order-1", {}).status == 200
    repaired(world, "sweep")
    assert world.snapshot().shipment is not None
    assert "PARCEL_SHIPPED" not in world.trail()
    assert "#SHIPMENT" not in [place.item for place in indexes.orders_due(None)]
