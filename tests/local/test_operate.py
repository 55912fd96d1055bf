"""The operator's commands against a running stack: dead letters, executions, webhooks, one customer's data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from local.cli import dead_letters, operate
from local.cli.client import Api
from local.cli.place import NotPossible, Place
from local.stack.running import running, wait_until
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack
from tests.harness.bodies import a_body
from tests.harness.fakes import FakeLambda, FakeStepFunctions

ADA = "customer-ada"
PERSONAL = ("Ada Lovelace", "12 St James's Square", "Mayfair", "SW1Y 4JH", "my mother is ill", "tok_ok_of_ada")
ADDRESS = {"name": PERSONAL[0], "line1": PERSONAL[1], "city": PERSONAL[2], "postal_code": PERSONAL[3], "country": "GB"}
ELSEWHERE = {"name": "Wanda", "line1": "1 High Street", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"}
AT_ONCE = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(Settings(parameters={**AT_ONCE, "DeliveryMode": "carrier"})) as started:
        yield started


@pytest.fixture
def place(stack: Stack) -> Place:
    return Place(None, stack.url)


def support(stack: Stack) -> Api:
    return Api(stack.url, stack.token("grace", ["support"]))


def an_order(stack: Stack, order_id: str, customer: str = ADA, **more: Any) -> None:
    # Nobody else's order holds what is looked for after an erasure.
    address = ADDRESS if customer == ADA else ELSEWHERE
    body = a_body(order_id=order_id, product="prod-001", token=PERSONAL[5], shipping_address=address, **more)
    Api(stack.url, stack.token(customer)).call("POST", "/orders", body)


def status_of(stack: Stack, order_id: str) -> str:
    return str(support(stack).call("GET", f"/orders/{order_id}")["order"]["status"])


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which knows nothing but the stack's URL."""
    scrubbed = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "TABLE_NAME"}
    return subprocess.run(
        [sys.executable, "-m", "local.cli", *arguments],
        cwd=ROOT,
        env={**scrubbed, "ORDERS_URL": stack.url},
        capture_output=True,
        text=True,
        check=False,
    )


def everything_kept(stack: Stack) -> str:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.resources["OrdersTable"])
    return json.dumps([page["Items"] for page in pages], ensure_ascii=False)


# --- what the warehouse reports ---


def test_the_warehouse_s_event_moves_an_order_by_the_bus_and_counts_once(stack: Stack) -> None:
    an_order(stack, "packed-1", customer="customer-wanda")
    wait_until(lambda: status_of(stack, "packed-1") == "SHIPPED")
    event = ("warehouse", "packed-1", "completed", "--item", "1=1", "--event-id", "wh-1")
    put = command(stack, *event)
    assert put.returncode == 0, put.stderr
    assert json.loads(put.stdout)["put"]["items"] == [{"line_id": "1", "quantity": 1}]
    wait_until(lambda: status_of(stack, "packed-1") == "DELIVERED")
    assert command(stack, *event).returncode == 0
    wait_until(stack.settled)
    history = support(stack).call("GET", "/orders/packed-1/history")["history"]
    assert [one["event_type"] for one in history if one["metadata"].get("event_id") == "wh-1"] == ["ORDER_DELIVERED"]


# --- what a customer pays later ---


def test_a_payment_that_waits_is_completed_once_and_its_order_goes_on(stack: Stack) -> None:
    an_order(stack, "paid-later", customer="customer-wanda", method="BANK_TRANSFER")
    wait_until(lambda: payment_of(stack, "paid-later") == "REQUIRES_ACTION")
    assert status_of(stack, "paid-later") == "PENDING"
    paid = command(stack, "pay", "paid-later")
    assert paid.returncode == 0, paid.stderr
    assert json.loads(paid.stdout)["put"]["event_type"] == "payment.confirmed"
    wait_until(lambda: status_of(stack, "paid-later") == "SHIPPED")
    assert payment_of(stack, "paid-later") == "COMPLETED"
    again = command(stack, "pay", "paid-later")
    assert again.returncode == 1
    assert "does not wait" in again.stderr
    support(stack).call("POST", "/orders/paid-later/delivered", {})
    wait_until(stack.settled)


def payment_of(stack: Stack, order_id: str) -> str | None:
    payment = support(stack).call("GET", f"/orders/{order_id}")["payment"]
    return payment and str(payment["status"])


# --- one customer's data ---


