"""The walker keeps AWS's semantics for everything our machines use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.lambda_runtime.answers import Answer
from local.step_functions.callbacks import Callback, new_token, token_owner
from local.step_functions.errors import error_matches
from local.step_functions.execution import Execution
from local.step_functions.machines import CALLBACK, LAMBDA, START_EXECUTION, Machine, unsupported
from local.step_functions.paths import place
from tests.harness.virtual_time import START, run

Handler = Callable[[Any], Any]


class ScriptedTasks:
    """Functions that answer at once unless they return a number of seconds to take."""

    region = "us-east-1"

    def __init__(self, **functions: Handler) -> None:
        self.functions = functions
        self.callbacks: dict[str, Callback] = {}
        self.calls: list[tuple[float, str, Any]] = []
        self.started: list[Any] = []
        self.changes: list[str] = []

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    def invoke(self, function: str, payload: Any) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        self.calls.append((loop.time(), function, payload))
        answered = loop.create_future()
        try:
            result = self.functions[function](payload)
        except Exception as error:  # noqa: BLE001 - as Lambda does, whatever it is
            failure = {"errorMessage": str(error), "errorType": type(error).__name__}
            result = Answer(failure, failed=True)
        if isinstance(result, Slow):
            loop.call_later(result.seconds, answered.set_result, result.answer)
        else:
            answered.set_result(result if isinstance(result, Answer) else Answer(result))
        return answered

    def start_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        self.started.append(request)
        return {"ExecutionArn": "arn:child", "StartDate": 0}

    def changed(self, execution: Execution) -> None:
        self.changes.append(execution.status)

    def times(self) -> list[float]:
        return [when for when, _, _ in self.calls]


class Slow:
    def __init__(self, seconds: float, value: Any = None) -> None:
        self.seconds = seconds
        self.answer = Answer(value)


class GatewayUnavailable(Exception):
    pass


class PaymentDeclined(Exception):
    pass


def a_task(resource: str = LAMBDA, function: str = "work", **fields: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"FunctionName": function, "Payload.$": "$"}
    if resource == CALLBACK:
        parameters = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, **({"End": True} | fields)}


def walk(
    states: dict[str, Any],
    data: Any = None,
    world: ScriptedTasks | None = None,
    *,
    during: Callable[[Execution], Any] | None = None,
    rng: Callable[[float, float], float] = lambda low, high: high,
    **top: Any,
) -> Execution:
    async def main() -> Execution:
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        machine = Machine("arn:machine", "machine", "arn:role", definition)
        services = world or ScriptedTasks()
        execution = Execution(
            "arn:aws:states:us-east-1:0:execution:machine:e-1", "e-1", machine, json.dumps(data or {}), services, rng
        )
        execution.begin()
        if during:
            during(execution)
        assert execution.task is not None
        await asyncio.wait([execution.task])
        return execution

    return run(main())


def output(execution: Execution) -> Any:
    assert execution.status == "SUCCEEDED", (execution.status, execution.error, execution.cause)
    assert execution.output is not None
    return json.loads(execution.output)


def kinds(execution: Execution) -> list[str]:
    return [event["type"] for event in execution.history]


def test_a_task_hands_its_payload_over_and_gets_the_answer_wrapped_as_aws_does() -> None:
    world = ScriptedTasks(work=lambda payload: {"doubled": payload["n"] * 2})
    assert output(walk({"A": a_task()}, {"n": 4}, world)) == {
        "ExecutedVersion": "$LATEST",
        "Payload": {"doubled": 8},
        "StatusCode": 200,
    }


def test_selector_and_result_path_put_the_answer_where_the_machine_says() -> None:
    task = a_task(ResultSelector={"n.$": "$.Payload.n"}, ResultPath="$.deep.answer")
    found = output(walk({"A": task}, {"order": 1, "deep": {"kept": True}}, ScriptedTasks(work=lambda _: {"n": 7})))
    assert found == {"order": 1, "deep": {"kept": True, "answer": {"n": 7}}}


def test_a_null_result_path_passes_the_input_on_untouched() -> None:
    assert output(walk({"A": a_task(ResultPath=None)}, {"order": 1}, ScriptedTasks(work=lambda _: 1))) == {"order": 1}


def test_placing_a_result_never_changes_the_input_another_state_shares() -> None:
    shared = {"deep": {"kept": 1}}
    assert place("$.deep.more", shared, 2) == {"deep": {"kept": 1, "more": 2}}
    assert shared == {"deep": {"kept": 1}}


def test_the_history_reads_as_get_execution_history_gives_it() -> None:
    execution = walk({"A": a_task(ResultPath=None, TimeoutSeconds=5)}, {"n": 1}, ScriptedTasks(work=lambda _: None))
    events = list(execution.history)
    assert kinds(execution) == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [(e["id"], e["previousEventId"]) for e in events] == [(n + 1, n) for n in range(7)]
    assert events[0]["executionStartedEventDetails"] == {
        "input": '{"n": 1}',
        "inputDetails": {"truncated": False},
        "roleArn": "arn:role",
    }
    assert events[1]["stateEnteredEventDetails"]["name"] == "A"
    assert events[2]["taskScheduledEventDetails"] == {
        "resourceType": "lambda",
        "resource": "invoke",
        "region": "us-east-1",
        "parameters": '{"FunctionName":"work","Payload":{"n":1}}',
        "timeoutInSeconds": 5,
    }
    assert events[4]["taskSucceededEventDetails"]["output"].startswith('{"ExecutedVersion"')
    assert events[5]["stateExitedEventDetails"]["output"] == '{"n": 1}'
    assert events[6]["executionSucceededEventDetails"]["output"] == '{"n": 1}'
    assert events[0]["timestamp"] == "2026-01-01T00:00:00.000Z"


def test_what_is_billed_is_the_start_each_state_and_each_retry() -> None:
    failures = iter([GatewayUnavailable(), GatewayUnavailable(), None])

    def work(_: Any) -> None:
        if failure := next(failures):
            raise failure

    retry = [{"ErrorEquals": ["GatewayUnavailable"]}]
    execution = walk({"A": a_task(Retry=retry, Next="B", End=False), "B": {"Type": "Succeed"}}, {}, ScriptedTasks(work=work))
    assert execution.history.transitions() == 1 + 2 + 2


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Variable": "$.total", "NumericGreaterThanEquals": 500}, True),
        ({"Variable": "$.total", "NumericGreaterThanEqualsPath": "$.threshold"}, True),
        ({"Variable": "$.total", "StringEquals": "500"}, False),
        ({"Variable": "$.nothing", "IsPresent": True}, False),
        ({"Variable": "$.null", "IsPresent": True}, True),
        ({"Variable": "$.null", "IsNull": True}, True),
        ({"Variable": "$.flag", "BooleanEquals": True}, True),
        ({"Variable": "$.flag", "IsNumeric": True}, False),
        ({"Variable": "$.name", "StringMatches": "ord-*"}, True),
        ({"Variable": "$.name", "StringMatches": "ord.*"}, False),
        ({"Variable": "$.when", "TimestampLessThan": "2026-02-01T00:00:00Z"}, True),
        ({"Variable": "$.when", "IsTimestamp": True}, True),
        ({"Variable": "$.list[1]", "NumericEquals": 2}, True),
        ({"Not": {"Variable": "$.flag", "BooleanEquals": True}}, False),
        ({"And": [{"Variable": "$.flag", "IsPresent": True}, {"Variable": "$.flag", "BooleanEquals": True}]}, True),
        (
            {
                "Or": [
                    {"Variable": "$.flag", "BooleanEquals": False},
                    {"Variable": "$$.State.Name", "StringEquals": "C"},
                ]
            },
            True,
        ),
    ],
)
def test_a_choice_follows_the_rule_that_holds(rule: dict[str, Any], expected: bool) -> None:
    data = {
        "total": 500,
        "threshold": 500,
        "null": None,
        "flag": True,
        "name": "ord-1",
        "when": "2026-01-01T00:00:00Z",
        "list": [1, 2],
    }
    states = {
        "C": {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Result": True, "End": True},
        "No": {"Type": "Pass", "Result": False, "End": True},
    }
    assert output(walk(states, data)) is expected


def test_a_choice_on_an_absent_variable_fails_the_execution_and_nothing_catches_it() -> None:
    states = {"C": {"Type": "Choice", "Choices": [{"Variable": "$.no", "IsNull": True, "Next": "C"}], "Default": "C"}}
    assert walk(states).error == "States.Runtime"


def test_no_choice_without_a_default_is_its_own_error() -> None:
    states = {"C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "C"}]}}
    assert walk(states, {"n": 2}).error == "States.NoChoiceMatched"


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ({"Seconds": 5}, 5),
        ({"SecondsPath": "$.wait"}, 0.25),
        ({"SecondsPath": "$.zero"}, 0),
        ({"Timestamp": "2026-01-01T00:01:00Z"}, 60),
        ({"TimestampPath": "$.until"}, 30),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_a_wait_takes_its_time(wait: dict[str, Any], seconds: float) -> None:
    data = {"wait": 0.25, "zero": 0, "until": "2026-01-01T00:00:30Z"}
    execution = walk({"W": {"Type": "Wait", **wait, "End": True}}, data)
    assert output(execution) == data
    assert execution.stopped_at == pytest.approx(START + seconds)
    assert kinds(execution)[1:3] == ["WaitStateEntered", "WaitStateExited"]


def test_a_retry_backs_off_up_to_its_cap() -> None:
    def work(_: Any) -> None:
        raise GatewayUnavailable

    retry = [
        {
            "ErrorEquals": ["GatewayUnavailable"],
            "IntervalSeconds": 2,
            "BackoffRate": 3,
            "MaxAttempts": 4,
            "MaxDelaySeconds": 10,
        }
    ]
    world = ScriptedTasks(work=work)
    execution = walk({"A": a_task(Retry=retry)}, {}, world)
    assert world.times() == [0, 2, 8, 18, 28]
    assert (execution.status, execution.error) == ("FAILED", "GatewayUnavailable")


def test_full_jitter_draws_between_nothing_and_the_delay() -> None:
    drawn: list[tuple[float, float]] = []

    def rng(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 2

    def work(_: Any) -> None:
        raise GatewayUnavailable

    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 4, "MaxAttempts": 2, "JitterStrategy": "FULL"}]
    world = ScriptedTasks(work=work)
    walk({"A": a_task(Retry=retry)}, {}, world, rng=rng)
    assert drawn == [(0, 4), (0, 8)]
    assert world.times() == [0, 2, 6]


def test_a_business_refusal_is_not_retried_but_caught_with_the_functions_own_error() -> None:
    def work(_: Any) -> None:
        raise PaymentDeclined("Card declined")

    task = a_task(
        Retry=[{"ErrorEquals": ["GatewayUnavailable"]}],
        Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Undo"}],
    )
    world = ScriptedTasks(work=work)
    execution = walk({"A": task, "Undo": {"Type": "Succeed"}}, {"order": 1}, world)
    caught = output(execution)
    assert caught["order"] == 1
    assert caught["failure"]["Error"] == "PaymentDeclined"
    assert json.loads(caught["failure"]["Cause"]) == {"errorMessage": "Card declined", "errorType": "PaymentDeclined"}
    assert len(world.calls) == 1
    assert kinds(execution)[4:6] == ["TaskFailed", "TaskStateExited"]


@pytest.mark.parametrize(
    ("names", "error", "expected"),
    [
        (["States.ALL"], "PaymentDeclined", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.Runtime"], "States.Runtime", False),
        (["States.TaskFailed"], "PaymentDeclined", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.Timeout"], "States.HeartbeatTimeout", True),
        (["PaymentDeclined"], "OutOfStock", False),
    ],
)
def test_error_names_match_as_on_aws(names: list[str], error: str, expected: bool) -> None:
    assert error_matches(names, error) is expected


def test_a_task_over_its_time_fails_with_a_timeout_that_can_be_caught() -> None:
    task = a_task(TimeoutSeconds=3, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Late"}])
    execution = walk({"A": task, "Late": {"Type": "Succeed"}}, {}, ScriptedTasks(work=lambda _: Slow(10)))
    assert output(execution)["Error"] == "States.Timeout"
    assert execution.stopped_at == START + 3
    assert "TaskTimedOut" in kinds(execution)


def test_a_callback_waits_for_its_token_with_a_limit_taken_from_the_input() -> None:
    task = a_task(CALLBACK, TimeoutSecondsPath="$.limit", Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Late"}])
    world = ScriptedTasks(work=lambda _: None)
    execution = walk({"A": task, "Late": {"Type": "Succeed"}}, {"limit": 300}, world)
    assert execution.stopped_at == START + 300
    assert kinds(execution)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskTimedOut"]
    assert world.callbacks == {}


def test_a_callback_answered_later_goes_on_with_the_answer() -> None:
    world = ScriptedTasks(work=lambda _: None)

    def answer(_: Execution) -> None:
        asyncio.get_running_loop().call_later(7, lambda: next(iter(world.callbacks.values())).succeed({"approved": True}))

    execution = walk({"A": a_task(CALLBACK)}, {}, world, during=answer)
    assert output(execution) == {"approved": True}
    assert execution.stopped_at == START + 7


def test_a_callback_may_be_answered_before_its_function_returned() -> None:
    world = ScriptedTasks()

    def work(payload: Any) -> Slow:
        asyncio.get_running_loop().call_soon(world.callbacks[payload["token"]].succeed, "early")
        return Slow(60)

    world.functions["work"] = work
    execution = walk({"A": a_task(CALLBACK)}, {}, world)
    assert output(execution) == "early"
    assert execution.stopped_at == START


def test_a_function_failing_in_a_callback_fails_the_task_and_each_try_has_its_own_token() -> None:
    world = ScriptedTasks()
    tokens: list[str] = []

    def work(payload: Any) -> None:
        tokens.append(payload["token"])
        if len(tokens) == 1:
            raise GatewayUnavailable
        asyncio.get_running_loop().call_later(1, world.callbacks[payload["token"]].succeed, "done")

    world.functions["work"] = work
    task = a_task(CALLBACK, Retry=[{"ErrorEquals": ["GatewayUnavailable"]}])
    assert output(walk({"A": task}, {}, world)) == "done"
    assert len(set(tokens)) == 2
    assert all(token_owner(token) == "arn:aws:states:us-east-1:0:execution:machine:e-1" for token in tokens)


def test_a_refused_callback_carries_the_callers_error() -> None:
    world = ScriptedTasks(work=lambda _: None)

    def refuse(_: Execution) -> None:
        asyncio.get_running_loop().call_later(1, lambda: next(iter(world.callbacks.values())).fail("ApprovalRejected", "no"))

    execution = walk({"A": a_task(CALLBACK)}, {}, world, during=refuse)
    assert (execution.error, execution.cause) == ("ApprovalRejected", "no")


def test_heartbeats_keep_a_task_alive_and_their_absence_ends_it() -> None:
    world = ScriptedTasks(work=lambda _: None)

    def beat(_: Execution) -> None:
        asyncio.get_running_loop().call_later(8, lambda: next(iter(world.callbacks.values())).beat())

    execution = walk({"A": a_task(CALLBACK, HeartbeatSeconds=10)}, {}, world, during=beat)
    assert execution.error == "States.HeartbeatTimeout"
    assert execution.stopped_at == START + 18


def test_stopping_ends_an_execution_at_once_and_runs_no_catch() -> None:
    task = a_task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Undo"}])
    world = ScriptedTasks(work=lambda _: Slow(100))

    def stop(execution: Execution) -> None:
        asyncio.get_running_loop().call_later(2, execution.stop, "OrderCancelled", "by the customer")

    execution = walk({"A": task, "Undo": {"Type": "Succeed"}}, {}, world, during=stop)
    assert (execution.status, execution.error, execution.cause) == ("ABORTED", "OrderCancelled", "by the customer")
    assert execution.stopped_at == START + 2
    assert list(execution.history)[-1]["executionAbortedEventDetails"] == {
        "error": "OrderCancelled",
        "cause": "by the customer",
    }
    assert world.changes == ["ABORTED"]


def test_a_machine_over_its_own_limit_times_out() -> None:
    execution = walk({"W": {"Type": "Wait", "Seconds": 100, "End": True}}, TimeoutSeconds=30)
    assert (execution.status, execution.stopped_at) == ("TIMED_OUT", START + 30)
    assert kinds(execution)[-1] == "ExecutionTimedOut"


def test_a_fail_state_names_its_error_and_is_not_exited() -> None:
    states = {"F": {"Type": "Fail", "Error": "OrderOver", "CausePath": "States.Format('order {} is over', $.id)"}}
    execution = walk(states, {"id": "o-1"})
    assert (execution.error, execution.cause) == ("OrderOver", "order o-1 is over")
    assert kinds(execution) == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]


def test_another_machine_is_started_and_not_waited_for() -> None:
    task = {
        "Type": "Task",
        "Resource": START_EXECUTION,
        "Parameters": {"Name.$": "$$.Execution.Name", "Input.$": "$"},
        "End": True,
    }
    world = ScriptedTasks()
    assert output(walk({"A": task}, {"n": 1}, world))["ExecutionArn"] == "arn:child"
    assert world.started == [{"Name": "e-1", "Input": {"n": 1}}]


def test_the_context_object_tells_who_and_where() -> None:
    parameters = {
        "execution.$": "$$.Execution.Id",
        "input.$": "$$.Execution.Input.n",
        "started.$": "$$.Execution.StartTime",
        "state.$": "$$.State.Name",
        "machine.$": "$$.StateMachine.Name",
        "list": [{"n.$": "$.n"}],
    }
    assert output(walk({"P": {"Type": "Pass", "Parameters": parameters, "End": True}}, {"n": 3})) == {
        "execution": "arn:aws:states:us-east-1:0:execution:machine:e-1",
        "input": 3,
        "started": "2026-01-01T00:00:00.000Z",
        "state": "P",
        "machine": "machine",
        "list": [{"n": 3}],
    }


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("States.Format('{} of \\{{}\\}', $.n, 'x, y)')", "3 of {x, y)}"),
        ("States.Array($.n, 'a', true, null)", [3, "a", True, None]),
        ("States.MathAdd($.n, -1)", 2),
        ("States.JsonToString($.o)", '{"k":1}'),
        ("States.StringToJson('[1]')", [1]),
        ("States.JsonMerge($.o, States.StringToJson($.json), false)", {"k": 1, "l": 2}),
        ("States.ArrayGetItem(States.Array('a', 'b'), 1)", "b"),
        ("States.ArrayLength($.list)", 2),
    ],
)
def test_intrinsic_functions(expression: str, expected: Any) -> None:
    data = {"n": 3, "o": {"k": 1}, "json": '{"l": 2}', "list": [1, 2]}
    state = {"Type": "Pass", "Parameters": {"value.$": expression}, "End": True}
    assert output(walk({"P": state}, data)) == {"value": expected}


def test_a_path_that_finds_nothing_fails_the_execution_whatever_is_caught() -> None:
    task = a_task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Undo"}])
    task["Parameters"] = {"FunctionName": "work", "Payload": {"id.$": "$.missing"}}
    assert walk({"A": task, "Undo": {"Type": "Succeed"}}, {}, ScriptedTasks(work=lambda _: None)).error == "States.Runtime"


def test_a_result_over_256_kib_is_a_data_limit_error() -> None:
    execution = walk({"A": a_task()}, {}, ScriptedTasks(work=lambda _: "x" * 300_000))
    assert execution.error == "States.DataLimitExceeded"


def test_what_the_walker_cannot_run_is_named_beforehand() -> None:
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Map"}, "B": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"}},
    }
    assert unsupported(definition) == ["A: Type Map", "B: Resource arn:aws:states:::sqs:sendMessage"]


def test_a_token_that_was_never_one_is_recognised() -> None:
    assert token_owner("nonsense") is None
    assert token_owner(new_token("arn:aws:states:us-east-1:0:execution:m:e")) == "arn:aws:states:us-east-1:0:execution:m:e"
