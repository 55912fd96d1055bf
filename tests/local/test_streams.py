"""Stream records reach their function as AWS delivers them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from local.lambda_runtime.answers import Answer
from local.lambda_runtime.streams import Disorder, Feed, FeedConfig, StreamDelivery, matches
from tests.harness.virtual_time import START, run


def a_record(key: str, sequence: int, written_at: float = START, *, sort: str = "x") -> dict[str, Any]:
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"PK": {"S": key}, "SK": {"S": sort}},
            "SequenceNumber": f"{sequence:05d}",
            "ApproximateCreationDateTime": written_at,
        },
    }


class Consumer:
    """A function that fails for the sequences it is told to, as often as it is told to."""

    def __init__(self, answer: Callable[[list[str]], Answer] | None = None, seconds: float = 0) -> None:
        self.batches: list[tuple[float, list[str]]] = []
        self.dead_letters: list[tuple[str, dict[str, Any]]] = []
        self.done: list[int] = []
        self._answer = answer or (lambda batch: Answer({"batchItemFailures": []}))
        self._seconds = seconds

    def invoke(self, function: str, event: Any) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        batch = [record["dynamodb"]["SequenceNumber"].lstrip("0") for record in event["Records"]]
        self.batches.append((loop.time(), batch))
        answered: asyncio.Future[Answer] = loop.create_future()
        loop.call_later(self._seconds, answered.set_result, self._answer(batch))
        return answered

    def seen(self) -> list[list[str]]:
        return [batch for _, batch in self.batches]


def deliver(consumer: Consumer, records: list[dict[str, Any]], disorder: Disorder | None = None, **config: Any) -> None:
    async def main() -> None:
        feed = Feed(
            FeedConfig("consume", "arn:stream", reports_failures=True, **config),
            consumer.invoke,
            send_dead_letter=lambda destination, message: consumer.dead_letters.append((destination, json.loads(message))),
            done=consumer.done.extend,
            now=lambda: START + asyncio.get_running_loop().time(),
            disorder=disorder,
        )
        feed.offer([StreamDelivery(record, number) for number, record in enumerate(records, start=1)])
        while not feed.idle():
            await asyncio.wait(list(feed.at_work.values()))

    run(main())


def failing(*sequences: str) -> Callable[[list[str]], Answer]:
    def answer(batch: list[str]) -> Answer:
        bad = [f"{int(sequence):05d}" for sequence in batch if sequence in sequences]
        return Answer({"batchItemFailures": [{"itemIdentifier": sequence} for sequence in bad]})

    return answer


def test_records_come_in_order_and_in_batches() -> None:
    consumer = Consumer()
    deliver(consumer, [a_record("a", n) for n in range(1, 6)], batch_size=2)
    assert consumer.seen() == [["1", "2"], ["3", "4"], ["5"]]
    assert consumer.done == [1, 2, 3, 4, 5]


def test_lanes_run_side_by_side_and_keep_the_order_of_each_key() -> None:
    consumer = Consumer(seconds=1)
    records = [a_record(f"key-{n % 10}", n) for n in range(1, 41)]
    deliver(consumer, records, batch_size=1, shards=5)
    order = [sequence for _, batch in consumer.batches for sequence in batch]
    for key in range(10):
        own = [int(sequence) for sequence in order if int(sequence) % 10 == key]
        assert own == sorted(own)
    assert consumer.batches[-1][0] < 39  # one after the other would have taken as long as there are records


def test_two_items_of_one_partition_are_under_way_at_once() -> None:
    """The events of one order are items of their own: AWS promises nothing about their order either."""
    consumer = Consumer(seconds=1)
    deliver(consumer, [a_record("order", n, sort=f"EVENT#{n}") for n in range(1, 21)], batch_size=1, shards=5)
    at_once = [batch for when, batch in consumer.batches if when == 0]
    assert len(at_once) > 1
    assert [n for _, batch in consumer.batches for n in batch] != [str(n) for n in range(1, 21)]


def test_with_a_factor_of_one_a_shard_keeps_its_order() -> None:
    consumer = Consumer(seconds=1)
    deliver(consumer, [a_record("order", n, sort=f"EVENT#{n}") for n in range(1, 6)], batch_size=1)
    assert consumer.seen() == [["1"], ["2"], ["3"], ["4"], ["5"]]


def in_disorder(seed: int) -> Consumer:
    """Twenty items of two partitions, three records each."""
    consumer = Consumer(seconds=0.01)
    records = [a_record(f"order-{n % 2}", n, sort=f"EVENT#{n % 20}") for n in range(1, 61)]
    chance = random.Random(seed)  # noqa: S311 - chance, to be had again
    deliver(consumer, records, Disorder(chance), shards=5, batch_size=3)
    return consumer


@pytest.mark.parametrize("seed", range(20))
def test_in_disorder_each_item_s_own_records_stay_in_order_and_none_is_lost(seed: int) -> None:
    consumer = in_disorder(seed)
    told = [int(sequence) for batch in consumer.seen() for sequence in batch]
    firsts = list(dict.fromkeys(told))
    assert sorted(firsts) == sorted(consumer.done) == list(range(1, 61))
    for item in range(20):
        own = [sequence for sequence in firsts if sequence % 20 == item]
        assert own == sorted(own)
    assert any(later < earlier for earlier, later in pairwise(firsts)), "items overtake each other"
    assert len(told) > len(firsts), "some are told twice"


def test_a_disorder_can_be_had_again() -> None:
    assert in_disorder(4).batches == in_disorder(4).batches != in_disorder(5).batches


def test_what_comes_after_a_reported_failure_comes_again_and_what_came_before_does_not() -> None:
    failed: list[str] = []

    def once(batch: list[str]) -> Answer:
        if "3" in batch and not failed:
            failed.append("3")
            return Answer({"batchItemFailures": [{"itemIdentifier": "00003"}]})
        return Answer({"batchItemFailures": []})

    consumer = Consumer(once)
    deliver(consumer, [a_record("a", n) for n in range(1, 6)])
    assert consumer.seen() == [["1", "2", "3", "4", "5"], ["3", "4", "5"]]
    assert consumer.done == [1, 2, 3, 4, 5]


def test_a_poisoned_record_is_isolated_given_up_and_reported_while_the_others_arrive() -> None:
    consumer = Consumer(failing("2"))
    deliver(consumer, [a_record("a", n) for n in range(1, 6)], bisect=True, max_retries=2, on_failure="arn:dead")
    assert consumer.seen().count(["2"]) == 3
    assert consumer.done == [1, 2, 3, 4, 5]
    ((destination, message),) = consumer.dead_letters
    assert destination == "arn:dead"
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    batch = message["DDBStreamBatchInfo"]
    assert (batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]) == ("00002", "00002", 1)
    assert batch["streamArn"] == "arn:stream"


def test_without_bisecting_the_whole_rest_is_given_up() -> None:
    consumer = Consumer(failing("2"))
    deliver(consumer, [a_record("a", n) for n in range(1, 4)], max_retries=1, on_failure="arn:dead")
    assert consumer.dead_letters[0][1]["DDBStreamBatchInfo"]["batchSize"] == 2


def test_retries_come_ever_later() -> None:
    consumer = Consumer(lambda _: Answer({"errorType": "Broken"}, failed=True))
    deliver(consumer, [a_record("a", 1)], max_retries=4)
    assert [when for when, _ in consumer.batches] == pytest.approx([0, 0.1, 0.3, 0.7, 1.5])


def test_a_record_that_grew_too_old_is_given_up_unseen() -> None:
    consumer = Consumer()
    deliver(consumer, [a_record("a", 1, START - 100), a_record("a", 2)], max_age=60, on_failure="arn:dead")
    assert consumer.seen() == [["2"]]
    assert consumer.dead_letters[0][1]["requestContext"]["condition"] == "MaxRecordAgeExceeded"


@pytest.mark.parametrize("payload", [None, {}, {"batchItemFailures": None}, {"other": 1}])
def test_an_answer_that_reports_nothing_is_a_success(payload: Any) -> None:
    consumer = Consumer(lambda _: Answer(payload))
    deliver(consumer, [a_record("a", 1)], max_retries=0)
    assert consumer.dead_letters == []
    assert len(consumer.batches) == 1


@pytest.mark.parametrize("failures", [[{"itemIdentifier": "nonsense"}], [{}], [{"itemIdentifier": ""}], "x"])
def test_a_report_that_names_no_record_of_the_batch_is_a_failure_of_all(failures: Any) -> None:
    consumer = Consumer(lambda _: Answer({"batchItemFailures": failures}))
    deliver(consumer, [a_record("a", 1), a_record("a", 2)], max_retries=0, on_failure="arn:dead")
    assert consumer.dead_letters[0][1]["DDBStreamBatchInfo"]["batchSize"] == 2


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["REMOVE", "MODIFY"]}, False),
        ({"dynamodb": {"NewImage": {"follow_up": {"S": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"NewImage": {"other": {"S": [{"exists": True}]}}}}, False),
        ({"dynamodb": {"NewImage": {"other": {"S": [{"exists": False}]}}}}, True),
        ({"dynamodb": {"Keys": {"SK": {"S": [{"prefix": "EVENT#"}]}}}}, True),
        ({"dynamodb": {"Keys": {"SK": {"S": [{"prefix": "PRODUCT#"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"follow_up": {"S": [{"anything-but": ["stop"]}]}}}}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"Keys": {"SK": {"S": [{"suffix": "1"}]}}}}]}, True),
    ],
)
def test_filters_match_as_eventbridge_patterns_do(pattern: dict[str, Any], expected: bool) -> None:
    record = {
        "eventName": "INSERT",
        "dynamodb": {"Keys": {"SK": {"S": "EVENT#00000001"}}, "NewImage": {"follow_up": {"S": "start"}}},
    }
    assert matches(pattern, record) is expected
