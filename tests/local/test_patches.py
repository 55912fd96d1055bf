"""What was put right in the engine stays right: each of these fails without its patch."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cli.client import Api
from local.engine import internals
from local.lambda_runtime.lambdas import Call, Invocation, Killed
from local.stack.running import wait_until
from local.stack.stack import Stack


def an_id(prefix: str = "order") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def seen(name: str) -> list[Any]:
    found: list[Any] = sys.modules["sample_handlers"].SEEN[name]
    return found


def status(stack: Stack, arn: str) -> str:
    try:
        return str(stack.client("stepfunctions").describe_execution(executionArn=arn)["status"])
    except ClientError:
        return "NONE"


def test_the_mends_are_for_one_version_of_the_engine_only() -> None:
    internals.check_version(internals.PINNED)
    with pytest.raises(internals.WrongEngine, match=r"9\.9\.9"):
        internals.check_version("9.9.9")


def test_a_name_that_is_gone_is_an_error_and_not_a_mend_without_effect(stack: Stack) -> None:
    with pytest.raises(AttributeError):
        internals.replace("sqs", "_no_such_name", lambda original: original)


# --- Functions ----------------------------------------------------------------------------------------------


def test_the_wire_invokes_the_real_handler_and_names_its_error(stack: Stack) -> None:
    function = stack.resources["StepFunction"]
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=b'{"step": "reserve", "id": "refused-1"}')
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "Refused"


def test_a_function_that_an_event_invokes_is_tried_again(stack: Stack, execution: Callable[[str], str]) -> None:
    order = an_id("twice")
    start(stack, order, wait=3600)
    stack.client("stepfunctions").stop_execution(executionArn=execution(order), error="Stopped")

    def calls() -> int:
        return sum(event["detail"]["name"] == order for event in seen("watch"))

    wait_until(lambda: calls() >= 2)
    wait_until(stack.settled)
    assert calls() == 2


# --- Executions ---------------------------------------------------------------------------------------------


def start(stack: Stack, name: str, wait: float = 0, **more: Any) -> str:
    answer = stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs["MachineArn"], name=name, input=json.dumps({"id": name, "wait": wait, **more})
    )
    return str(answer["executionArn"])


def test_a_refused_step_fails_the_execution_by_its_own_error(stack: Stack) -> None:
    arn = start(stack, an_id("refused"))
    wait_until(lambda: status(stack, arn) == "FAILED")
    assert stack.client("stepfunctions").describe_execution(executionArn=arn)["error"] == "Refused"


def test_starting_the_same_again_is_answered_alike_while_it_runs(stack: Stack) -> None:
    states = stack.client("stepfunctions")
    order = an_id()
    placed(order)
    request = {
        "stateMachineArn": stack.outputs["MachineArn"],
        "name": an_id("still"),
        "input": json.dumps({"id": order, "wait": 60}),
    }
    first, again = states.start_execution(**request), states.start_execution(**request)
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    with pytest.raises(ClientError) as refusal:
        states.start_execution(**{**request, "input": "{}"})
    assert refusal.value.response["Error"]["Code"] == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"], error="Done", cause="with the test")
    described = states.describe_execution(executionArn=first["executionArn"])
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Done", "with the test")
    with pytest.raises(ClientError):
        states.start_execution(**request)


def placed(order_id: str) -> None:
    """The order's first version, with nobody told to follow it up."""
    sys.modules["sample_handlers"].write(order_id, 1, "PENDING")


@pytest.mark.parametrize(
    ("token", "code"),
    [("nonsense", "InvalidToken"), ("YXJuOmF3czpzdGF0ZXM6dXMtZWFzdC0xOjA6ZXhlY3V0aW9uOm06ZQox", "TaskDoesNotExist")],
)
def test_a_token_of_nothing_is_refused(stack: Stack, token: str, code: str) -> None:
    with pytest.raises(ClientError) as refusal:
        stack.client("stepfunctions").send_task_success(taskToken=token, output="{}")
    assert refusal.value.response["Error"]["Code"] == code


