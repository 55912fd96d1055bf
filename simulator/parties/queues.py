"""SQS: queues, and the functions that they feed.

Promised, and kept here (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/):
- a message is delivered at least once, in no order, and may come again after it was deleted (standard-queues.html);
- one that is not deleted within its visibility time-out comes again (sqs-visibility-timeout.html); after so many times it
  goes to the dead-letter queue (sqs-dead-letter-queues.html); after its retention it is gone;
- Lambda deletes what its function took, and leaves what the function reports
  (lambda/latest/dg/services-sqs-errorhandling.html).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from simulator.functions import Outcome
from simulator.loop import START, Handle
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
    due: float = 0.0
    receives: int = 0
    source: str = ""
    """The queue that it failed in, for a dead letter."""
    gone: bool = False
    late_delivery: bool = False


@dataclass(eq=False)
class Line:
    """One queue with what is in it. It is polled at one moment only: an earlier poll takes the place of a later one."""

    queue: Queue
    feed: Feed | None
    messages: dict[int, Message] = field(default_factory=dict)
    hidden: list[tuple[float, int]] = field(default_factory=list)
    """When each message can be received, as a heap; entries that are out of date are skipped."""
    ready: list[Message] = field(default_factory=list)
    """What can be received, and what was removed since."""
    at_work: int = 0
    poll: Handle | None = None
    polled_at: float = 0.0

    def hide(self, message: Message, until: float) -> None:
        """Keeps a message from being received until then."""
        message.due = until
        if self.feed:
            heappush(self.hidden, (until, message.number))

    def due(self, now: float) -> list[Message]:
        """What can be received by now."""
        while self.hidden and self.hidden[0][0] <= now:
            when, number = heappop(self.hidden)
            message = self.messages.get(number)
            if message and message.due == when:
                self.ready.append(message)
        return self.ready

    def next_due(self) -> float | None:
        """When the next message can be received, if there is one."""
        if self.ready:
            return 0.0
        hidden, messages = self.hidden, self.messages
        while hidden and (hidden[0][1] not in messages or messages[hidden[0][1]].due != hidden[0][0]):
            heappop(hidden)
        return hidden[0][0] if hidden else None


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

    def messages(self, name: str) -> Collection[Message]:
        """What is in a queue."""
        return self._lines[name].messages.values()

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
        message = line.messages[self._sent] = Message(self._sent, body, now, source=source)
        line.hide(message, now + delay)
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
            line.hide(message, self._world.loop.now + request["VisibilityTimeout"])
            self._wake(line, message.due)
        return {}

    # --- delivering ---

    def _wake(self, line: Line, when: float) -> None:
        if line.feed is None:
            return
        loop = self._world.loop
        when = max(when, loop.now) + line.feed.window + self._world.dice.uniform(0.01, 0.2)
        if line.poll and line.polled_at <= when:
            return
        if line.poll:
            line.poll.cancel()
        line.poll, line.polled_at = loop.call_at(when, self._poll, line, line.feed), when

    def _wake_for_next(self, line: Line, feed: Feed) -> None:
        """A function at its limit is woken by the end of an invocation."""
        due = line.next_due()
        if due is not None and line.at_work < feed.most_at_once:
            self._wake(line, due)

    def _poll(self, line: Line, feed: Feed) -> None:
        line.poll = None
        due, dice = line.due(self._world.loop.now), self._world.dice
        while due and line.at_work < feed.most_at_once:
            batch = [due.pop(dice.below(len(due))) for _ in range(min(feed.batch_size, len(due)))]
            self._receive(line, feed, batch)
        self._wake_for_next(line, feed)

    def _receive(self, line: Line, feed: Feed, batch: Sequence[Message]) -> None:
        dice, now = self._world.dice, self._world.loop.now
        taken = [message for message in batch if message.due <= now and not self._is_spent(line, message)]
        for message in taken:
            message.receives += 1
            until = now + line.queue.visibility
            if dice.happens("message doubled", feed.function):
                # Another server of the queue delivers it too.
                until = now + dice.uniform(0, 1)
                message.late_delivery = True
            line.hide(message, until)
        if not taken:
            return
        line.at_work += 1
        event = {"Records": [self._record(line, message) for message in taken]}
        self._world.functions.invoke(feed.function, event, lambda outcome: self._told(line, feed, taken, outcome))

    def _is_spent(self, line: Line, message: Message) -> bool:
        """Whether a message has come too often, or is too old."""
        queue = line.queue
        if message.gone:
            return True
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
        self._wake_for_next(line, feed)

    @staticmethod
    def _remove(line: Line, message: Message) -> None:
        if not message.gone:
            message.gone = True
            del line.messages[message.number]

    def take(self, name: str) -> list[Message]:
        """Empties a queue, as an operator does."""
        taken, self._lines[name].messages = self._lines[name].messages, {}
        return list(taken.values())
