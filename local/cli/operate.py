"""What an operator does to a running stack, on this machine or on AWS: send again what failed, hand over or erase a
customer's data. docs/runbook.md says when.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local.cli.client import Api, url_of
from local.stack.sweeping import Swept

LETTERS = ("UnhandledEvents", "FulfillmentDeadLetters")
MACHINES = {"FulfilMachineArn": "fulfilment", "UnwindMachineArn": "unwinding"}
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")
REGION = "us-east-1"

Letter = Mapping[str, Any]


class NotPossible(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True)
class Place:
    """Where the stack runs: on AWS by its name, or on this machine by the URL of its API."""

    stack: str | None
    url: str

    @property
    def is_local(self) -> bool:
        return self.stack is None

    @cached_property
    def _local(self) -> Mapping[str, Any]:
        found: dict[str, Any] = Api(self.url).call("POST", "/.local/stack", {})
        return found

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        if self.is_local:
            told: Mapping[str, str] = self._local["outputs"]
            return told
        stacks = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    @cached_property
    def resources(self) -> Mapping[str, str]:
        if self.is_local:
            told: Mapping[str, str] = self._local["resources"]
            return told
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}

    def client(self, service: str) -> Any:
        """A client of the AWS that the stack runs on."""
        if not self.is_local:
            return boto3.client(service)  # type: ignore[call-overload]
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._local["aws_url"],
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the local engine takes any
        )

    def enter(self) -> None:
        """Lets the product's own code of this process work on the stack's table."""
        os.environ["TABLE_NAME"] = self.outputs["TableName"]
        if self.is_local:
            os.environ.update(
                AWS_ENDPOINT_URL=self._local["aws_url"],
                AWS_ACCESS_KEY_ID="local",
                AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - the local engine takes any
                AWS_DEFAULT_REGION=REGION,
            )


# --- dead letters -------------------------------------------------------------------------------------------


def redrive_letters(place: Place) -> dict[str, dict[str, int]]:
    """Sends what lies in the dead-letter queues to where it failed; what cannot be told where stays."""
    return {name: _empty(place, name) for name in LETTERS}


def _empty(place: Place, name: str) -> dict[str, int]:
    sqs, url = place.client("sqs"), place.resources[name]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    # No more than there are now: one that fails again must not be chased.
    waiting, count = int(told["ApproximateNumberOfMessages"]), {"sent": 0, "left": 0}
    for letter in _received(sqs, url, waiting):
        again = _sender(place, letter)
        if again is None or not _sent(again):
            count["left"] += 1
            continue
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
        count["sent"] += 1
    return count


def _sent(again: Callable[[], Any]) -> bool:
    """One that fails again says so, stays, and keeps no other back."""
    try:
        again()
    except NotPossible as reason:
        print(f"orders: {reason}", file=sys.stderr)
        return False
    return True


def _received(sqs: Any, url: str, most: int) -> Iterator[Letter]:
    seen = 0
    while seen < most:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(10, most - seen),
            VisibilityTimeout=60,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            return
        seen += len(answer["Messages"])
        yield from answer["Messages"]


def _sender(place: Place, letter: Letter) -> Callable[[], Any] | None:
    """How to send a letter to where it failed: a queue, a function, or a function that reads a stream."""
    body = _read(letter["Body"])
    if "requestPayload" in body:
        # An asynchronous invocation: its record holds the function and what it was called with.
        return lambda: _invoke(place, body["requestContext"]["functionArn"], body["requestPayload"])
    if "DDBStreamBatchInfo" in body:
        return _stream_sender(place, body)
    if "consumer" in body and "record" in body:
        # A record that its consumer could not read and has set aside: whole, so that no stream has to remember it.
        function = place.resources["".join(word.capitalize() for word in body["consumer"].split("_")) + "Function"]
        return lambda: _invoke(place, function, {"Records": [body["record"]]})
    told = {name: value.get("StringValue", "") for name, value in letter.get("MessageAttributes", {}).items()}
    target = told.get("TARGET_ARN") or letter.get("Attributes", {}).get("DeadLetterQueueSourceArn", "")
    if ":sqs:" in target:
        return _queue_sender(place, letter, _queue_url(place, target))
    if ":lambda:" in target:
        return lambda: _invoke(place, target, body)
    return None


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _queue_url(place: Place, arn: str) -> str:
    return str(place.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


def _invoke(place: Place, function: str, event: Any) -> None:
    name = function.removesuffix(":$LATEST")
    place.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())


def _queue_sender(place: Place, letter: Letter, url: str) -> Callable[[], Any]:
    if url == place.resources["FulfillmentEvents"]:
        return lambda: _hand_over(place, letter)
    return lambda: place.client("sqs").send_message(QueueUrl=url, MessageBody=letter["Body"])


def _hand_over(place: Place, letter: Letter) -> None:
    """Hands a fulfilment event to its consumer, as its queue would: into that queue nobody may send but the bus.

    It keeps the time at which it came to the queue, and has no receipt: there is nothing to hold back.
    """
    attributes = {**letter["Attributes"], "ApproximateReceiveCount": "1"}
    record = {"messageId": letter["MessageId"], "receiptHandle": "", "body": letter["Body"], "attributes": attributes}
    _invoke_now(place, place.resources["OnFulfillmentEventFunction"], [{**record, "eventSource": "aws:sqs"}])


def _invoke_now(place: Place, function: str, records: Sequence[Any]) -> None:
    """Has a function take records at once.

    Raises:
        NotPossible: it has not taken all of them.
    """
    answer = place.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
    told = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer or (told or {}).get("batchItemFailures"):
        raise NotPossible(f"{function} has failed again: its letter stays. See its log.")


def _stream_sender(place: Place, body: Mapping[str, Any]) -> Callable[[], Any] | None:
    """The letter of a stream holds no records, only where they stand; the stream keeps them for a day."""
    if place.is_local:
        return None  # the local stream keeps nothing; `orders sweep` mends what has to be mended
    function, batch = body["requestContext"]["functionArn"], body["DDBStreamBatchInfo"]
    records = [record for record in _records(place.client("dynamodbstreams"), batch) if _is_for(function, record)]

    return (lambda: _invoke_now(place, function, records)) if records else None


def _records(streams: Any, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    first, last = batch["startSequenceNumber"], batch["endSequenceNumber"]
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=first,
        )["ShardIterator"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            return
        raise
    while iterator:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > int(last):
                return
            yield json.loads(json.dumps(record, default=str))
        iterator = answer.get("NextShardIterator") if answer["Records"] else None


def _is_for(function: str, record: Mapping[str, Any]) -> bool:
    """What the mapping's filter lets through (template.yaml, ChangesFeed and WorkflowFeed)."""
    image = record["dynamodb"].get("NewImage", {})
    wanted = "follow_up" if "drive-workflow" in function else "kind"
    return record["eventName"] == "INSERT" and image.get("kind", {}).get("S") == "event" and wanted in image