def test_a_customer_s_data_is_handed_over_and_erased_but_not_while_an_order_is_open(stack: Stack) -> None:
    an_order(stack, "ada-1")
    an_order(stack, "ada-2")
    wait_until(lambda: {status_of(stack, "ada-1"), status_of(stack, "ada-2")} == {"SHIPPED"})
    refused = command(stack, "erase", ADA)
    assert refused.returncode == 1
    assert "ada-1" in refused.stderr
    desk = support(stack)
    desk.call("PUT", "/orders/ada-1/shipment/location", {"location": PERSONAL[1]})
    for order_id in ("ada-1", "ada-2"):
        desk.call("POST", f"/orders/{order_id}/delivered", {})
    desk.call("POST", "/orders/ada-1/return", {"reason": PERSONAL[4]})
    wait_until(lambda: status_of(stack, "ada-1") == "RETURNED" and status_of(stack, "ada-2") == "DELIVERED")
    wait_until(stack.settled)

    exported = json.loads(command(stack, "export", ADA).stdout)
    assert sorted(one["order"]["order_id"] for one in exported["orders"]) == ["ada-1", "ada-2"]
    told = json.dumps(exported, ensure_ascii=False)
    assert [text for text in PERSONAL[:5] if text not in told] == []

    erased = command(stack, "erase", ADA, "--by", "grace")
    assert json.loads(erased.stdout) == {"customer_id": ADA, "erased_orders": ["ada-2", "ada-1"]}
    assert [text for text in PERSONAL if text in everything_kept(stack)] == []
    after = desk.call("GET", "/orders/ada-1")
    assert after["order"]["total"] == {"amount": 1000, "currency": "USD"}
    assert after["payment"]["status"] == "REFUNDED"
    last = desk.call("GET", "/orders/ada-1/history")["history"][-1]
    assert (last["event_type"], last["triggered_by"]) == ("PERSONAL_DATA_ERASED", "grace")

    version = after["order"]["version"]
    assert command(stack, "erase", ADA).returncode == 0
    assert desk.call("GET", "/orders/ada-1")["order"]["version"] == version, "erased once"


# --- dead letters ---


def news(order_id: str, status: str) -> dict[str, Any]:
    return {
        "event_type": "fulfillment.status_changed",
        "fulfillment_id": "f-1",
        "order_id": order_id,
        "old_status": "packed",
        "new_status": status,
        "timestamp": "2026-11-20T12:00:00.000Z",
    }


def put_dead_letter(stack: Stack, queue: str, body: Any, target: str = "") -> None:
    attributes = {"TARGET_ARN": {"DataType": "String", "StringValue": target}} if target else {}
    url = stack.resources[queue]
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body), MessageAttributes=attributes)


def arn_of(stack: Stack, queue: str) -> str:
    told = stack.client("sqs").get_queue_attributes(QueueUrl=stack.resources[queue], AttributeNames=["QueueArn"])
    return str(told["Attributes"]["QueueArn"])


def test_dead_letters_go_back_to_where_they_failed(stack: Stack, place: Place) -> None:
    an_order(stack, "late", "customer-late")
    wait_until(lambda: status_of(stack, "late") == "SHIPPED")
    put_dead_letter(stack, "FulfillmentDeadLetters", news("late", "completed"), arn_of(stack, "FulfillmentEvents"))
    put_dead_letter(stack, "FulfillmentDeadLetters", {"nobody": "knows where"})
    put_dead_letter(stack, "FulfillmentDeadLetters", news("nobody-s", "completed"), arn_of(stack, "FulfillmentEvents"))
    assert dead_letters.redrive_dead_letters(place)["FulfillmentDeadLetters"] == {"sent": 1, "left": 2}
    assert status_of(stack, "late") == "DELIVERED"


def test_an_invocation_that_failed_is_made_again(stack: Stack, place: Place) -> None:
    an_order(stack, "lost", "customer-lost")
    wait_until(lambda: status_of(stack, "lost") == "SHIPPED")
    function = stack.lambdas.config(stack.resources["OnFulfillmentEventFunction"]).arn
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1795176000000"}
    record = {"messageId": "1", "body": json.dumps(news("lost", "completed")), "attributes": attributes}
    payload = {"Records": [record]}
    put_dead_letter(
        stack, "UnhandledEvents", {"requestPayload": payload, "requestContext": {"functionArn": f"{function}:$LATEST"}}
    )
    put_dead_letter(stack, "UnhandledEvents", {"requestContext": {"functionArn": function}, "DDBStreamBatchInfo": {}})
    assert dead_letters.redrive_dead_letters(place)["UnhandledEvents"] == {"sent": 1, "left": 1}
    wait_until(lambda: status_of(stack, "lost") == "DELIVERED")


