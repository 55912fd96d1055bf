"""SQS -> Lambda as AWS delivers: at once or after the batching window, and only what succeeded is deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.common import REGION
from local.lambda_runtime.answers import Answer

logger = logging.getLogger(__name__)

Message = dict[str, Any]
POLLERS = 5  # with which AWS begins; as many batches are in flight at most unless the template says otherwise


class Queue(Protocol):
    """The engine's queue, as a consumer sees it."""

    def waiting(self) -> int: ...

    def next_at(self) -> float | None: ...

    def receive(self, most: int) -> list[Message]: ...

    def delete(self, messages: list[Message]) -> None: ...


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """An event source mapping on a queue, in the words of its template."""

    function: str
    queue_arn: str
    batch_size: int = 10
    window: float = 0
    concurrency: int = POLLERS
    reports_failures: bool = False

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> QueueConfig:
        fifo = mapping["EventSourceArn"].endswith(".fifo")
        scaling = mapping.get("ScalingConfig") or {}
        return cls(
            function=mapping["FunctionName"],
            queue_arn=mapping["EventSourceArn"],
            batch_size=int(mapping.get("BatchSize") or 10),
            window=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            concurrency=1 if fifo else int(scaling.get("MaximumConcurrency") or POLLERS),
            reports_failures="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []),
        )


@dataclass
class QueueFeed:
    """One mapping at work; everything on the loop."""

    config: QueueConfig
    queue: Queue
    invoke: Callable[[str, Any], asyncio.Future[Answer]]
    now: Callable[[], float]
    _at_work: set[asyncio.Task[None]] = field(init=False, default_factory=set)
    _gathering: asyncio.TimerHandle | None = field(init=False, default=None)
    _looking: asyncio.TimerHandle | None = field(init=False, default=None)

    def pump(self) -> None:
        """Delivers waiting messages, up to the mapping's concurrency."""
        if self.config.window and self.queue.waiting() < self.config.batch_size:
            if self._gathering is None and self.queue.waiting():
                self._gathering = asyncio.get_running_loop().call_later(self.config.window, self._gathered)
            return
        self._hand_out()

    def idle(self) -> bool:
        """The queue is empty: nothing at hand, nothing under way, nothing that is delayed or comes back after a failure."""
        return not self._at_work and self._gathering is None and self.queue.next_at() is None

    def close(self) -> None:
        for timer in (self._gathering, self._looking):
            if timer:
                timer.cancel()
        for task in self._at_work:
            task.cancel()

    def _gathered(self) -> None:
        self._gathering = None
        self._hand_out()

    def _hand_out(self) -> None:
        while len(self._at_work) < self.config.concurrency:
            batch = self.queue.receive(self.config.batch_size)
            if not batch:
                self._look_again()
                return
            task = asyncio.get_running_loop().create_task(self._deliver(batch))
            self._at_work.add(task)
            task.add_done_callback(self._delivered)

    def _look_again(self) -> None:
        """There is no signal when a delayed or failed message becomes visible, so a timer polls."""
        moment = self.queue.next_at()
        if self._looking:
            self._looking.cancel()
            self._looking = None
        if moment is not None:
            delay = max(0.01, moment - self.now())
            self._looking = asyncio.get_running_loop().call_later(delay, self._hand_out)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            self.pump()

    async def _deliver(self, batch: list[Message]) -> None:
        records = [_record(message, self.config.queue_arn) for message in batch]
        answer = await self.invoke(self.config.function, {"Records": records})
        if answer.failed:
            logger.warning("%s failed on %d messages: %s", self.config.function, len(batch), answer.failure())
            return  # they come again when their visibility time-out is over
        failed = self._failed(answer.payload, batch)
        self.queue.delete([message for message in batch if message["id"] not in failed])

    def _failed(self, payload: Any, batch: list[Message]) -> set[str]:
        """The messages reported as failed; a report that makes no sense means all of them."""
        known = {message["id"] for message in batch}
        if not self.config.reports_failures or not isinstance(payload, dict):
            return set()
        try:
            reported = {failure["itemIdentifier"] for failure in payload.get("batchItemFailures") or ()}
        except (KeyError, TypeError):
            return known
        return known if reported - known else reported


def _record(message: Message, queue_arn: str) -> dict[str, Any]:
    system = message.get("sys") or {}
    attributes = {
        "ApproximateReceiveCount": str(message.get("receive_count", 1)),
        "SentTimestamp": str(int(message["sent_at"] * 1000)),
        "SenderId": str(system.get("SenderId", "local")),
        "ApproximateFirstReceiveTimestamp": str(int((message.get("first_receive_at") or message["sent_at"]) * 1000)),
    }
    for name, key in (("MessageGroupId", "group_id"), ("MessageDeduplicationId", "dedup_id"), ("SequenceNumber", "seq")):
        if message.get(key):
            attributes[name] = str(message[key])
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": attributes,
        "messageAttributes": {
            name: {key[0].lower() + key[1:]: value for key, value in inner.items()}
            for name, inner in (message.get("message_attributes") or {}).items()
        },
        "md5OfBody": message.get("md5_body") or "",
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
