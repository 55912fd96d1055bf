"""Fan-out to many endpoints inside a function's time: calls are counted, and time is what the calls say they took."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orders.adapters import aws as orders_aws
from orders.adapters import queues
from orders.adapters.aws import OutOfTime
from orders.adapters.store import table, webhooks
from orders.domain.webhooks import Delivery, Webhook
from orders.services import webhook_fan_out
from tests.harness.events import a_batch, a_message, invoke, refused
from tests.harness.orders import START

ENDPOINTS, EVENTS, TIME_OUT = 50, 100, 30.0
Key = tuple[str, str]


class Aws:
    """The table's deliveries and the queue, and a clock that only their calls move."""

    def __init__(self, *, write: float = 0.06, send: float = 0.025) -> None:
        self.write, self.send = write, send
        self.clock = 0.0
        self.calls: Counter[str] = Counter()
        self.items: dict[Key, dict[str, Any]] = {}
        self.queued: Counter[Key] = Counter()
        self.refused: set[Key] = set()
        self.busy: set[int] = set()
        """Which transactions, counted from 1, the table is too busy for."""

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        self.calls["TransactWriteItems"] += 1
        self.clock += self.write
        assert len(TransactItems) <= 100
        if self.calls["TransactWriteItems"] in self.busy:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "TransactWriteItems")
        puts = [action["Put"] for action in TransactItems]
        keys = [(put["Item"]["webhook_id"]["S"], put["Item"]["delivery_id"]["S"]) for put in puts]
        assert len(set(keys)) == len(keys), "a transaction takes an item once"
        assert {put["ConditionExpression"] for put in puts} == {"attribute_not_exists(PK)"}
        if any(key in self.items for key in keys):
            reasons = [
                {"Code": "ConditionalCheckFailed", "Item": self.items[key]} if key in self.items else {"Code": "None"}
                for key in keys
            ]
            error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        self.items.update(zip(keys, (put["Item"] for put in puts), strict=True))
        return {}

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "queue"
        self.calls["SendMessageBatch"] += 1
        self.clock += self.send
        assert len(Entries) <= 10
        failed = []
        for entry in Entries:
            body = json.loads(entry["MessageBody"])
            key = (body["webhook_id"], body["delivery_id"])
            if key in self.refused:
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
            else:
                self.queued[key] += 1
        return {"Failed": failed}

    def invoke(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        began = self.clock
        answer = invoke("fan_out_webhooks", a_batch(records), lambda: began + TIME_OUT - self.clock)
        assert self.clock - began < TIME_OUT, "it would have been cut off"
        return refused(answer)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    hooks = [Webhook(f"wh-{number}", "https://x.test", (), (), START) for number in range(ENDPOINTS)]
    monkeypatch.setenv("TABLE_NAME", "table")
    monkeypatch.setenv("WEBHOOK_DELIVERIES_URL", "queue")
    monkeypatch.setattr(webhooks, "load_all", lambda: hooks)
    monkeypatch.setattr(table, "client", lambda: made)
    monkeypatch.setattr(queues, "sqs", lambda: made)
    return made


def records(count: int = EVENTS) -> list[dict[str, Any]]:
    return [
        a_message(
            {
                "detail": {
                    "event_id": f"e-{number}",
                    "event_type": "OrderStatusChanged",
                    "order_id": f"order-{number}",
                    "timestamp": "2026-11-20T12:00:00.000Z",
                    "version": 1,
                }
            },
            f"m-{number}",
        )
        for number in range(count)
    ]


def everything(count: int = EVENTS) -> set[Key]:
    return {(f"wh-{hook}", f"e-{event}") for hook in range(ENDPOINTS) for event in range(count)}


def test_a_full_batch_for_fifty_endpoints_ends_in_time(aws: Aws) -> None:
    assert aws.invoke(records()) == []
    assert aws.queued == Counter(everything())
    assert set(aws.items) == everything()
    assert aws.calls == {"TransactWriteItems": 50, "SendMessageBatch": 500}
    assert aws.clock < TIME_OUT - webhook_fan_out.ENOUGH_SECONDS


def test_what_there_is_no_time_for_comes_again_and_nothing_is_lost_or_queued_twice(aws: Aws) -> None:
    aws.write, aws.send = 0.5, 0.2  # a bad day: a full batch would take 125 s
    left, invocations = records(), 0
    while left:
        failed = set(aws.invoke(left))
        assert failed < {record["messageId"] for record in left}, "each invocation gets further"
        left = [record for record in left if record["messageId"] in failed]
        invocations += 1
    assert invocations > 1
    assert aws.queued == Counter(everything())


@pytest.mark.parametrize("slow", ["write", "send"])
@pytest.mark.parametrize("seconds", [1.0, 3.0, orders_aws.HASTY.most_seconds])
def test_no_call_outlives_the_function_however_slow_it_is(aws: Aws, slow: str, seconds: float) -> None:
    """As slow as a call can be, with time-outs in each of its attempts: ``invoke`` sees that nothing is cut off."""
    setattr(aws, slow, seconds)
    failed = aws.invoke(records())
    assert failed
    done = {(hook, event) for hook, event in everything() if f"m-{event.removeprefix('e-')}" not in failed}
    assert done <= set(aws.queued), "what does not come again has been queued"


def test_a_call_of_the_fan_out_takes_no_longer_than_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits that the clients really have, against what is left when the last call begins."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with orders_aws.within(lambda: TIME_OUT):
        clients: list[Any] = [table.client(), queues.sqs()]
    for config in (client.meta.config for client in clients):
        attempts = config.retries["total_max_attempts"]
        pauses = sum(2**retry for retry in range(attempts - 1))
        longest = attempts * (config.connect_timeout + config.read_timeout) + pauses
        with orders_aws.within(repeat(longest).__next__), pytest.raises(OutOfTime):
            orders_aws.check_time()
    with orders_aws.within(lambda: TIME_OUT):
        orders_aws.check_time()
    assert table.client() not in clients, "others keep their own patience"


def test_only_the_events_that_the_queue_did_not_take_come_again(aws: Aws) -> None:
    aws.refused = {("wh-7", "e-3"), ("wh-8", "e-3"), ("wh-0", "e-90")}
    assert aws.invoke(records()) == ["m-3", "m-90"]
    aws.refused = set()
    assert aws.invoke([record for record in records() if record["messageId"] in ("m-3", "m-90")]) == []
    assert set(aws.queued) == everything(), "those that were taken the first time are queued again: at least once"


def test_what_has_been_attempted_is_not_queued_again(aws: Aws) -> None:
    assert aws.invoke(records(2)) == []
    for (hook, _), item in aws.items.items():
        if hook == "wh-1":
            item["tries"] = {"N": "1"}
        elif hook == "wh-2":
            item["status"] = {"S": "SUCCEEDED"}
    before = {key: dict(item) for key, item in aws.items.items()}
    assert aws.invoke(records(2)) == []
    assert {hook for (hook, _), count in aws.queued.items() if count == 1} == {"wh-1", "wh-2"}
    assert aws.items == before, "what has become of a delivery stays"


def test_a_busy_table_costs_only_the_events_it_was_busy_for(aws: Aws) -> None:
    aws.busy = {2}
    assert aws.invoke(records(6)) == ["m-2", "m-3"]
    assert set(aws.queued) == {key for key in everything(6) if key[1] not in ("e-2", "e-3")}


def test_an_event_that_is_twice_in_a_batch_is_queued_once_and_one_that_cannot_be_read_fails_alone(aws: Aws) -> None:
    (one,) = records(1)
    batch = [one, {**one, "messageId": "m-again"}, a_message("{}", "m-bad"), a_message("<", "m-worse")]
    assert aws.invoke(batch) == ["m-bad", "m-worse"]
    assert aws.queued == Counter(everything(1))


def test_nobody_subscribed_nothing_written(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "load_all", list[Delivery])
    assert aws.invoke(records()) == []
    assert not aws.calls