def test_locally_the_sweep_stands_for_the_redrive_of_executions(place: Place) -> None:
    assert set(operate.redrive_executions(place)) == {"swept"}


# --- on AWS: the services as they answer there ---


class OnAws(Place):
    """A place on AWS whose services are these."""

    services: dict[str, Any]
    outputs: ClassVar = {"TableName": "orders", "FulfilMachineArn": "fulfil", "UnwindMachineArn": "unwind"}

    def client(self, service: str) -> Any:
        return self.services[service]

    def enter(self) -> None:
        """The test's own stack has set everything."""


def test_only_executions_that_their_orders_still_wait_for_are_redriven(stack: Stack) -> None:
    for name in ("waiting", "idle", "over"):
        an_order(stack, name, f"customer-{name}")
    wait_until(lambda: {status_of(stack, name) for name in ("waiting", "idle", "over")} == {"SHIPPED"})
    support(stack).call("POST", "/orders/over/delivered", {})
    states = FakeStepFunctions()
    ended = {"waiting": "FAILED", "over": "FAILED", "_2_waiting": "FAILED", "nobody-s": "FAILED", "idle": "ABORTED"}
    for machine, names in {"fulfil": ended, "unwind": {"waiting": "TIMED_OUT"}}.items():
        for name, status in names.items():
            states.end(states.start_execution(stateMachineArn=machine, name=name, input="{}")["executionArn"], status)
    place = OnAws("orders-prod", "")
    place.__dict__["services"] = {"stepfunctions": states}
    assert operate.redrive_executions(place) == {"redriven": ["waiting", "idle"]}
    assert states.redriven == ["fulfil:waiting", "fulfil:idle"], "not the unwinding, which it never came to"
    # Others wait until nothing is under way in this stack.
    for name in ("waiting", "idle"):
        support(stack).call("POST", f"/orders/{name}/delivered", {})


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_delivery(name: str, status: str, *, due: str | None = None, created: str = "2026-11-21T08:00:00.000Z") -> dict[str, Any]:
    attempts = [{"at": "2026-11-21T08:00:01.000Z"}] if due else []
    return {"delivery_id": name, "status": status, "created_at": created, "next_attempt_at": due, "attempts": attempts}


class FakeApi(Api):
    """Two pages of deliveries: given up, succeeded, and pending in every way; and a second endpoint, which is disabled."""

    def __init__(self) -> None:
        super().__init__("")
        self.sent: list[str] = []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if method == "POST":
            self.sent.append(path.removeprefix("/webhooks/wh-1/deliveries/").removesuffix("/redeliver"))
            return {}
        if path == "/webhooks":
            return {"webhooks": [{"webhook_id": "wh-1", "status": "ACTIVE"}, {"webhook_id": "wh-2", "status": "DISABLED"}]}
        if "cursor" in path:
            page = [
                a_delivery("given-up", "FAILED"),
                a_delivery("never-attempted", "PENDING"),
                a_delivery("overdue", "PENDING", due="2026-11-21T11:29:59.000Z"),
            ]
            return {"deliveries": page, "next_cursor": None}
        page = [
            a_delivery("fresh", "PENDING", created="2026-11-21T11:59:00.000Z"),
            a_delivery("planned", "PENDING", due="2026-11-21T14:00:00.000Z"),
            a_delivery("just-due", "PENDING", due="2026-11-21T11:45:00.000Z"),
            a_delivery("taken", "SUCCEEDED"),
        ]
        return {"deliveries": page, "next_cursor": "more"}


def test_deliveries_that_were_given_up_or_left_with_nothing_scheduled_are_sent_again() -> None:
    api = FakeApi()
    assert operate.redrive_webhooks(api, None, NOW) == {"wh-1": 3}
    assert api.sent == ["given-up", "never-attempted", "overdue"]


@dataclass
class FakeStreams:
    """A stream of four records; its letters name a range of them."""

    records: list[dict[str, Any]]
    trimmed: bool = False

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        if self.trimmed:
            raise ClientError({"Error": {"Code": "TrimmedDataAccessException", "Message": ""}}, "GetShardIterator")
        return {"ShardIterator": asked["SequenceNumber"]}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        wanted = [record for record in self.records if int(record["dynamodb"]["SequenceNumber"]) >= int(ShardIterator)]
        return {"Records": wanted, "NextShardIterator": None}