def test_a_token_answered_before_is_stale(stack: Stack, api: Api) -> None:
    order = an_id()
    api.call("POST", "/orders", {"id": order})
    table = stack.client("dynamodb")
    key = {"PK": {"S": f"ORDER#{order}"}, "SK": {"S": "EVENT#00000004"}}

    def event() -> Any:
        return table.get_item(TableName=stack.outputs["TableName"], Key=key).get("Item")

    wait_until(event)
    wait_until(stack.idle)
    with pytest.raises(ClientError) as refusal:
        stack.client("stepfunctions").send_task_success(taskToken=event()["token"]["S"], output="{}")
    assert refusal.value.response["Error"]["Code"] == "TaskTimedOut"


def test_an_order_flows_from_the_api_over_the_stream_to_its_end(
    stack: Stack, api: Api, execution: Callable[[str], str]
) -> None:
    order = an_id()
    api.call("POST", "/orders", {"id": order})
    wait_until(lambda: status(stack, execution(order)) == "SUCCEEDED")
    assert sys.modules["sample_handlers"].status(order) == "DELIVER"
    history = stack.client("stepfunctions").get_execution_history(executionArn=execution(order), maxResults=1000)
    kinds = [event["type"] for event in history["events"]]
    assert (kinds[0], kinds[-1]) == ("ExecutionStarted", "ExecutionSucceeded")
    assert history["events"][1]["previousEventId"] == 1


def test_a_killed_step_is_a_failed_task(stack: Stack) -> None:
    def kill(invocation: Invocation, call: Call) -> Any:
        if isinstance(invocation.event, dict) and invocation.event.get("step") == "reserve":
            raise Killed
        return call(invocation)

    stack.lambdas.wrappers.append(kill)
    try:
        arn = start(stack, an_id())
        wait_until(lambda: status(stack, arn) == "FAILED")
    finally:
        stack.lambdas.wrappers.remove(kill)
    assert stack.client("stepfunctions").describe_execution(executionArn=arn)["error"] == "Runtime.ExitError"


# --- Table, stream and queues -------------------------------------------------------------------------------


