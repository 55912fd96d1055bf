"""Both machines keep the house's rules, and the check of those rules finds each way to break one."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from orders.adapters import workflow
from orders.adapters.workflow import seconds_of
from orders.domain.address import Address
from orders.domain.errors import OrderOnHold
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Approval, Order, Snapshot
from orders.domain.outcomes import REFUSALS, PaymentOutcome, StockOutcome
from orders.domain.statuses import ApprovalStatus, OrderStatus, PaymentMethod
from orders.domain.steps import (
    ARRIVAL,
    BY_NAME,
    CLOSING,
    DEFINITIONS,
    NOTHING,
    RELEASE,
    UNWINDING,
    StepDefinition,
    StepName,
)
from orders.domain.waits import LONGEST, Waits, remaining_waits
from tests.harness.fakes import FakeStepFunctions
from tests.harness.orders import WAITS
from tests.statemachine.graph import billed_transitions, faults, happy_path
from tests.statemachine.machines import FILES, FULFIL, INPUTS, UNDOING, UNWIND, definition, rules, substitutions, template

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("machine", FILES)
def test_nothing_is_wrong_with_the_machine(machine: str) -> None:
    assert faults(definition(machine), rules(machine)) == []


def test_an_order_that_waits_for_nothing_costs_seven_transitions() -> None:
    path = happy_path(definition(FULFIL))
    assert path == [
        "Reserve stock",
        "What next?",
        "Charge payment",
        "Paid yet?",
        "Ship parcel and await delivery",
        "Deliver order",
    ]
    assert billed_transitions(len(path)) == 7


def test_a_wait_that_takes_time_costs_one_transition_and_a_wait_that_takes_none_costs_nothing() -> None:
    states = definition(FULFIL)["States"]
    waits = [name for name, state in states.items() if state["Type"] == "Wait"]
    assert len(waits) == 2, "with both, a delivered order costs nine"
    for name in waits:
        entries = [rule for state in states.values() for rule in state.get("Choices", ()) if rule["Next"] == name]
        (rule,) = entries
        assert (rule["Variable"], rule["NumericGreaterThan"]) == (states[name]["SecondsPath"], 0)


# --- the machines and the table of steps ---


def function_of(machine: str, state: str) -> str:
    """The module of the function that a state calls."""
    name = definition(machine)["States"][state]["Parameters"]["FunctionName"]
    return substitutions(machine)[name.removeprefix("${").removesuffix("}")]


@pytest.mark.parametrize("step", DEFINITIONS, ids=lambda step: step.task.function)
def test_each_step_is_done_and_waited_for_where_the_table_says(step: StepDefinition) -> None:
    assert function_of(FULFIL, step.task.state) == step.task.function
    if step.choice:
        assert definition(FULFIL)["States"][step.task.state]["Next"] == step.choice
        assert definition(FULFIL)["States"][step.choice]["Type"] == "Choice"
    if step.wait:
        waiting = definition(FULFIL)["States"][step.wait.state]
        assert f"$.waits.{step.wait.name}" in (waiting.get("SecondsPath"), waiting.get("TimeoutSecondsPath"))


@pytest.mark.parametrize(
    ("step", "wait", "then"),
    [(StepName.INVENTORY, "shortage", "Reserve stock"), (StepName.PAYMENT, "confirmation", "Paid yet?")],
)
def test_an_answer_is_waited_for_where_the_table_says_and_for_as_long_as_the_execution_is_told(
    step: StepName, wait: str, then: str
) -> None:
    confirmation = BY_NAME[step].confirmation
    assert confirmation
    waiting = definition(FULFIL)["States"][confirmation.task.state]
    assert function_of(FULFIL, confirmation.task.state) == confirmation.task.function
    assert {limit.state for limit in confirmation.limits} == {confirmation.task.state}
    assert (waiting["TimeoutSecondsPath"], waiting["Next"]) == (f"$.waits.{wait}", then)


def test_a_choice_knows_each_outcome_that_a_step_reports_and_none_that_it_does_not() -> None:
    states = definition(FULFIL)["States"]
    compared = {
        name: {rule["StringEquals"] for rule in state["Choices"] if "StringEquals" in rule}
        for name, state in states.items()
        if state["Type"] == "Choice"
    }
    assert compared == {
        "What next?": set(StockOutcome) - {StockOutcome.RESERVED},
        "Paid yet?": {
            PaymentOutcome.DECLINED,
            PaymentOutcome.PENDING,
            PaymentOutcome.ON_HOLD,
            PaymentOutcome.NOTHING_TO_SHIP,
        },
    }
    refused = {str(outcome) for _, outcome in REFUSALS.values()} - {PaymentOutcome.ON_HOLD}
    leading = {rule.get("StringEquals"): rule["Next"] for state in states.values() for rule in state.get("Choices", ())}
    assert {outcome for outcome, state in leading.items() if state == UNDOING[FULFIL]} == refused


def test_the_machine_has_no_step_that_the_table_does_not_know() -> None:
    tasks = {name for name, state in definition(FULFIL)["States"].items() if state["Type"] == "Task"}
    awaiting = {wait.task.state for step in DEFINITIONS for wait in (step.confirmation, step.by_others) if wait}
    assert tasks - {UNDOING[FULFIL]} == {step.task.state for step in DEFINITIONS} | awaiting | {RELEASE.state, ARRIVAL.state}


def test_an_order_on_hold_waits_for_its_release_wherever_it_is_charged_or_handed_over() -> None:
    states = definition(FULFIL)["States"]
    waiting = states[RELEASE.state]
    assert function_of(FULFIL, RELEASE.state) == RELEASE.function
    assert (waiting["TimeoutSeconds"], waiting["Next"], waiting["ResultPath"]) == (300 * 86400, "Charge payment", "$.waits")
    led = {name for name, state in states.items() for caught in state.get("Catch", ()) if caught["Next"] == RELEASE.state}
    assert led == {"Ship parcel and await delivery", ARRIVAL.state, "Deliver order"}
    assert [caught["ErrorEquals"] for name in led for caught in states[name]["Catch"] if caught["Next"] == RELEASE.state] == [
        [OrderOnHold.__name__]
    ] * 3


def test_the_release_brings_all_waits_that_an_execution_reads() -> None:
    read = set(re.findall(r"\$\.waits\.(\w+)", json.dumps(definition(FULFIL))))
    assert read <= set(seconds_of(replace(WAITS, warehouse=1)))


def test_the_unwinding_is_entered_and_goes_on_as_the_table_says() -> None:
    states = definition(UNWIND)["States"]
    choice = states[definition(UNWIND)["StartAt"]]
    entries = {rule["StringEquals"]: rule["Next"] for rule in choice["Choices"]} | {NOTHING: choice["Default"]}
    assert entries == {entry: task.state for entry, task in UNWINDING.items()}
    for task, following in pairwise(UNWINDING.values()):
        assert (function_of(UNWIND, task.state), states[task.state]["Next"]) == (task.function, following.state)
    assert function_of(UNWIND, CLOSING.state) == CLOSING.function
    assert states[CLOSING.state]["End"]


# --- what starts an execution is what it reads ---


def an_order(**fields: Any) -> Order:
    ten = Money(1000, "USD")
    address = Address("Ada", "1 Main St", "London", "N1 9GU", "GB")
    line = Line("prod-001", "Enamel mug", 1, ten)
    facts: dict[str, Any] = {
        "order_id": "order-1",
        "customer_id": "ada",
        "status": OrderStatus.PENDING,
        "version": 1,
        "lines": (line,),
        "total": ten,
        "shipping_address": address,
        "method": PaymentMethod.CREDIT_CARD,
        "created_at": NOON,
        "updated_at": NOON,
        "status_since": NOON,
    }
    return Order(**(facts | fields))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> FakeStepFunctions:
    executions = FakeStepFunctions()
    monkeypatch.setattr(workflow, "client", lambda: executions)
    monkeypatch.setenv("FULFILL_MACHINE_ARN", "arn:aws:states:us-east-1:1:stateMachine:fulfil")
    monkeypatch.setenv("UNWIND_MACHINE_ARN", "arn:aws:states:us-east-1:1:stateMachine:unwind")
    return executions


def input_of(executions: FakeStepFunctions) -> Any:
    """What the one execution was started with."""
    (arn,) = executions.executions
    return executions.input_of(arn)


def paths(value: Any, base: str = "$") -> set[str]:
    if not isinstance(value, dict):
        return {base}
    return {path for key, inner in value.items() for path in paths(inner, f"{base}.{key}")}


def test_a_fulfillment_is_started_with_what_its_machine_reads(started: FakeStepFunctions) -> None:
    workflow.start_fulfillment(an_order(), Waits(5, 5, 10, 300, 3600, 604_800, 86_400))
    assert paths(input_of(started)) == set(INPUTS[FULFIL]) - {"$.waits.warehouse"}, "what is not there is not waited for"


def test_a_fulfillment_by_a_warehouse_is_started_with_what_its_machine_reads(started: FakeStepFunctions) -> None:
    workflow.start_fulfillment(an_order(), Waits(5, 5, 10, 300, 3600, 604_800, 86_400, 25_920_000))
    assert paths(input_of(started)) == set(INPUTS[FULFIL])


def test_a_warehouse_is_waited_for_where_the_table_says_and_costs_one_transition_more() -> None:
    (waiting,) = (step.by_others for step in DEFINITIONS if step.by_others)
    states = definition(FULFIL)["States"]
    assert function_of(FULFIL, waiting.task.state) == waiting.task.function
    assert states[waiting.task.state]["TimeoutSecondsPath"] == "$.waits.warehouse"
    assert (states[waiting.task.state]["Next"], states[ARRIVAL.state]["Next"]) == (ARRIVAL.state, "Deliver order")
    assert function_of(FULFIL, ARRIVAL.state) == ARRIVAL.function
    entries = [rule for rule in states["Paid yet?"]["Choices"] if rule["Next"] == waiting.task.state]
    assert entries == [{"Variable": "$.waits.warehouse", "IsPresent": True, "Next": waiting.task.state}]
    path = ["Reserve stock", "What next?", "Charge payment", "Paid yet?", waiting.task.state, ARRIVAL.state, "Deliver order"]
    assert billed_transitions(len(path)) == 8


def test_whatever_others_do_is_waited_for_as_long() -> None:
    assert definition(FULFIL)["States"][RELEASE.state]["TimeoutSeconds"] == LONGEST
    warehouse = template()["Resources"]["AwaitWarehouseFunction"]["Properties"]["Environment"]["Variables"]
    assert warehouse["WAREHOUSE_WAIT_SECONDS"] == {"Fn::If": ["PreparesByWarehouse", LONGEST, 0]}


def test_where_only_the_carrier_delivers_it_is_waited_for_as_long(started: FakeStepFunctions) -> None:
    workflow.start_fulfillment(an_order(), Waits(5, 5, 10, 300, 3600, 604_800, 86_400, arrival=LONGEST))
    waits = input_of(started)["waits"]
    assert (waits["delivery"], waits["transit"]) == (LONGEST, LONGEST)


def test_an_unwinding_is_started_with_what_its_machine_reads(started: FakeStepFunctions) -> None:
    workflow.start_unwinding(Snapshot(an_order()))
    assert paths(input_of(started)) == set(INPUTS[UNWIND])


@pytest.mark.parametrize("milliseconds", [0, 1, 40, 999, 4001])
@pytest.mark.parametrize("reviewed", [False, True])
def test_what_is_left_of_a_whole_wait_is_whole(started: FakeStepFunctions, milliseconds: int, reviewed: bool) -> None:
    now = datetime.fromtimestamp(NOON.timestamp() + milliseconds / 1000, UTC)
    expiry = datetime.fromtimestamp(NOON.timestamp() + 300, UTC)
    order = an_order(approval=Approval(ApprovalStatus.PENDING, expiry) if reviewed else None)
    workflow.start_fulfillment(order, remaining_waits(order, Waits(5, 5, 10, 300, 3600, 604_800, 86_400), now))
    waits = input_of(started)["waits"]
    assert all(isinstance(seconds, int) for seconds in waits.values()), "AWS reads nothing but whole seconds"
    assert waits["approval" if reviewed else "payment"] >= (300 if reviewed else 5) - milliseconds / 1000


def test_a_transit_of_no_time_still_leaves_its_callback_a_positive_limit(started: FakeStepFunctions) -> None:
    workflow.start_fulfillment(an_order(), Waits(0, 0, 0, 0, 0, 0, 0))
    waits = input_of(started)["waits"]
    assert (waits["transit"], waits["payment"], waits["preparation"]) == (0, 0, 0)
    assert waits["delivery"] >= 1
    assert waits["approval"] >= 1


# --- the check finds what is wrong ---

Machine = dict[str, Any]
Breaks = Callable[[Machine], object]


def at(name: str, **fields: Any) -> Breaks:
    """Sets fields of one state."""
    return lambda machine: machine["States"][name].update(fields)


def without(name: str, field: str) -> Breaks:
    """Takes a field out of one state."""
    return lambda machine: machine["States"][name].pop(field)


def retrying(name: str, **fields: Any) -> Breaks:
    """Sets fields of one state's retrier."""
    return lambda machine: machine["States"][name]["Retry"][0].update(fields)


