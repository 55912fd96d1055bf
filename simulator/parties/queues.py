"""SQS: queues, and the functions that they feed.

Promised, and kept here (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/):
- a message is delivered at least once, in no order, and may come again after it was deleted (standard-queues.html);
- one that is not deleted within its visibility time-out comes again (sqs-visibility-timeout.html); after so many times it
  goes to the dead-letter queue (sqs-dead-letter-queues.html); after its retention it is gone;
- Lambda deletes what its function took, and leaves what the function reports
  (lambda/latest/dg/services-sqs-errorhandling.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.functions import Outcome
from simulator.loop import START
from simulator.wiring import Feed, Queue

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

LATE_SECONDS = 400.0
LONGEST_DELAY = 900


@dataclass(eq=False, slots=True)
class Message:
    """A message; ``due`` is when it can be received."""

    number: int
    body: str
    sent: float
    due: float
    receives: int = 0
    source: str = ""
    """The queue that it failed in, for a dead letter."""
    gone: bool = False
    late_delivery: bool = False


@dataclass(eq=False)
class Line:
    """One queue with what is in it."""

    queue: Queue
    feed: Feed | None
    messages: list[Message] = field(default_factory=list)
    at_work: int = 0
    woken: float = -1.0


class Queues:
    """All of the queues."""

    def __init__(self, world: World) -> None:
        self._world = world
        feeds = {feed.source: feed for feed in world.wiring.feeds}
        self._lines = {queue.name: Line(queue, feeds.get(queue.name)) for queue in world.wiring.queues}
        self._sent = 0
        self._receipts: dict[str, tuple[Line, Message]] = {}
        operations = {
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_batch,
            "ChangeMessageVisibility": self._change_visibility,
        }
        world.services.update(operations)

    def names(self) -> list[str]:
        """The queues' names."""
        return list(self._lines)

    def messages(self, name: str) -> list[Message]:
        """What is in a queue."""
        return self._lines[name].messages

    def idle(self) -> bool:
        """Whether nothing waits in a queue that feeds a function."""
        return not any(line.messages or line.at_work for line in self._lines.values() if line.feed)

    # --- calls ---

    def send(self, name: str, body: str, delay: float = 0.0, source: str = "") -> None:
        """Puts a message into a queue."""
        line, now = self._lines[name], self._world.loop.now
        self._sent += 1
        if line.feed and self._world.dice.happens("message late", line.feed.function):
            delay += self._world.dice.uniform(0, LATE_SECONDS)
        line.messages.append(Message(self._sent, body, now, now + delay, source=source))
        self._world.note(f"message {self._sent} {name} {body if len(body) < 200 else len(body)}")
        self._wake(line, now + delay)

    def _send_message(self, request: Json) -> Json:
        delay = request.get("DelaySeconds", 0)
        if not 0 <= delay <= LONGEST_DELAY:
            raise NotImplementedError(f"a delay of {delay} seconds")
        self.send(request["QueueUrl"], request["MessageBody"], delay)
        return {"MessageId": str(self._sent)}

    def _send_batch(self, request: Json) -> Json:
        entries = request["Entries"]
        if not 1 <= len(entries) <= 10:
            raise NotImplementedError(f"a batch of {len(entries)} messages")
        dice, caller = self._world.dice, self._world.running
        partly = dice.happens("partly taken", caller.function if caller else "", "SendMessageBatch")
        failed = [entry for entry in entries if partly and dice.likely(0.5)]
        for entry in entries:
            if entry not in failed:
                self.send(request["QueueUrl"], entry["MessageBody"])
        taken = [{"Id": entry["Id"]} for entry in entries if entry not in failed]
        return {"Successful": taken, "Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in failed]}

    def _change_visibility(self, request: Json) -> Json:
        line, message = self._receipts[request["ReceiptHandle"]]
        if not message.gone:
            message.due = self._world.loop.now + request["VisibilityTimeout"]
            self._wake(line, message.due)
        return {}

    # --- delivering ---

    def _wake(self, line: Line, when: float) -> None:
        if line.feed is None:
            return
        when = max(when, self._world.loop.now) + line.feed.window + self._world.dice.uniform(0.01, 0.2)
        if line.woken < self._world.loop.now or when < line.woken:
            line.woken = when
            self._world.loop.call_at(when, self._poll, line)

    def _poll(self, line: Line) -> None:
        feed, loop, dice = line.feed, self._world.loop, self._world.dice
        if feed is None:
            return
        line.woken = -1.0
        due = [message for message in line.messages if message.due <= loop.now]
        while due and line.at_work < feed.most_at_once:
            batch = [due.pop(dice.below(len(due))) for _ in range(min(feed.batch_size, len(due)))]
            self._receive(line, feed, batch)
        left = [message.due for message in line.messages]
        if left and line.at_work < feed.most_at_once:
            self._wake(line, min(left))

    def _receive(self, line: Line, feed: Feed, batch: Sequence[Message]) -> None:
        dice = self._world.dice
        taken = [message for message in batch if not self._is_spent(line, message)]
        for message in taken:
            message.receives += 1
            message.due = self._world.loop.now + line.queue.visibility
            if dice.happens("message doubled", feed.function):
                # Another server of the queue delivers it too.
                message.due = self._world.loop.now + dice.uniform(0, 1)
                message.late_delivery = True
        if not taken:
            return
        line.at_work += 1
        event = {"Records": [self._record(line, message) for message in taken]}
        self._world.functions.invoke(feed.function, event, lambda outcome: self._told(line, feed, taken, outcome))

    def _is_spent(self, line: Line, message: Message) -> bool:
        """Whether a message has come too often, or is too old."""
        queue = line.queue
        too_often = queue.dead_letters is not None and message.receives >= queue.receives
        too_old = self._world.loop.now - message.sent > queue.retention
        if too_often and queue.dead_letters:
            self.send(queue.dead_letters, message.body, source=queue.name)
        if too_often or too_old:
            self._remove(line, message)
        return too_often or too_old

    def _record(self, line: Line, message: Message) -> Json:
        receipt = f"{message.number}/{message.receives}"
        self._receipts[receipt] = (line, message)
        attributes = {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int((START + message.sent) * 1000)),
        }
        return {
            "messageId": str(message.number),
            "receiptHandle": receipt,
            "body": message.body,
            "attributes": attributes,
            "eventSource": "aws:sqs",
        }

    def _told(self, line: Line, feed: Feed, batch: Sequence[Message], outcome: Outcome) -> None:
        line.at_work -= 1
        reported = (outcome.payload or {}).get("batchItemFailures") or []
        failed = {one["itemIdentifier"] for one in reported}
        for message in batch:
            kept = outcome.error is not None or (feed.reports_failures and str(message.number) in failed)
            if not kept and message.late_delivery:
                # Deleted, but for the server that has not heard of it.
                message.late_delivery = False
            elif not kept:
                self._remove(line, message)
        if line.messages:
            self._wake(line, min(message.due for message in line.messages))

    @staticmethod
    def _remove(line: Line, message: Message) -> None:
        if not message.gone:
            message.gone = True
            line.messages.remove(message)

    def take(self, name: str) -> list[Message]:
        """Empties a queue, as an operator does."""
        taken, self._lines[name].messages = self._lines[name].messages, []
        return taken