def test_concurrent_conditional_writes_have_one_winner(stack: Stack) -> None:
    order = an_id()
    outcomes: list[str] = []

    def write() -> None:
        try:
            placed(order)
            outcomes.append("won")
        except ClientError as lost:
            outcomes.append(lost.response["Error"]["Code"])

    threads = [threading.Thread(target=write) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["TransactionCanceledException"] * 15 + ["won"]


def test_a_cancelled_transaction_says_why_and_reaches_no_consumer(stack: Stack) -> None:
    order = an_id("still")
    handlers = sys.modules["sample_handlers"]
    handlers.write(order, 1, "PENDING", follow_up="start")
    with pytest.raises(ClientError) as refusal:
        handlers.write(order, 1, "PENDING", follow_up="start")
    assert [reason["Code"] for reason in refusal.value.response["CancellationReasons"]] == ["ConditionalCheckFailed", "None"]
    wait_until(stack.idle)
    records = [record for event in seen("drive") for record in event["Records"]]
    assert sum(record["dynamodb"]["Keys"]["PK"]["S"] == f"ORDER#{order}" for record in records) == 1


def test_bytes_in_items_survive_the_short_way(stack: Stack) -> None:
    table = stack.client("dynamodb")
    item = {"PK": {"S": an_id()}, "SK": {"S": "x"}, "blob": {"B": b"\x00\xff"}, "blobs": {"BS": [b"a"]}}
    table.put_item(TableName=stack.outputs["TableName"], Item=item)
    key = {"PK": item["PK"], "SK": item["SK"]}
    assert table.get_item(TableName=stack.outputs["TableName"], Key=key)["Item"] == item


def test_a_poisoned_record_ends_in_the_dead_letters_and_the_others_arrive(
    stack: Stack, api: Api, execution: Callable[[str], str]
) -> None:
    poison, order = an_id("poison"), an_id()
    api.call("POST", "/orders", {"id": poison})
    api.call("POST", "/orders", {"id": order})
    wait_until(lambda: status(stack, execution(order)) == "SUCCEEDED")
    letters = dead_letters(stack, lambda body: "DDBStreamBatchInfo" in body)
    assert letters[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"


def dead_letters(stack: Stack, wanted: Callable[[str], bool]) -> list[Any]:
    queue = stack.client("sqs")
    found: list[Any] = []

    def look() -> bool:
        answer = queue.receive_message(QueueUrl=stack.outputs["DeadLettersUrl"], MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            if wanted(message["Body"]):
                found.append(json.loads(message["Body"]))
                queue.delete_message(QueueUrl=stack.outputs["DeadLettersUrl"], ReceiptHandle=message["ReceiptHandle"])
        return bool(found)

    wait_until(look)
    return found


def test_an_event_goes_over_its_queue_and_a_poisoned_one_to_the_dead_letters(stack: Stack) -> None:
    good, bad = an_id(), an_id("poison")
    entries = [
        {"Source": "sample", "DetailType": "x", "Detail": json.dumps({"id": name}), "EventBusName": "orders-bus"}
        for name in (good, bad)
    ]
    assert stack.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0

    def arrived() -> bool:
        bodies = [record["body"] for event in seen("inbox") for record in event["Records"]]
        return any(good in body for body in bodies)

    wait_until(arrived)
    (letter,) = dead_letters(stack, lambda body: bad in body)
    assert letter["detail"]["id"] == bad


@pytest.mark.parametrize("way", ["event", "wire"])
def test_nothing_is_appended_to_a_queue_while_its_messages_are_replaced(stack: Stack, way: str) -> None:
    def send() -> None:
        if way == "wire":
            stack.client("sqs").send_message(QueueUrl=stack.outputs["DeadLettersUrl"], MessageBody="x")
        else:
            entry = {"Source": "sample", "DetailType": "x", "Detail": "{}", "EventBusName": "orders-bus"}
            stack.client("events").put_events(Entries=[entry])

    sending = threading.Thread(target=send)
    with internals.part("sqs", "_queues_lock"):
        sending.start()
        sending.join(0.3)
        assert sending.is_alive()
    sending.join(5)
    assert not sending.is_alive()


def test_published_events_are_not_kept_for_ever(stack: Stack) -> None:
    assert internals.part("eventbridge", "_events_log_list")() == []


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["orders"]},
        {"detail-type": ["ORDER_PLACED", {"prefix": "STEP_"}]},
        {"source": [{"anything-but": "orders"}], "detail-type": ["ORDER_PLACED"]},
        {"source": ["orders"], "detail": {"status": ["PENDING"]}},
        {"region": ["us-east-1"], "source": ["orders"]},
        {"$or": [{"source": ["warehouse"]}, {"detail-type": ["STEP_FAILED"]}]},
    ],
)
def test_a_rule_matches_the_events_that_the_engine_says(stack: Stack, pattern: Any) -> None:
    ours = internals.part("eventbridge", "_matches_pattern_view")
    whole = ours.__closure__[[*ours.__code__.co_freevars].index("original")].cell_contents
    view, text = internals.part("eventbridge", "_pattern_event_view"), json.dumps(pattern)
    for source in ("orders", "warehouse"):
        for kind in ("ORDER_PLACED", "STEP_FAILED"):
            for status_ in ("PENDING", "SHIPPED"):
                event = {"Source": source, "DetailType": kind, "Detail": json.dumps({"status": status_})}
                assert ours(text, view(event)) is whole(text, view(event))


def test_an_expression_is_read_once(stack: Stack) -> None:
    tokenize = internals.part("dynamodb", "_tokenize")
    assert tokenize("a = :b") is tokenize("a = :b")


def test_a_secret_without_punctuation_has_none(stack: Stack) -> None:
    made = internals.part("cloudformation.provisioners", "_sm_secret_string")
    asked = {"PasswordLength": 400, "ExcludePunctuation": True, "ExcludeCharacters": "0O"}
    secret = made({"GenerateSecretString": asked})
    assert len(secret) == 400
    assert secret.isalnum()
    assert not set("0O") & set(secret)