# --- executions ---------------------------------------------------------------------------------------------


def redrive_executions(place: Place) -> dict[str, Any]:
    """Lets executions that ended badly go on from where they failed, as far as their orders still wait for them.

    The local engine has no redrive: the product's own sweep starts those orders' workflows anew, as it does on AWS too.
    """
    if place.is_local:
        return {"swept": sweep(place)}
    place.enter()
    states = place.client("stepfunctions")
    redriven = []
    for output, kind in MACHINES.items():
        for execution in _ended_badly(states, place.outputs[output]):
            if _is_awaited(execution["name"], kind) and _can_go_on(states, execution["executionArn"]):
                states.redrive_execution(executionArn=execution["executionArn"])
                redriven.append(execution["name"])
    return {"redriven": redriven}


def _ended_badly(states: Any, machine: str) -> Iterator[Mapping[str, Any]]:
    for status in ENDED_BADLY:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter=status)
        for page in pages:
            yield from page["executions"]


def _is_awaited(name: str, kind: str) -> bool:
    """Whether the order still waits for this very execution: the sweep may have started another one meanwhile."""
    from orders.adapters import workflow  # noqa: PLC0415 - the product's own, once it knows its table
    from orders.adapters.store import orders  # noqa: PLC0415 - the product's own, once it knows its table
    from orders.domain.errors import NotFound  # noqa: PLC0415
    from orders.domain.statuses import OverallStatus  # noqa: PLC0415

    try:
        order = orders.load_order(workflow.order_of_execution(name))
    except NotFound:
        return False
    if kind == "unwinding":
        unwinds = order.overall is OverallStatus.ROLLING_BACK
        return unwinds and name == workflow.execution_name(order.order_id, order.unwind_run)
    return not order.is_over and name == workflow.execution_name(order.order_id, order.run)


def _can_go_on(states: Any, arn: str) -> bool:
    return str(states.describe_execution(executionArn=arn).get("redriveStatus")) == "REDRIVABLE"