def a_record(number: int, event: str = "INSERT", **image: str) -> dict[str, Any]:
    told = {name: {"S": value} for name, value in image.items()}
    return {"eventName": event, "dynamodb": {"SequenceNumber": str(number), "NewImage": told}}


RECORDS = [
    a_record(1, kind="event", follow_up="start_fulfilment"),
    a_record(2, kind="order"),
    a_record(3, "MODIFY", kind="event", follow_up="start_fulfilment"),
    a_record(4, kind="event"),
    a_record(5, kind="event", follow_up="start_unwinding"),
]


@dataclass
class FakeQueues:
    """Queues that are known by their names, and that nobody may send to."""

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": f"https://sqs/{QueueName}"}


def a_fulfillment_letter() -> dict[str, Any]:
    """As SQS moves one: the consumer has failed with it in all its tries."""
    source = "arn:aws:sqs:eu-west-1:123456789012:orders-prod-fulfillment"
    attributes = {"SentTimestamp": "1795176000000", "ApproximateReceiveCount": "3", "DeadLetterQueueSourceArn": source}
    return {"MessageId": "m-1", "ReceiptHandle": "of-the-dead-letter-queue", "Body": "{}", "Attributes": attributes}


def at_the_consumer(function: FakeLambda) -> OnAws:
    place = OnAws("orders-prod", "")
    place.__dict__["services"] = {"sqs": FakeQueues(), "lambda": function}
    named = {"FulfillmentEvents": "https://sqs/orders-prod-fulfillment", "OnFulfillmentEventFunction": "on-event"}
    place.__dict__["resources"] = named
    return place


def test_a_fulfillment_event_is_handed_to_its_consumer_as_nobody_may_send_into_its_queue() -> None:
    function = FakeLambda({"batchItemFailures": []})
    again = dead_letters._sender(at_the_consumer(function), a_fulfillment_letter())
    assert again
    again()
    ((name, payload),) = function.invoked
    (record,) = payload["Records"]
    assert (name, record["body"], record["messageId"], record["receiptHandle"]) == ("on-event", "{}", "m-1", "")
    assert record["attributes"]["SentTimestamp"] == "1795176000000", "it was received when it was sent, not now"


def test_a_fulfillment_event_that_fails_again_stays() -> None:
    function = FakeLambda({"batchItemFailures": [{"itemIdentifier": "m-1"}]})
    again = dead_letters._sender(at_the_consumer(function), a_fulfillment_letter())
    assert again
    with pytest.raises(NotPossible, match="failed again"):
        again()


def a_letter(function: str) -> dict[str, Any]:
    batch = {"streamArn": "stream", "shardId": "shard", "startSequenceNumber": "1", "endSequenceNumber": "4"}
    return {"Body": json.dumps({"requestContext": {"functionArn": function}, "DDBStreamBatchInfo": batch})}


@pytest.mark.parametrize(
    ("function", "numbers"), [("orders-drive-workflow:live", ["1"]), ("orders-publish-changes:live", ["1", "4"])]
)
def test_a_stream_s_letter_is_filled_from_the_stream_as_the_mapping_filters_it(function: str, numbers: list[str]) -> None:
    invoked = FakeLambda()
    place = OnAws("orders-prod", "")
    place.__dict__["services"] = {"dynamodbstreams": FakeStreams(RECORDS), "lambda": invoked}
    again = dead_letters._sender(place, a_letter(function))
    assert again
    again()
    ((name, payload),) = invoked.invoked
    assert name == function
    assert [record["dynamodb"]["SequenceNumber"] for record in payload["Records"]] == numbers


def test_a_stream_s_letter_stays_when_it_fails_again_or_the_stream_has_forgotten() -> None:
    failing = FakeLambda({"batchItemFailures": [{"itemIdentifier": "1"}]})
    place = OnAws("orders-prod", "")
    place.__dict__["services"] = {"dynamodbstreams": FakeStreams(RECORDS), "lambda": failing}
    again = dead_letters._sender(place, a_letter("orders-drive-workflow:live"))
    assert again
    with pytest.raises(NotPossible, match="failed again"):
        again()
    place.__dict__["services"] = {"dynamodbstreams": FakeStreams(RECORDS, trimmed=True)}
    assert dead_letters._sender(place, a_letter("orders-drive-workflow:live")) is None