def not_retrying(name: str, field: str) -> Breaks:
    """Takes a field out of one state's retrier."""
    return lambda machine: machine["States"][name]["Retry"][0].pop(field)


def retrying_also(name: str, error: str) -> Breaks:
    """Names one error more in a state's retrier."""
    return lambda machine: machine["States"][name]["Retry"][0]["ErrorEquals"].append(error)


def retrying_no_more(name: str, error: str) -> Breaks:
    """Names one error less in a state's retrier."""
    return lambda machine: machine["States"][name]["Retry"][0]["ErrorEquals"].remove(error)


def catching(name: str, position: int, **fields: Any) -> Breaks:
    """Sets fields of one of a state's catchers."""
    return lambda machine: machine["States"][name]["Catch"][position].update(fields)


def not_catching(name: str, position: int, field: str | None = None) -> Breaks:
    """Takes out one of a state's catchers, or a field of it."""

    def breaks(machine: Machine) -> object:
        catchers = machine["States"][name]["Catch"]
        return catchers[position].pop(field) if field else catchers.pop(position)

    return breaks


def catching_first(name: str, error: str) -> Breaks:
    """Puts a catcher of one error before a state's others."""
    catcher = {"ErrorEquals": [error], "ResultPath": "$.failure", "Next": UNDOING[FULFIL]}
    return lambda machine: machine["States"][name]["Catch"].insert(0, catcher)