def sweep(place: Place) -> dict[str, Any]:
    """Looks after every open order, by as many invocations of the sweep as that takes.

    Raises:
        NotPossible: the sweep failed, or could not get further.
    """
    if place.is_local:
        result: dict[str, Any] = Api(place.url).call("POST", "/.local/sweep", {})
    else:
        swept, function = Swept(), f"{place.stack}-sweep-orders:live"
        while swept.goes_on:
            event = json.dumps({"everything": True} | swept.where).encode()
            answer = place.client("lambda").invoke(FunctionName=function, Payload=event)
            told = json.loads(answer["Payload"].read())
            swept.add({"error": told.get("errorMessage")} if "FunctionError" in answer else told)
        result = swept.result
    if "error" in result:
        raise NotPossible(f"{result.pop('error')} So far: {json.dumps(result)}")
    return result


# --- webhooks -----------------------------------------------------------------------------------------------


LEFT_AFTER = timedelta(minutes=30)
"""How long past its time a pending delivery counts as left behind: twice as long as the queue ever holds one back."""


def redrive_webhooks(api: Api, webhook_id: str | None, now: datetime) -> dict[str, int]:
    """Sends every delivery again that was given up, or that is pending with nothing scheduled: its message was lost.

    To one endpoint, or to all that are not disabled; answers how many for each.
    """
    hooks = api.call("GET", "/webhooks")["webhooks"]
    ids = [webhook_id] if webhook_id else [hook["webhook_id"] for hook in hooks if hook["status"] == "ACTIVE"]
    return {each: sum(_send_again(api, each, delivery, now) for delivery in _deliveries(api, each)) for each in ids}


def _deliveries(api: Api, webhook_id: str) -> Iterator[Mapping[str, Any]]:
    cursor = ""
    while True:
        page = api.call("GET", f"/webhooks/{webhook_id}/deliveries?limit=100{cursor}")
        yield from page["deliveries"]
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _send_again(api: Api, webhook_id: str, delivery: Mapping[str, Any], now: datetime) -> bool:
    if delivery["status"] != "FAILED" and not _is_left(delivery, now):
        return False
    api.call("POST", f"/webhooks/{webhook_id}/deliveries/{delivery['delivery_id']}/redeliver", {})
    return True


def _is_left(delivery: Mapping[str, Any], now: datetime) -> bool:
    """Whether a delivery's time has long passed: one whose message still exists is attempted when it is due."""
    # A first attempt, and one asked for by hand, are due at once: the attempts before say when that was at the earliest.
    made = [attempt["at"] for attempt in delivery["attempts"]]
    due = delivery["next_attempt_at"] or max([delivery["created_at"], *made])
    return bool(delivery["status"] == "PENDING" and datetime.fromisoformat(due) + LEFT_AFTER < now)


# --- one customer's data ------------------------------------------------------------------------------------


def export(place: Place, customer_id: str) -> dict[str, Any]:
    """Everything kept of a customer."""
    place.enter()
    from orders.domain.identifiers import CustomerId  # noqa: PLC0415
    from orders.web import personal_data  # noqa: PLC0415 - the product's own, once it knows its table

    return personal_data.export(CustomerId(customer_id))


def erase(place: Place, customer_id: str, by: str) -> dict[str, Any]:
    """Erases a customer's personal data; refuses while one of their orders is open."""
    place.enter()
    from orders.domain.errors import ConstraintViolated  # noqa: PLC0415
    from orders.domain.identifiers import CustomerId  # noqa: PLC0415
    from orders.services import privacy  # noqa: PLC0415

    try:
        return {"customer_id": customer_id, "erased_orders": privacy.erase(CustomerId(customer_id), by)}
    except ConstraintViolated as refusal:
        raise NotPossible(refusal.detail) from refusal


# --- the command line ---------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """Carries out what was asked for (`command`), and shows what came of it."""
    acts: Mapping[str, Callable[[Place, argparse.Namespace], Any]] = {
        "redrive": _redrive,
        "sweep": lambda place, _: sweep(place),
        "export": lambda place, asked: export(place, asked.customer_id),
        "erase": lambda place, asked: erase(place, asked.customer_id, asked.by),
    }
    try:
        done = acts[options.command](Place(options.stack, url_of(options.url)), options)
    except NotPossible as reason:
        print(f"orders: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(done, indent=2))
    return 0


def _redrive(place: Place, options: argparse.Namespace) -> Any:
    if options.what == "letters":
        return redrive_letters(place)
    if options.what == "executions":
        return redrive_executions(place)
    url = place.url if place.is_local else place.outputs["ApiUrl"]
    return redrive_webhooks(Api(url).signed_in("admin-1", ["admin"]), options.webhook_id, datetime.now(UTC))
