"""Payments that the customer, or their bank, decides later: awaited by the workflow, and decided by whoever is first."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orders import settings
from orders.adapters.payments.simulated import SimulatedGateway
from orders.adapters.store import orders
from orders.domain.decisions import paying
from orders.domain.errors import OutcomeUnknown
from orders.domain.events import EventType, FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.statuses import OrderStatus, OverallStatus, PaymentStatus, StepStatus
from orders.domain.steps import StepName
from orders.domain.waits import remaining_waits
from orders.services import charging, payment_events, recovery, stuck
from orders.services.changes import utc_now
from tests.harness.events import a_batch, a_message, refused
from tests.harness.world import World, in_a_while

ID = OrderId("order-1")
CONFIRMED, FAILED = "payment.confirmed", "payment.failed"
TIMED_OUT = {"Error": "States.Timeout", "Cause": ""}


class Killed(BaseException):
    """The execution environment died."""


def pay(world: World, **wish: Any) -> Any:
    """Places an order and asks for its payment, as the workflow does; what the step reports."""
    world.place(**wish)
    world.step("reserve_stock", outcomes=True)
    return world.step("charge_payment", outcomes=True)


def awaited(world: World, seconds: float = 3600, **wish: Any) -> None:
    """An order whose workflow waits for its payment."""
    report = pay(world, **(wish or {"token": "tok_requires_action"}))
    assert report["payment"]["outcome"] == "pending"
    world.executions.waiting.add("wait-1")
    world.step("await_payment", task_token="wait-1", seconds=seconds, run=1)


def event(kind: str = CONFIRMED, **said: Any) -> dict[str, Any]:
    detail = {"order_id": "order-1", **said}
    return a_message(json.dumps({"detail-type": kind, "source": "bank", "detail": detail}), 1, age=2)


def take(world: World, *messages: dict[str, Any]) -> list[str]:
    """Delivers events; answers which come again."""
    return refused(world.invoke("on_payment_event", a_batch(list(messages))))


def payment(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.http("GET /orders/{id}", "order-1").body["payment"]
    return found


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def metrics(printed: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]
    return {name: value for line in lines for name, value in line.items()}


# --- what is asked for ---


def test_a_payment_that_needs_an_action_says_which_and_its_order_waits(world: World) -> None:
    awaited(world)
    shown = payment(world)
    assert (shown["status"], shown["next_action"]["type"]) == ("REQUIRES_ACTION", "redirect")
    assert shown["next_action"]["url"].startswith("https://")
    assert (shown["amount_captured"], world.order().status) == (usd(0), OrderStatus.PENDING)
    assert world.order().payment_token is None, "the provider has it"
    progress = world.http("GET /orders/{id}/status", "order-1").body
    assert (progress["current_step"], progress["estimated_completion"]) == ("Payment Processing", None)


def test_a_bank_transfer_is_waited_for_whatever_its_token(world: World) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    assert payment(world)["next_action"]["type"] == "bank_transfer"
    assert world.ledger() == [{"state": "requires_action", "amount": 3000, "currency": "USD", "transfer": True}]


def test_a_payment_that_is_settled_later_is_still_being_processed(world: World) -> None:
    awaited(world, token="tok_async")
    assert (payment(world)["status"], world.order().status) == ("PROCESSING", OrderStatus.PENDING)


def test_an_execution_of_an_earlier_definition_is_followed_by_one_that_waits(world: World) -> None:
    world.place(token="tok_requires_action")
    world.follow_up()
    world.step("reserve_stock")
    with pytest.raises(Exception, match="not decided") as raised:
        world.step("charge_payment")
    failure = {"Error": type(raised.value).__name__, "Cause": "{}"}
    world.step("begin_unwinding", failure=failure)
    assert (world.order().run, world.trail()[-1]) == (2, "WORKFLOW_RESTARTED")
    assert world.order().overall is OverallStatus.IN_PROGRESS


@pytest.mark.parametrize("who", ["staff", "warehouse"])
def test_nobody_runs_ahead_of_a_payment_that_is_not_decided(world: World, who: str) -> None:
    awaited(world)
    if who == "staff":
        answer = world.support("PATCH /orders/{id}/status", "order-1", {"status": "PROCESSING"})
        assert (answer.status, answer.code) == (409, "FAILED_PRECONDITION")
    else:
        detail = {
            "event_type": "fulfillment.status_changed",
            "fulfillment_id": "f",
            "order_id": "order-1",
            "new_status": "shipped",
        }
        assert refused(world.invoke("on_fulfillment_event", a_batch([a_message(json.dumps(detail))]))) == []
    assert world.order().status is OrderStatus.PENDING


# --- whoever is first decides ---


def by_event(world: World) -> None:
    assert take(world, event(event_id="e-1", amount=usd(3000))) == []


def by_sync(world: World) -> None:
    assert world.support("POST /orders/{id}/sync", "order-1", {}).status == 200


def by_sweep(world: World) -> None:
    swept = recovery.sweep(clock=in_a_while(7200))
    assert (swept.restarted, swept.failures) == ((ID,), {})


def by_the_step_again(world: World) -> None:
    world.step("charge_payment", outcomes=True)


WAYS = [by_event, by_sync, by_sweep, by_the_step_again]


@pytest.mark.parametrize("first", WAYS)
def test_whoever_is_first_wakes_the_workflow_and_the_others_find_it_done(world: World, first: Callable[[World], None]) -> None:
    awaited(world, token="tok_async")
    first(world)
    assert (payment(world)["status"], payment(world)["amount_captured"]) == ("COMPLETED", usd(3000))
    assert FollowUp.ANSWER_PAID.name in world.follow_up()
    assert world.executions.answers["wait-1"]["payment"]["outcome"] == "paid"
    for other in (by_event, by_sync, by_the_step_again):
        other(world)
    assert world.trail().count("PAYMENT_COMPLETED") == 1
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    world.add_up()


def test_a_decision_before_the_wait_is_told_to_it(world: World) -> None:
    pay(world, token="tok_requires_action")
    assert take(world, event()) == []
    world.follow_up()
    world.executions.waiting.add("wait-1")
    world.step("await_payment", task_token="wait-1", seconds=3600, run=1)
    assert world.executions.answers["wait-1"]["payment"]["outcome"] == "paid"


def test_a_payment_that_failed_ends_its_order_and_wakes_the_workflow(world: World) -> None:
    awaited(world)
    assert take(world, event(FAILED, event_id="e-1", reason="The bank said no.")) == []
    shown = payment(world)
    assert (shown["status"], shown["failure_reason"]) == ("FAILED", "The bank said no.")
    assert world.order().step(StepName.PAYMENT).status is StepStatus.FAILED
    world.follow_up()
    assert world.executions.answers["wait-1"]["payment"]["outcome"] == "declined"
    world.unwind()
    cancelled = world.http("GET /orders/{id}", "order-1").order
    assert (cancelled["status"], cancelled["cancellation"]["reason"]) == ("CANCELLED", "payment_failed")
    assert [entry["state"] for entry in world.ledger()] == ["declined"]
    world.add_up()


def test_a_wait_that_runs_out_expires_the_order_and_voids_the_payment(world: World) -> None:
    awaited(world)
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    world.unwind()
    over = world.http("GET /orders/{id}", "order-1").body
    assert (over["order"]["status"], over["order"]["cancellation"]["reason"]) == ("CANCELLED", "expired")
    assert over["payment"]["status"] == "VOIDED"
    assert [entry["state"] for entry in world.ledger()] == ["voided"]
    world.add_up()


def test_a_payment_that_is_confirmed_as_the_wait_runs_out_is_not_lost(world: World) -> None:
    awaited(world)
    assert take(world, event()) == []
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    assert (world.order().status, world.order().run) == (OrderStatus.PROCESSING, 2)


def test_an_order_that_is_cancelled_while_it_waits_takes_no_money(world: World) -> None:
    awaited(world)
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    world.unwind()
    assert payment(world)["status"] == "VOIDED"
    assert take(world, event()) == []
    assert (payment(world)["status"], world.order().status) == ("VOIDED", OrderStatus.CANCELLED)
    world.add_up()


def test_the_next_run_waits_for_what_is_left(world: World) -> None:
    awaited(world, seconds=600)
    order, waits = world.order(), settings.waits()
    assert order.confirmation_due_at
    left = remaining_waits(order, waits, order.confirmation_due_at - timedelta(seconds=60))
    assert left.confirmation == 60


def test_only_the_run_that_processes_the_order_waits(world: World) -> None:
    awaited(world)
    with pytest.raises(Exception, match="Run 1"):
        world.step("await_payment", task_token="wait-2", seconds=60, run=2)
    assert world.order().confirmation_token == "wait-1"


# --- events that do not fit ---


def test_an_event_counts_once_however_often_it_comes(world: World) -> None:
    awaited(world)
    for _ in range(3):
        assert take(world, event(event_id="e-1")) == []
    assert world.trail().count("PAYMENT_COMPLETED") == 1
    assert "PAYMENT_REPORTED" not in world.trail()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": usd(2999)}, "another amount"),
        ({"amount": {"amount": 3000, "currency": "EUR"}}, "another amount"),
        ({"payment_id": "pay-of-another"}, "another payment"),
    ],
)
def test_an_event_about_something_else_is_recorded_and_not_applied(world: World, said: dict[str, Any], why: str) -> None:
    awaited(world)
    assert take(world, event(**said)) == []
    assert (payment(world)["status"], world.order().status) == ("REQUIRES_ACTION", OrderStatus.PENDING)
    trail = world.support("GET /orders/{id}/history", "order-1").body["history"]
    assert trail[-1]["event_type"] == "PAYMENT_REPORTED"
    assert why in trail[-1]["reason"]
    assert [entry["state"] for entry in world.ledger()] == ["requires_action"]


def test_the_provider_s_own_id_names_the_payment_too(world: World) -> None:
    awaited(world)
    assert take(world, event(payment_id=payment(world)["provider_reference"])) == []
    assert payment(world)["status"] == "COMPLETED"


def test_an_event_of_an_unknown_order_comes_again(world: World) -> None:
    message = event() | {"body": json.dumps({"event_type": CONFIRMED, "order_id": "nobody-s"})}
    assert take(world, message) == ["1"]


@pytest.mark.parametrize(
    "said", [{"event_type": "payment.lost"}, {"order_id": "order-1"}, {"event_type": CONFIRMED, "amount": 1}]
)
def test_a_malformed_event_is_not_taken(world: World, said: dict[str, Any]) -> None:
    awaited(world)
    assert take(world, event() | {"body": json.dumps({"order_id": "order-1", **said})}) == ["1"]
    assert world.trail()[-1] == "PAYMENT_AWAITED"


def test_a_late_failure_does_not_undo_what_was_paid(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert take(world, event(FAILED)) == []
    assert (payment(world)["status"], world.order().status) == ("COMPLETED", OrderStatus.PROCESSING)
    world.add_up()


def test_money_after_the_end_is_given_back_and_counted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    world.unwind()
    capsys.readouterr()
    for _ in range(2):
        assert take(world, event(event_id="late-1", amount=usd(3000))) == []
    printed = metrics(capsys.readouterr().out)
    assert printed["payments_after_the_end_total"]
    (entry,) = world.ledger()
    assert (entry["state"], sum(entry["refunds"].values())) == ("refunded", 3000)
    assert payment(world)["status"] == "VOIDED"
    assert world.trail().count("PAYMENT_REPORTED") == 1


def test_what_the_provider_has_given_back_of_late_money_is_not_given_back_again(world: World) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    world.unwind()
    found = orders.load(ID)
    assert found.payment is not None
    intent, provider = charging.intent_of(found.order, found.payment), SimulatedGateway()
    provider.look_up(intent, OutcomeKind.SETTLED)
    provider.refund(intent, "by-hand", 1000)
    assert take(world, event(event_id="late-1")) == []
    (entry,) = world.ledger()
    assert entry["refunds"] == {"by-hand": 1000, f"refund-{intent.key}": 2000}


def test_late_money_that_the_provider_does_not_give_back_is_recorded_and_counted(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
    world.unwind()
    refused = GatewayOutcome(OutcomeKind.DECLINED, reason="The customer's account is closed.")
    monkeypatch.setattr(SimulatedGateway, "refund", lambda *_: refused)
    capsys.readouterr()
    assert take(world, event(event_id="late-1")) == []
    assert metrics(capsys.readouterr().out)["payments_after_the_end_total"]
    (told,) = [found for found in orders.history(ID) if found.type is EventType.PAYMENT_REPORTED]
    assert told.reason == f"{payment_events.KEPT}: The customer's account is closed."


def test_a_payment_whose_end_the_provider_cannot_tell_yet_is_not_taken_for_voided(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited(world)
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedGateway, "void", lambda *_: GatewayOutcome(OutcomeKind.PENDING))
        with pytest.raises(OutcomeUnknown):
            world.step("refund_payment")
    assert payment(world)["status"] == "REQUIRES_ACTION"
    world.unwind()
    assert payment(world)["status"] == "VOIDED"


def test_the_reason_of_a_failed_payment_may_be_as_long_as_any_other(world: World) -> None:
    awaited(world)
    assert take(world, event(FAILED, reason="x" * 500)) == []
    assert payment(world)["failure_reason"] == "x" * 500


def test_money_of_an_order_that_is_closed_while_the_provider_is_asked_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    look_up = SimulatedGateway.look_up

    def slowly(*asked: Any) -> Any:
        monkeypatch.undo()
        world.step("begin_unwinding", so_far={"failure": TIMED_OUT}, run=1)
        world.unwind()
        return look_up(*asked)

    monkeypatch.setattr(SimulatedGateway, "look_up", slowly)
    assert take(world, event(event_id="late-1", amount=usd(3000))) == []
    (entry,) = world.ledger()
    assert (entry["state"], sum(entry["refunds"].values())) == ("refunded", 3000)
    assert (payment(world)["status"], world.order().status) == ("VOIDED", OrderStatus.CANCELLED)


def test_money_that_comes_while_the_order_is_unwound_is_given_back_once(world: World) -> None:
    awaited(world, method="BANK_TRANSFER", token=None)
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 200
    assert take(world, event(event_id="late-1")) == []
    world.unwind()
    (entry,) = world.ledger()
    assert (entry["state"], sum(entry["refunds"].values())) == ("refunded", 3000)
    assert payment(world)["status"] == "REFUNDED"


# --- those that wait are watched ---


@pytest.mark.parametrize(("age", "pause"), [(600, 75), (86_400, 3600)])
def test_a_provider_is_asked_less_often_the_longer_a_payment_takes(world: World, age: float, pause: float) -> None:
    awaited(world, seconds=604_800)
    world.follow_up()
    clock = in_a_while(age)
    assert recovery.sweep(clock=clock).restarted == ()
    due = world.order().due_at
    assert due
    assert abs((due - clock()).total_seconds() - pause) < 10


def test_an_order_that_waits_to_be_paid_is_not_stuck_until_its_time_is_over(world: World) -> None:
    awaited(world, seconds=7200)
    pending = OrderStatus.PENDING
    assert stuck.count(in_a_while(3600))[pending] == 0
    assert stuck.count(in_a_while(7300))[pending] == 1


def test_a_payment_is_looked_up_days_later_and_not_charged_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place()
    world.step("reserve_stock")
    with monkeypatch.context() as patch:
        patch.setattr(paying, "charged", _killed)
        with pytest.raises(Killed):
            world.step("charge_payment")
    later = lambda: utc_now() + timedelta(days=3)  # noqa: E731 - a clock
    after = charging.charge_payment(ID, clock=later)
    assert after.payment
    assert (after.payment.status, after.order.status) == (PaymentStatus.COMPLETED, OrderStatus.PROCESSING)
    assert [entry["state"] for entry in world.ledger()] == ["charged"]


def _killed(*_: Any) -> None:
    raise Killed