def payload(name: str, **fields: Any) -> Breaks:
    """Sets fields of what one state's function is told; ``None`` takes one out."""

    def breaks(machine: Machine) -> None:
        told = machine["States"][name]["Parameters"]["Payload"]
        for key, value in fields.items():
            told.pop(f"{key}.$", None)
            told.update({f"{key}.$": value} if value else {})

    return breaks


def choosing(name: str, **fields: Any) -> Breaks:
    """Sets fields of one state's first choice."""
    return lambda machine: machine["States"][name]["Choices"][0].update(fields)


def comparing_by(name: str, comparison: str | None) -> Breaks:
    """Gives one state's first choice another comparison, or none."""

    def breaks(machine: Machine) -> None:
        rule = machine["States"][name]["Choices"][0]
        value = rule.pop("StringEquals")
        rule.update({comparison: value} if comparison else {})

    return breaks


def a_state(name: str, **fields: Any) -> Breaks:
    """Puts in one state more."""
    return lambda machine: machine["States"].update({name: fields})


def renamed(name: str, other: str) -> Breaks:
    """Renames a state and nothing that leads to it."""
    return lambda machine: machine["States"].update({other: machine["States"].pop(name)})


SHIP, APPROVAL, CHARGE, DELIVER = "Ship parcel and await delivery", "Wait for approval", "Charge payment", "Deliver order"
CHOICE = "What is to be undone?"

