"""The table's stream and its consumers.

Promised, and kept here (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, services-dynamodb-eventsourcemapping.html):
- each consumer is given every record that its filter lets through, at least once;
- with a parallelization factor the records of one item keep their order, and no others: lanes overtake each other;
- a batch that fails comes again, from the first record that is reported; it is halved where that is asked for; after so many
  tries, or at such an age, it is given up, and where it stands in the stream goes to the destination;
- the stream keeps its records for a day (Streams.html), so that an operator can read them once more.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.lambda_runtime.streams import matches
from simulator.functions import Outcome
from simulator.wiring import Feed

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

LONGEST_HOLD = 20.0
"""How many seconds a lane is held up, at most."""
LONGEST_PAUSE = 60.0
SHARDS = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One change of an item."""

    sequence: int
    at: float
    body: Json


class Streams:
    """The stream, and everything that reads it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lanes = [(feed, self._lanes_of(feed)) for feed in world.wiring.feeds if feed.source == "OrdersTable"]
        self._kept: dict[int, Record] = {}

    def _lanes_of(self, feed: Feed) -> list[Lane]:
        return [Lane(self._world, feed, number) for number in range(SHARDS * feed.lanes)]

    def write(self, sequence: int, place: tuple[str, str], before: Json, after: Json) -> None:
        """One change of the table."""
        name = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
        if name != "INSERT":
            return
        body = {
            "eventID": str(sequence),
            "eventName": name,
            "eventSource": "aws:dynamodb",
            "dynamodb": {"SequenceNumber": str(sequence), "NewImage": after},
        }
        record = None
        for feed, lanes in self._lanes:
            # What is left of most filters is found out without looking at the whole pattern.
            if feed.needs <= after.keys() and any(matches(pattern, body) for pattern in feed.patterns):
                record = record or Record(sequence, self._world.loop.now, body)
                self._kept[sequence] = record
                lanes[_lane(place, len(lanes))].offer(record)

    def idle(self) -> bool:
        """Whether every record has been taken, or given up."""
        return not any(lane.busy for _, lanes in self._lanes for lane in lanes)

    def between(self, function: str, first: int, last: int) -> list[Json]:
        """The records of a stretch of the stream that a function's filter lets through, as an operator reads them."""
        patterns = next(feed.patterns for feed, _ in self._lanes if feed.function == function)
        found = [self._kept[number].body for number in range(first, last + 1) if number in self._kept]
        return [body for body in found if any(matches(pattern, body) for pattern in patterns)]


def _lane(place: tuple[str, str], lanes: int) -> int:
    return zlib.crc32("\n".join(place).encode()) % lanes


@dataclass
class Lane:
    """What one consumer is given one batch after the other."""

    world: World
    feed: Feed
    number: int
    waiting: deque[Record] = field(default_factory=deque)
    busy: bool = False

    def offer(self, record: Record) -> None:
        """Takes a record in."""
        self.waiting.append(record)
        if not self.busy:
            self.busy = True
            self._go_on(self.feed.window)

    def _go_on(self, seconds: float) -> None:
        dice = self.world.dice
        held = dice.happens("record held up", self.feed.function)
        seconds += dice.uniform(0, LONGEST_HOLD) if held else dice.uniform(0.05, 0.3)
        self.world.loop.call_later(seconds, self._next)

    def _next(self) -> None:
        if not self.waiting:
            self.busy = False
            return
        dice = self.world.dice
        size = min(self.feed.batch_size, len(self.waiting))
        if size > 1 and dice.happens("batch cut short", self.feed.function):
            size = 1 + dice.below(size)
        self._deliver([self.waiting.popleft() for _ in range(size)], 0, [])

    def _deliver(self, batch: list[Record], tries: int, behind: list[list[Record]]) -> None:
        """Gives a batch to the consumer; ``behind`` are the other halves of what was halved."""
        batch = self._fresh(batch)
        if not batch:
            self._done(behind)
            return
        event = {"Records": [record.body for record in batch]}
        self.world.functions.invoke(self.feed.function, event, lambda outcome: self._told(outcome, batch, tries, behind))

    def _told(self, outcome: Outcome, batch: list[Record], tries: int, behind: list[list[Record]]) -> None:
        accepted = self._accepted(outcome, batch)
        if accepted == len(batch):
            if self.world.dice.happens("batch doubled", self.feed.function):
                self._after(self.world.dice.uniform(0, LONGEST_HOLD), batch, tries, behind)
            else:
                self._done(behind)
            return
        left = batch[accepted:]
        if self.feed.bisects and len(left) > 1:
            half = len(left) // 2
            self._after(0.1, left[:half], tries, [left[half:], *behind])
        elif 0 <= self.feed.retries <= tries:
            self._give_up(left, "RetryAttemptsExhausted")
            self._done(behind)
        else:
            self._after(min(0.5 * 2.0**tries, LONGEST_PAUSE), left, 0 if accepted else tries + 1, behind)

    def _after(self, seconds: float, batch: list[Record], tries: int, behind: list[list[Record]]) -> None:
        self.world.loop.call_later(seconds, self._deliver, batch, tries, behind)

    def _accepted(self, outcome: Outcome, batch: Sequence[Record]) -> int:
        if outcome.error:
            return 0
        reported = (outcome.payload or {}).get("batchItemFailures") or []
        if not self.feed.reports_failures or not reported:
            return len(batch)
        failed = {one["itemIdentifier"] for one in reported}
        return next(place for place, record in enumerate(batch) if str(record.sequence) in failed)

    def _done(self, behind: list[list[Record]]) -> None:
        if behind:
            self._after(0.05, behind[0], 0, behind[1:])
        else:
            self._go_on(0.0)

    def _fresh(self, batch: list[Record]) -> list[Record]:
        if self.feed.longest_age < 0:
            return batch
        oldest = self.world.loop.now - self.feed.longest_age
        old = [record for record in batch if record.at < oldest]
        if old:
            self._give_up(old, "MaxRecordAgeExceeded")
        return batch[len(old) :]

    def _give_up(self, batch: Sequence[Record], why: str) -> None:
        if self.feed.on_failure is None:
            return
        info = {"startSequenceNumber": str(batch[0].sequence), "endSequenceNumber": str(batch[-1].sequence)}
        body = {"requestContext": {"functionArn": self.feed.function, "condition": why}, "DDBStreamBatchInfo": info}
        self.world.note(f"given up {self.feed.name} {json.dumps(info)}")
        self.world.queues.send(self.feed.on_failure, json.dumps(body))
