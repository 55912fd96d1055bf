"""Every way through the unwinding, on both engines: only what took effect is undone, in reverse, and nothing is given up."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from orders.domain.steps import UNWINDING, unwound_from
from tests.statemachine.both import on_both, some_of
from tests.statemachine.engines import Engine, Fails, Script, Walk
from tests.statemachine.machines import UNWIND, definition, substitutions
from tests.statemachine.raises import raised_by

STATES, FUNCTIONS = ([task.state for task in UNWINDING.values()], [task.function for task in UNWINDING.values()])
LONGEST = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


Outcomes = Mapping[str, Sequence[Fails]]


def unwind(engine: Engine, outcomes: Outcomes | None = None, undo_from: str = "shipment", jitter: float = 1) -> Walk:
    facts = {"order_id": "order-1", "run": 1, "undo_from": undo_from}
    return engine.run(UNWIND, facts, Script(outcomes or {}), jitter)


def retried(function: str) -> list[str]:
    """The errors that the step which calls the function tries again."""
    names = {module: f"${{{name}}}" for name, module in substitutions(UNWIND).items()}
    states = [state for state in definition(UNWIND)["States"].values() if state["Type"] == "Task"]
    found: list[str] = next(
        state["Retry"][0]["ErrorEquals"] for state in states if state["Parameters"]["FunctionName"] == names[function]
    )
    return found


@pytest.mark.parametrize("undo_from", [*UNWINDING, "what nobody foresaw"])
def test_only_what_took_effect_is_undone_in_reverse(engine: Engine, undo_from: str) -> None:
    tasks = unwound_from(undo_from)
    walk = unwind(engine, undo_from=undo_from)
    assert walk.path == ["What is to be undone?", *(task.state for task in tasks)]
    assert [(call.function, call.payload) for call in walk.calls] == [
        (task.function, {"order_id": "order-1"}) for task in tasks
    ]
    assert (walk.status, walk.ended) == ("SUCCEEDED", 0)
    assert walk.transitions == 2 + len(tasks)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_fault_that_passes_costs_a_delay_and_nothing_else(engine: Engine, function: str) -> None:
    for error in some_of(engine, retried(function)):
        walk = unwind(engine, {function: [Fails(error)]})
        assert walk.path == ["What is to be undone?", *STATES], error
        assert len(walk.of(function)) == 2, error
        assert (walk.ended, walk.transitions) == (1, 7), error


@pytest.mark.parametrize(
    ("engine", "function", "jitter"),
    on_both([(one, jitter) for one in FUNCTIONS for jitter in (0.25, 0, 1)]),
    indirect=["engine"],
)
def test_an_undoing_is_tried_for_minutes(engine: Engine, function: str, jitter: float) -> None:
    walk = unwind(engine, {function: [Fails("StoreBusy")] * 10}, jitter=jitter)
    assert walk.backoffs == LONGEST
    assert walk.delays(function) == [bound * jitter for bound in LONGEST]
    assert (walk.path, walk.status) == (["What is to be undone?", *STATES], "SUCCEEDED")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_cannot_be_undone_is_left_to_the_sweep(engine: Engine, function: str) -> None:
    walk = unwind(engine, {function: [Fails("OrderChanged")] * 11})
    position = FUNCTIONS.index(function)
    assert walk.path == ["What is to be undone?", *STATES[: position + 1], "Left to the sweep"]
    assert (walk.status, walk.error) == ("FAILED", "UnwindingIncomplete")
    assert len(walk.of(function)) == 11
    assert not [call for later in FUNCTIONS[position + 1 :] for call in walk.of(later)], "never out of order"


REFUSALS = [(function, error) for function in FUNCTIONS for error in (*sorted(raised_by(function).refusals), "KeyError")]


@pytest.mark.parametrize(("engine", "function", "error"), on_both(REFUSALS), indirect=["engine"])
def test_a_refusal_is_not_tried_again(engine: Engine, function: str, error: str) -> None:
    walk = unwind(engine, {function: [Fails(error)]})
    assert walk.path[-2:] == [STATES[FUNCTIONS.index(function)], "Left to the sweep"]
    assert (len(walk.of(function)), walk.backoffs) == (1, [])


def test_faults_of_several_steps_each_have_their_own_tries(engine: Engine) -> None:
    walk = unwind(engine, {function: [Fails("StoreBusy")] * 3 for function in FUNCTIONS})
    assert walk.status == "SUCCEEDED"
    assert walk.backoffs == [1, 2, 4] * 4
    assert all(later.at >= earlier.at for earlier, later in pairwise(walk.calls))