MUTATIONS: dict[str, tuple[str, Breaks, str]] = {
    "the start leads nowhere": (FULFIL, lambda m: m.update(StartAt="Reserve"), "StartAt names no state: Reserve"),
    "a Next leads nowhere": (FULFIL, at(CHARGE, Next="Wait for packing"), "leads to Wait for packing, which does not exist"),
    "a Catch leads nowhere": (FULFIL, catching(CHARGE, 0, Next="Closed"), "leads to Closed, which does not exist"),
    "a Default leads nowhere": (UNWIND, at(CHOICE, Default="Wait"), "leads to Wait, which does not exist"),
    "a choice leads nowhere": (UNWIND, choosing(CHOICE, Next="Recall"), "leads to Recall, which does not"),
    "a state is renamed": (UNWIND, renamed("Release stock", "Free stock"), "leads to Release stock, which does not exist"),
    "a state is left aside": (FULFIL, lambda m: m["States"]["Paid yet?"]["Choices"].pop(), "Wait for preparation: it cannot"),
    "a state is left over": (FULFIL, a_state("Old", Type="Succeed", Comment="Was used once."), "Old: it cannot be reached"),
    "success goes where failure goes": (UNWIND, at("Refund payment", Next="Left to the sweep"), "without having failed"),
    "a step goes on to the undoing": (FULFIL, at(CHARGE, Next="Unwind order"), "goes on to Unwind order without having failed"),
    "a wait goes back": (FULFIL, at("Wait for preparation", Next=CHARGE), "an order could go round in circles"),
    "a step has two ways on": (FULFIL, at(CHARGE, End=True), "either a Next or an End"),
    "a step has no way on": (FULFIL, without(CHARGE, "Next"), "either a Next or an End"),
    "a choice has an End": (UNWIND, at(CHOICE, End=True), "End has no place in a Choice"),
    "an end has a Next": (FULFIL, at("Not fulfilled", Next=DELIVER), "Next has no place in a Fail"),
    "an undoing that ends well": (
        FULFIL,
        lambda m: (without("Unwind order", "Next")(m), at("Unwind order", End=True)(m)),
        "Unwind order: it ends as if the order had been fulfilled",
    ),
    "an undoing that goes on": (
        FULFIL,
        at("Unwind order", Next=DELIVER),
        "it goes on to Deliver order as if the order had been",
    ),
    "a failure that nobody records": (
        FULFIL,
        lambda m: m["States"]["Paid yet?"]["Choices"][0].update(Next="Not fulfilled"),
        "Paid yet?: it fails at Not fulfilled before the failure is recorded",
    ),
    "a word is misspelt": (FULFIL, at(CHARGE, Retries=[]), "Retries has no place in a Task"),
    "JSONata's words in a JSONPath state": (FULFIL, at(CHARGE, Assign={}), "Assign has no place in a Task"),
    "another language": (FULFIL, lambda m: m.update(QueryLanguage="JSONata"), "written in JSONPath"),
    "a type we do without": (FULFIL, at("Wait for payment", Type="Pass"), "do without the type Pass"),
    "no Comment": (FULFIL, without("Wait for payment", "Comment"), "Wait for payment: it has no Comment"),
    "an empty Comment": (UNWIND, at("Close order", Comment=" "), "Close order: it has no Comment"),
    "a machine without a Comment": (UNWIND, lambda m: m.pop("Comment"), "the machine has no Comment"),
    "no Retry": (FULFIL, without(CHARGE, "Retry"), "Charge payment: it has no Retry"),
    "an empty Retry": (FULFIL, at(CHARGE, Retry=[]), "Charge payment: it has no Retry"),
    "a Retry of nothing": (FULFIL, retrying(CHARGE, ErrorEquals=[]), "a Retry names no error"),
    "a Retry of everything": (FULFIL, retrying(CHARGE, ErrorEquals=["States.ALL"]), "States.ALL in a Retry"),
    "a Retry of every failure": (FULFIL, retrying_also(CHARGE, "States.TaskFailed"), "States.TaskFailed in a Retry"),
    "a Retry of a time-out": (FULFIL, retrying_also(APPROVAL, "States.Timeout"), "States.Timeout in a Retry"),
    "a Retry of a declined card": (FULFIL, retrying_also(CHARGE, "PaymentDeclined"), "PaymentDeclined is a refusal"),
    "a Retry of goods there are none of": (FULFIL, retrying_also("Reserve stock", "OutOfStock"), "OutOfStock is a refusal"),
    "a Retry of an order that is over": (FULFIL, retrying_also(SHIP, "OrderOver"), "OrderOver is a refusal"),
    "a Retry of what the step cannot raise": (
        FULFIL,
        retrying_also("Reserve stock", "CarrierUnavailable"),
        "names CarrierUnavailable, which its code cannot raise",
    ),
    "a Retry of what nobody raises": (FULFIL, retrying_also(CHARGE, "GatewayDown"), "names GatewayDown, which its code cannot"),
    "a Retry that forgets our own fault": (
        FULFIL,
        retrying_no_more(CHARGE, "GatewayUnavailable"),
        "GatewayUnavailable passes by itself and is not tried again",
    ),
    "a Retry that forgets Lambda's fault": (
        UNWIND,
        retrying_no_more("Close order", "Lambda.TooManyRequestsException"),
        "Lambda.TooManyRequestsException passes by itself and is not tried again",
    ),
    "an error retried twice": (FULFIL, retrying_also(CHARGE, "StoreBusy"), "StoreBusy stands in its Retry twice"),
    "no limit of tries": (FULFIL, not_retrying(CHARGE, "MaxAttempts"), "needs MaxAttempts"),
    "no try at all": (FULFIL, retrying(CHARGE, MaxAttempts=0), "needs MaxAttempts"),
    "tries without end": (FULFIL, retrying(CHARGE, MaxAttempts=99_999_999), "needs MaxAttempts"),
    "no cap": (FULFIL, not_retrying(CHARGE, "MaxDelaySeconds"), "needs a MaxDelaySeconds"),
    "a cap below the first delay": (FULFIL, retrying(CHARGE, MaxDelaySeconds=1), "needs a MaxDelaySeconds"),
    "no jitter": (FULFIL, not_retrying(CHARGE, "JitterStrategy"), "needs a JitterStrategy"),
    "jitter turned off": (FULFIL, retrying(CHARGE, JitterStrategy="NONE"), "needs a JitterStrategy"),
    "no backoff": (FULFIL, retrying(CHARGE, BackoffRate=1), "needs a BackoffRate"),
    "no first delay": (FULFIL, not_retrying(CHARGE, "IntervalSeconds"), "needs IntervalSeconds"),
    "no Catch": (FULFIL, without(CHARGE, "Catch"), "Charge payment: it has no Catch that takes everything last"),
    "an empty Catch": (UNWIND, at("Close order", Catch=[]), "Close order: it has no Catch that takes everything last"),
    "no Catch of the rest": (FULFIL, not_catching(SHIP, 2), "has no Catch that takes everything last"),
    "everything caught first": (
        FULFIL,
        lambda m: m["States"][SHIP]["Catch"].reverse(),
        "has no Catch that takes everything last",
    ),
    "everything caught beside something": (
        FULFIL,
        catching(CHARGE, 0, ErrorEquals=["States.ALL", "PaymentDeclined"]),
        "has no Catch that takes everything last",
    ),
    "a failure that is not undone": (FULFIL, catching(CHARGE, 0, Next=DELIVER), "does not lead to Unwind order"),
    "an undoing that fails unseen": (FULFIL, catching("Unwind order", 0, Next="Not fulfilled"), "does not lead to Left to"),
    "a Catch of what the step cannot raise": (
        FULFIL,
        catching_first("Reserve stock", "PaymentDeclined"),
        "a Catch names PaymentDeclined, which its code cannot raise",
    ),
    "a Catch of what nobody raises": (FULFIL, catching_first(SHIP, "OrderClosed"), "a Catch names OrderClosed"),
    "a time-out caught where nobody waits": (
        FULFIL,
        catching_first(CHARGE, "States.Timeout"),
        "a Catch names States.Timeout",
    ),
    "a failure in the order's place": (FULFIL, not_catching(CHARGE, 0, "ResultPath"), "in the place of the order's id"),
    "a failure that is not kept": (FULFIL, at("Unwind order", ResultPath=None), "Not fulfilled: $.unwound.error is not there"),
    "a result in the order's place": (FULFIL, without(CHARGE, "ResultPath"), "$.order_id is not there on every way"),
    "an outcome that nobody reports": (
        FULFIL,
        lambda m: m["States"]["Paid yet?"]["Choices"][0].update(Variable="$.charged.outcome"),
        "Paid yet?: $.charged.outcome is not there",
    ),
    "a wait that nobody set": (FULFIL, at("Wait for payment", SecondsPath="$.waits.paying"), "$.waits.paying is not there"),
    "a limit that nobody set": (FULFIL, at(SHIP, TimeoutSecondsPath="$.waits.way"), "$.waits.way is not there"),
    "a choice by what is not there": (UNWIND, choosing(CHOICE, Variable="$.from"), "$.from is not there"),
    "an approval without a time-out": (
        FULFIL,
        without(APPROVAL, "TimeoutSecondsPath"),
        "Wait for approval: it waits for a callback without a time-out",
    ),
    "a delivery without a time-out": (FULFIL, without(SHIP, "TimeoutSecondsPath"), "waits for a callback without a time-out"),
    "a time-out of nothing": (
        FULFIL,
        lambda m: (without(SHIP, "TimeoutSecondsPath")(m), at(SHIP, TimeoutSeconds=0)(m)),
        "TimeoutSeconds must be a whole number from 1 on",
    ),
    "two time-outs": (FULFIL, at(SHIP, TimeoutSeconds=5), "waits for a callback without a time-out"),
    "a callback nobody can answer": (FULFIL, payload(SHIP, task_token=None), "gives nobody its token"),
    "a token for a step that does not wait": (FULFIL, payload(CHARGE, task_token="$$.Task.Token"), "does not wait"),
    "a function that is not told the order": (FULFIL, payload(CHARGE, order_id=None), "not told the order's id"),
    "a function that is told another order": (FULFIL, payload(CHARGE, order_id="$.run"), "not told the order's id"),
    "another service": (FULFIL, at(CHARGE, Resource="arn:aws:states:::sqs:sendMessage"), "not a function"),
    "a function by its name": (
        FULFIL,
        lambda m: m["States"][CHARGE]["Parameters"].update(FunctionName="charge"),
        "its FunctionName is no substitution",
    ),
    "a function the template does not put in": (
        FULFIL,
        lambda m: m["States"][CHARGE]["Parameters"].update(FunctionName="${ChargeFunctionArn}"),
        "the template puts nothing in for ${ChargeFunctionArn}",
    ),
    "a function the machine does not use": (
        FULFIL,
        lambda m: m["States"][CHARGE]["Parameters"].update(FunctionName="${ReserveStockFunctionArn}"),
        "the template puts in ChargePaymentFunctionArn, which is not used",
    ),
    "a wait without a length": (FULFIL, without("Wait for payment", "SecondsPath"), "one of Seconds and SecondsPath"),
    "a wait of two lengths": (FULFIL, at("Wait for payment", Seconds=5), "one of Seconds and SecondsPath"),
    "a wait of less than nothing": (
        FULFIL,
        lambda m: (without("Wait for payment", "SecondsPath")(m), at("Wait for payment", Seconds=-1)(m)),
        "Seconds must be a whole number from 0 on",
    ),
    "a wait by no path": (FULFIL, at("Wait for payment", SecondsPath="waits.payment"), "SecondsPath must be a reference path"),
    "a choice without choices": (UNWIND, at(CHOICE, Choices=[]), "What is to be undone?: it has no Choices"),
    "a choice without a Default": (UNWIND, without(CHOICE, "Default"), "it has no Default"),
    "a choice that compares twice": (UNWIND, choosing(CHOICE, IsPresent=True), "a choice needs a Variable, one comp"),
    "a choice that compares nothing": (UNWIND, comparing_by(CHOICE, None), "one comparison"),
    "a choice by an unknown comparison": (UNWIND, comparing_by(CHOICE, "Equals"), "one comparison"),
    "a failure without a name": (FULFIL, without("Left to the sweep", "Error"), "Error says nothing"),
    "a failure of two names": (FULFIL, at("Not fulfilled", Error="NotFulfilled"), "Error says nothing"),
    "a failure without a reason": (UNWIND, at("Left to the sweep", Cause=""), "Cause says nothing"),
    "a failure named as a step's": (FULFIL, at("Left to the sweep", Error="StoreBusy"), "the name of one that a step raises"),
    "a status in the machine": (FULFIL, at("Not fulfilled", Comment="It is CANCELLED."), "never here: CANCELLED"),
    "a status told to a function": (
        FULFIL,
        lambda m: m["States"][CHARGE]["Parameters"]["Payload"].update(status="PROCESSING"),
        "never here: PROCESSING",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_check_finds(name: str) -> None:
    machine, breaks, words = MUTATIONS[name]
    broken = deepcopy(definition(machine))
    breaks(broken)
    found = faults(broken, rules(machine))
    assert any(words in fault for fault in found), found
