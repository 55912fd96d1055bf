"""DynamoDB stream -> Lambda as AWS delivers: filtered, in order per item, partial failures, retries, dead letters.

With a parallelization factor over 1 AWS keeps the order of one item's records, by partition *and* sort key, and nothing more:
two items of one partition may be processed at once and in either order, and any batch may come again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.fastpath import fast_json
from local.lambda_runtime.answers import Answer

logger = logging.getLogger(__name__)

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamDelivery:
    """One record on its way to one feed; `number` is its place in the journal."""

    record: Record
    number: int | None = None

    @property
    def sequence(self) -> str:
        return str(self.record["dynamodb"]["SequenceNumber"])

    @property
    def written_at(self) -> float:
        return float(self.record["dynamodb"]["ApproximateCreationDateTime"])


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """An event source mapping, in the words of its template."""

    function: str
    stream_arn: str
    batch_size: int = 100
    shards: int = 1
    max_retries: int = -1
    max_age: float = -1
    bisect: bool = False
    reports_failures: bool = False
    on_failure: str | None = None
    patterns: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> FeedConfig:
        filters = (mapping.get("FilterCriteria") or {}).get("Filters") or []
        destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
        return cls(
            function=mapping["FunctionName"],
            stream_arn=mapping["EventSourceArn"],
            batch_size=int(mapping.get("BatchSize", 100)),
            shards=int(mapping.get("ParallelizationFactor") or 1),
            max_retries=int(mapping.get("MaximumRetryAttempts", -1)),
            max_age=float(mapping.get("MaximumRecordAgeInSeconds", -1)),
            bisect=bool(mapping.get("BisectBatchOnFunctionError")),
            reports_failures="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []),
            on_failure=destination.get("Destination"),
            patterns=tuple(json.loads(item["Pattern"]) for item in filters),
        )


def backoff(tries: int) -> float:
    """Short at first, since most faults are; AWS too grows the pause while a batch keeps failing."""
    return min(0.1 * 2.0 ** (tries - 1), 30.0)


@dataclass
class Disorder:
    """What AWS may do with records but seldom does, made frequent and repeatable by a seed, for tests.

    A batch is held up, so that later records of other items overtake it; it is cut short; it is delivered again.
    """

    chance: random.Random
    share: float = 0.3
    longest: float = 0.2

    def delay(self) -> float:
        """For how many seconds a batch is held up."""
        return self.chance.uniform(0, self.longest) if self._happens() else 0

    def size(self, most: int) -> int:
        """How many of the records at hand make the batch."""
        return self.chance.randint(1, most) if self._happens() else most

    def again(self) -> bool:
        """Whether a batch that was accepted is delivered once more."""
        return self._happens()

    def _happens(self) -> bool:
        return self.chance.random() < self.share


@dataclass
class Feed:
    """One mapping at work. Records of one item share a shard, and a shard delivers in order; shards overtake each other."""

    config: FeedConfig
    invoke: Callable[[str, Any], asyncio.Future[Answer]]
    send_dead_letter: Callable[[str, str], None] = lambda _destination, _message: None
    done: Callable[[list[int]], None] = lambda _numbers: None
    now: Callable[[], float] = time.time
    disorder: Disorder | None = None
    waiting: list[deque[StreamDelivery]] = field(init=False)
    at_work: dict[int, asyncio.Task[None]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = [deque() for _ in range(self.config.shards)]

    def wants(self, record: Record) -> bool:
        return not self.config.patterns or any(matches(pattern, record) for pattern in self.config.patterns)

    def offer(self, deliveries: Sequence[StreamDelivery]) -> None:
        """Takes records in; on the loop. A shard that rests starts at once."""
        for delivery in deliveries:
            key = fast_json.written(list(delivery.record["dynamodb"]["Keys"].values()))
            shard = zlib.crc32(key) % self.config.shards
            self.waiting[shard].append(delivery)
            if shard not in self.at_work:
                self.at_work[shard] = asyncio.get_running_loop().create_task(self._drain(shard))

    def idle(self) -> bool:
        return not self.at_work

    def close(self) -> None:
        for task in self.at_work.values():
            task.cancel()

    async def _drain(self, shard: int) -> None:
        waiting = self.waiting[shard]
        try:
            while waiting:
                if self.disorder and (delay := self.disorder.delay()):
                    await asyncio.sleep(delay)
                size = min(self.config.batch_size, len(waiting))
                batch = [waiting.popleft() for _ in range(self.disorder.size(size) if self.disorder else size)]
                await self._deliver(batch)
                if self.disorder and self.disorder.again():
                    await self.invoke(self.config.function, {"Records": [item.record for item in batch]})
        finally:
            del self.at_work[shard]

    async def _deliver(self, batch: list[StreamDelivery]) -> None:
        """Until every record is accepted or given up."""
        tries = 0
        while batch := self._unexpired(batch):
            answer = await self.invoke(self.config.function, {"Records": [item.record for item in batch]})
            accepted = self._accepted(answer, batch)
            self._finish(batch[:accepted])
            batch, tries = batch[accepted:], 0 if accepted else tries
            if not batch:
                return
            if self.config.bisect and len(batch) > 1:
                # Halving isolates what fails, and does not count as a retry.
                await self._deliver(batch[: len(batch) // 2])
                batch = batch[len(batch) // 2 :]
                continue
            tries += 1
            if 0 <= self.config.max_retries < tries:
                self._give_up(batch, "RetryAttemptsExhausted", tries)
                return
            await asyncio.sleep(backoff(tries))

    def _unexpired(self, batch: list[StreamDelivery]) -> list[StreamDelivery]:
        if self.config.max_age < 0:
            return batch
        oldest = self.now() - self.config.max_age
        fresh = [item for item in batch if item.written_at >= oldest]
        if len(fresh) < len(batch):
            self._give_up([item for item in batch if item.written_at < oldest], "MaxRecordAgeExceeded", 0)
        return fresh

    def _accepted(self, answer: Answer, batch: list[StreamDelivery]) -> int:
        """How many of the batch, from its beginning, need no redelivery."""
        if answer.failed:
            logger.warning("%s failed on %d records: %s", self.config.function, len(batch), answer.failure())
            return 0
        if not self.config.reports_failures or not answer.payload:
            return len(batch)
        places = {item.sequence: place for place, item in enumerate(batch)}
        try:
            return min((places[f["itemIdentifier"]] for f in answer.payload["batchItemFailures"] or ()), default=len(batch))
        except (KeyError, TypeError):  # not a report that Lambda understands: the whole batch counts as failed
            return len(batch) if isinstance(answer.payload, dict) and "batchItemFailures" not in answer.payload else 0

    def _finish(self, deliveries: list[StreamDelivery]) -> None:
        self.done([item.number for item in deliveries if item.number is not None])

    def _give_up(self, batch: list[StreamDelivery], condition: str, tries: int) -> None:
        logger.error("%s: %d records given up, %s", self.config.function, len(batch), condition)
        if self.config.on_failure:
            self.send_dead_letter(self.config.on_failure, json.dumps(self._failure_record(batch, condition, tries)))
        self._finish(batch)

    def _failure_record(self, batch: list[StreamDelivery], condition: str, tries: int) -> dict[str, Any]:
        """The invocation record that AWS sends: where in the stream, not the records themselves."""
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self.config.function,
                "condition": condition,
                "approximateInvokeCount": tries,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": _second(self.now()),
            "DDBStreamBatchInfo": {
                "shardId": "shardId-00000000000000000000-00000000",
                "startSequenceNumber": batch[0].sequence,
                "endSequenceNumber": batch[-1].sequence,
                "approximateArrivalOfFirstRecord": _second(batch[0].written_at),
                "approximateArrivalOfLastRecord": _second(batch[-1].written_at),
                "batchSize": len(batch),
                "streamArn": self.config.stream_arn,
            },
        }


def _second(epoch: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


# --- Filter patterns ----------------------------------------------------------------------------------------

_ABSENT: Any = object()


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """EventBridge's pattern language, as event source mappings have it."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(part, value) for part in wanted):
                return False
            continue
        found = value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
        if isinstance(wanted, dict):
            if not matches(wanted, {} if found is _ABSENT else found):
                return False
        elif not any(_accepts(rule, found) for rule in wanted):
            return False
    return True


def _accepts(rule: Any, found: Any) -> bool:
    if not isinstance(rule, dict):
        return found is not _ABSENT and type(found) is type(rule) and bool(found == rule)
    (operator, operand), *_ = rule.items()
    if operator == "exists":
        return (found is not _ABSENT) is operand
    if operator == "prefix":
        return isinstance(found, str) and found.startswith(operand)
    if operator == "suffix":
        return isinstance(found, str) and found.endswith(operand)
    if operator == "anything-but":
        refused = operand if isinstance(operand, list) else [operand]
        return found is not _ABSENT and found not in refused
    raise ValueError(f"a filter with {operator!r} is not supported by the local stack")
