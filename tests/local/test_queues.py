"""Messages reach their function as AWS delivers them, and asynchronous invocations are tried again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.lambda_runtime.answers import Answer
from local.lambda_runtime.invocations import Invocations, Policy
from local.lambda_runtime.lambdas import Config
from local.lambda_runtime.queues import QueueConfig, QueueFeed
from tests.harness.virtual_time import START, run

VISIBILITY = 30.0


class FakeQueue:
    """A queue in virtual time."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def put(self, *bodies: str) -> None:
        now = self.now()
        fresh = {"sent_at": now, "visible_at": now, "receive_count": 0, "receipt_handle": None}
        self.messages += [{**fresh, "id": body, "body": body} for body in bodies]

    @staticmethod
    def now() -> float:
        return START + asyncio.get_running_loop().time()

    def waiting(self) -> int:
        return sum(message["visible_at"] <= self.now() for message in self.messages)

    def next_at(self) -> float | None:
        return min((message["visible_at"] for message in self.messages), default=None)

    def receive(self, most: int) -> list[dict[str, Any]]:
        batch = [message for message in self.messages if message["visible_at"] <= self.now()][:most]
        for message in batch:
            message["visible_at"] = self.now() + VISIBILITY
            message["receive_count"] += 1
        return batch

    def delete(self, messages: list[dict[str, Any]]) -> None:
        gone = {message["id"] for message in messages}
        self.messages = [message for message in self.messages if message["id"] not in gone]


class Consumer:
    def __init__(self, answer: Callable[[list[str]], Answer] = lambda _: Answer(None), seconds: float = 0) -> None:
        self.calls: list[tuple[float, list[str]]] = []
        self._answer = answer
        self._seconds = seconds

    def begin(self, function: str, event: Any, *, later: bool = False) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        bodies = [record["body"] for record in event["Records"]] if "Records" in event else [event]
        self.calls.append((loop.time(), bodies))
        answered: asyncio.Future[Answer] = loop.create_future()
        loop.call_later(self._seconds, answered.set_result, self._answer(bodies))
        return answered

    def config(self, function: str) -> Config:
        return Config(function, f"arn:{function}", "m.f", 5, 512)


def deliver(consumer: Consumer, *bodies: str, seconds: float = 0, **config: Any) -> FakeQueue:
    async def main() -> FakeQueue:
        queue = FakeQueue()
        feed = QueueFeed(QueueConfig("consume", "arn:queue", **config), queue, consumer.begin, FakeQueue.now)
        queue.put(*bodies)
        feed.pump()
        await asyncio.sleep(seconds or 0.5)
        feed.close()
        return queue

    return run(main())


def failing(*bodies: str) -> Callable[[list[str]], Answer]:
    def answer(batch: list[str]) -> Answer:
        return Answer({"batchItemFailures": [{"itemIdentifier": body} for body in batch if body in bodies]})

    return answer


def test_messages_come_at_once_in_batches_and_are_gone_when_done() -> None:
    consumer = Consumer()
    queue = deliver(consumer, "a", "b", "c", batch_size=2)
    assert consumer.calls == [(0, ["a", "b"]), (0, ["c"])]
    assert queue.messages == []


def test_no_more_batches_are_in_flight_than_the_mapping_allows() -> None:
    consumer = Consumer(seconds=1)
    deliver(consumer, "a", "b", "c", batch_size=1, concurrency=2, seconds=5)
    assert [when for when, _ in consumer.calls] == [0, 0, 1]


def test_a_window_gathers_messages_until_it_is_over() -> None:
    consumer = Consumer()
    deliver(consumer, "a", "b", batch_size=100, window=5, seconds=10)
    assert consumer.calls == [(5, ["a", "b"])]


def test_a_full_batch_does_not_wait_for_the_window() -> None:
    consumer = Consumer()
    deliver(consumer, "a", "b", batch_size=2, window=5)
    assert consumer.calls == [(0, ["a", "b"])]


def test_what_is_reported_as_failed_comes_again_after_the_visibility_time_out() -> None:
    consumer = Consumer(failing("b"))
    deliver(consumer, "a", "b", "c", reports_failures=True, seconds=VISIBILITY + 1)
    assert [batch for _, batch in consumer.calls] == [["a", "b", "c"], ["b"]]
    assert consumer.calls[1][0] == pytest.approx(VISIBILITY, abs=0.1)


@pytest.mark.parametrize(
    "answer", [Answer({"errorType": "Broken"}, failed=True), Answer({"batchItemFailures": [{"itemIdentifier": "nonsense"}]})]
)
def test_after_a_failure_or_a_senseless_report_everything_comes_again(answer: Answer) -> None:
    queue = deliver(Consumer(lambda _: answer), "a", "b", reports_failures=True)
    assert [message["id"] for message in queue.messages] == ["a", "b"]


def test_a_mapping_is_read_in_its_templates_words() -> None:
    config = QueueConfig.of(
        {
            "FunctionName": "f",
            "EventSourceArn": "arn:queue",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 5,
            "ScalingConfig": {"MaximumConcurrency": 4},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    )
    assert config == QueueConfig("f", "arn:queue", 100, 5, 4, reports_failures=True)
    assert QueueConfig.of({"FunctionName": "f", "EventSourceArn": "arn:queue.fifo"}).concurrency == 1


def invoke(consumer: Consumer, policy: Policy) -> list[tuple[str, dict[str, Any]]]:
    dead_letters: list[tuple[str, dict[str, Any]]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lambdas: Any = consumer
        invocations = Invocations(loop, lambdas, lambda where, message: dead_letters.append((where, json.loads(message))))
        invocations.submit("notify", {"n": 1}, policy)
        await asyncio.sleep(60)
        assert invocations.idle()

    run(main())
    return dead_letters


def test_an_event_is_tried_three_times_and_then_kept_where_failures_go() -> None:
    consumer = Consumer(lambda _: Answer({"errorType": "Broken", "errorMessage": "no"}, failed=True))
    ((where, message),) = invoke(consumer, Policy(on_failure="arn:dead"))
    assert [when for when, _ in consumer.calls] == [0, 1, 3]
    assert where == "arn:dead"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    assert message["requestPayload"] == {"n": 1}
    assert message["responsePayload"]["errorType"] == "Broken"


def test_an_event_that_succeeds_at_last_is_not_kept() -> None:
    answers = iter([Answer({}, failed=True), Answer(None)])
    consumer = Consumer(lambda _: next(answers))
    assert invoke(consumer, Policy(on_failure="arn:dead")) == []
    assert len(consumer.calls) == 2


def test_an_event_too_old_is_not_tried_again() -> None:
    consumer = Consumer(lambda _: Answer({}, failed=True))
    invoke(consumer, Policy(retries=2, max_age=0.5))
    assert len(consumer.calls) == 1
