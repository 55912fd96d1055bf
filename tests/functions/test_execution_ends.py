"""How executions end, and what follows: an order that was not fulfilled ends its execution as failed, and nothing is repaired.

Only an execution that ends while its order, by the row, still waits for it is counted and followed by another one.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orders.adapters import workflow
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.domain.address import Address
from orders.domain.lines import Line
from orders.domain.outcomes import OF_PAYMENT_STATUS, PaymentOutcome
from orders.domain.statuses import ApprovalStatus, OrderStatus, OverallStatus, PaymentStatus
from orders.domain.steps import WHY_CANCELLED, CancelReason, OutOfStock, PaymentDeclined
from orders.tasks import StepFault
from tests.harness.world import World

EARLY = "executions_ended_early_total"
Ends = Callable[[], Any]


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of metrics since the last look."""
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"_aws"')]


class Machine:
    """The machine as its definition has it, as far as these tests go: it hands on what the steps report."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.data: dict[str, Any] = {"order_id": "order-1", "run": 1}

    def reserve(self) -> str:
        self.data["reserved"] = self.world.step("reserve_stock", outcomes=True)
        return str(self.data["reserved"]["stock"]["outcome"])

    def charge(self) -> str:
        self.data["charged"] = self.world.step("charge_payment", outcomes=True)
        return str(self.data["charged"]["payment"]["outcome"])

    def fail(self, error: str) -> None:
        self.data["failure"] = {"Error": error, "Cause": "{}"}

    def unwind(self) -> dict[str, str]:
        """The last task before the execution fails; answers the error and the cause that it fails with."""
        run = self.data["run"]
        found = self.world.step("begin_unwinding", run=run, so_far=self.data)
        return {name: found[name] for name in ("error", "cause")}

    def ended(self, status: str, error: str | None = None) -> None:
        """The service tells of the end."""
        order = self.world.order()
        name = workflow.execution_name(order.order_id, self.data["run"])
        arn = workflow.fulfillment_arn(order).rpartition(":")[0] + f":{name}"
        self.world.executions.end(arn, status, error)
        self.world.invoke("sweep_orders", {"detail": {"executionArn": arn, "status": status, "error": error}})


@pytest.fixture
def machine(world: World) -> Machine:
    return Machine(world)


# --- the order's end is the execution's ---


def test_a_declined_card_is_an_outcome_and_fails_the_execution_with_its_reason_and_nothing_more(
    machine: Machine, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.place(token="tok_declined")
    world.follow_up()
    assert (machine.reserve(), machine.charge()) == ("reserved", "declined")
    assert machine.data["charged"]["payment"]["reason"] == "The card was declined."
    ends = machine.unwind()
    assert ends == {"error": "payment_failed", "cause": WHY_CANCELLED[CancelReason.PAYMENT_FAILED]}
    world.follow_up()
    before = world.order()
    capsys.readouterr()
    machine.ended("FAILED", ends["error"])
    assert world.order() == before
    assert (before.overall, before.run, before.failed_runs) == (OverallStatus.ROLLING_BACK, 1, 0)
    assert (printed(capsys), world.executions.described) == ([], 0), "neither counted nor asked for"
    world.unwind()
    shown = world.http("GET /orders/{id}", "order-1").body
    assert (shown["order"]["cancellation"]["reason"], shown["payment"]["failure_reason"]) == (
        "payment_failed",
        "The card was declined.",
    )
    world.add_up()


def test_an_order_of_which_there_is_too_little_is_over_at_once(
    machine: Machine, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stock("prod-002", 0)
    world.place()
    world.follow_up()
    assert machine.reserve() == "out_of_stock"
    assert "prod-002" in machine.data["reserved"]["stock"]["reason"]
    ends = machine.unwind()
    assert ends["error"] == "out_of_stock"
    before = world.order()
    assert (before.status, before.overall) == (OrderStatus.CANCELLED, OverallStatus.FAILED)
    capsys.readouterr()
    machine.ended("FAILED", ends["error"])
    assert (world.order(), printed(capsys)) == (before, [])


def test_what_is_to_be_reviewed_is_an_outcome(machine: Machine, world: World) -> None:
    world.place(require_approval=True)
    assert machine.reserve() == "review"
    assert machine.reserve() == "review", "however often it is asked"


@pytest.mark.parametrize(
    ("placed", "outcome"), [({}, "paid"), ({"method": "CASH_ON_DELIVERY", "token": None}, "cash")], ids=["card", "cash"]
)
def test_what_is_paid_is_an_outcome_with_the_payment_s_id(
    machine: Machine, world: World, placed: dict[str, Any], outcome: str
) -> None:
    world.place(**placed)
    machine.reserve()
    assert machine.charge() == outcome
    payment = world.snapshot().payment
    assert payment
    assert machine.data["charged"]["payment"] == {
        "payment_id": payment.payment_id,
        "status": payment.status,
        "outcome": outcome,
    }


def test_every_status_of_a_payment_has_an_outcome() -> None:
    assert set(OF_PAYMENT_STATUS) == set(PaymentStatus)
    of_others = {PaymentOutcome.CASH, PaymentOutcome.NONE, PaymentOutcome.ON_HOLD, PaymentOutcome.NOTHING_TO_SHIP}
    assert set(OF_PAYMENT_STATUS.values()) == set(PaymentOutcome) - of_others


def test_an_order_that_was_cancelled_meanwhile_ends_its_execution_with_that(machine: Machine, world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    version = world.order().version
    machine.fail("OrderOver")
    assert machine.unwind() == {"error": "customer", "cause": WHY_CANCELLED[CancelReason.CUSTOMER]}
    assert world.order().version == version


def test_an_order_that_came_back_meanwhile_ends_its_execution_with_that(machine: Machine, world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    world.support("POST /orders/{id}/return", "order-1")
    machine.fail("OrderOver")
    assert machine.unwind()["error"] == "returned"


def test_an_order_that_was_delivered_meanwhile_is_not_unwound(machine: Machine, world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    world.http("POST /orders/{id}/delivered", "order-1", by="carl", groups=["carrier"])
    version = world.order().version
    machine.fail("CarrierUnavailable")
    assert machine.unwind()["error"] == "overtaken"
    assert world.order().version == version


def test_an_earlier_run_that_fails_leaves_the_order_to_the_later_one(
    machine: Machine, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.live(OrderStatus.PROCESSING)
    machine.ended("ABORTED")
    world.follow_up()
    before = world.order()
    assert before.run == 2
    machine.fail("CarrierUnavailable")
    assert machine.unwind()["error"] == "replaced"
    capsys.readouterr()
    machine.ended("FAILED", "replaced")
    assert (world.order(), printed(capsys)) == (before, [])


def test_a_stopped_execution_says_why(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.support("POST /orders/{id}/cancel", "order-1", {"reason": "Looks like fraud, says Ada"})
    world.follow_up()
    (stopped,) = [one for one in world.executions.executions.values() if one["status"] == "ABORTED"]
    assert (stopped["error"], stopped["cause"]) == ("staff", WHY_CANCELLED[CancelReason.STAFF])


# --- what is counted ---


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_ends_before_its_order_is_counted(
    machine: Machine, world: World, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    world.live(OrderStatus.PROCESSING)
    capsys.readouterr()
    machine.ended(status, "States.Runtime")
    (line,) = printed(capsys)
    assert (line[EARLY], line["machine"], line["status"]) == ([1.0], "fulfillment", status)
    assert world.order().run == 2
    machine.ended(status, "States.Runtime")
    assert printed(capsys) == [], "told twice, counted once"


def test_an_unwinding_that_ends_before_its_order_is_counted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    capsys.readouterr()
    for arn in (workflow.fulfillment_arn(world.order()), str(workflow.unwinding_arn(world.order()))):
        world.invoke("sweep_orders", {"detail": {"executionArn": arn, "status": "FAILED"}})
    (line,) = printed(capsys)
    assert (line[EARLY], line["machine"], line["status"]) == ([1.0], "unwinding", "FAILED")


def test_a_failure_of_a_parcel_under_way_is_counted(machine: Machine, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.live(OrderStatus.SHIPPED)
    machine.fail("StoreBusy")
    assert machine.unwind()["error"] == "UnwindingNotBegun"
    capsys.readouterr()
    machine.ended("FAILED", "UnwindingNotBegun")
    assert [line[EARLY] for line in printed(capsys)] == [[1.0]]
    assert world.order().run == 2


# --- the definitions of earlier releases ---


def test_an_execution_of_an_earlier_definition_gets_the_errors_that_it_waits_for(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    approval = world.order().approval
    assert approval
    assert approval.status is ApprovalStatus.PENDING
    world.place("order-2", token="tok_declined")
    world.step("reserve_stock", "order-2")
    with pytest.raises(PaymentDeclined, match="The card was declined"):
        world.step("charge_payment", "order-2")
    world.stock("prod-002", 0)
    world.place("order-3")
    with pytest.raises(OutOfStock):
        world.step("reserve_stock", "order-3")
    failure = {"Error": "OutOfStock", "Cause": '{"errorType": "OutOfStock", "errorMessage": "Not enough."}'}
    world.step("begin_unwinding", "order-3", failure=failure)
    assert world.order("order-3").status is OrderStatus.CANCELLED


def test_unwinding_without_a_failure_is_a_fault_of_the_definition(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    with pytest.raises(StepFault):
        world.step("begin_unwinding", run=1, so_far={"order_id": "order-1", "run": 1})
    assert not world.order().is_over


# --- what nobody foresaw ---


def test_an_unforeseen_error_keeps_its_words_to_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.PROCESSING)

    def book(_: SimulatedCarrier, key: str, address: Address, lines: tuple[Line, ...]) -> None:
        raise ValueError(f"No such street: {address.line1}.")

    monkeypatch.setattr(SimulatedCarrier, "book", book)
    with pytest.raises(StepFault) as raised:
        world.step("ship_parcel", task_token="ship-1", transit=10, run=1)
    assert str(raised.value) == "ValueError: the function's log says more."
