"""Statistics: each change is counted once, however often it is published, and the counters are read."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import date

from orders import logs
from orders.adapters.store import counters
from orders.domain import analytics
from orders.domain.analytics import CountedEvent, Counters
from orders.domain.errors import StoreBusy

logger = logs.logger()

MOST_AT_ONCE = 50
"""Events counted in one transaction; DynamoDB takes a hundred actions, and smaller ones meet less often."""


def count(messages: Sequence[tuple[str, str]]) -> list[str]:
    """Counts the events in messages (id, body); returns the ids of those that could not be counted, or read."""
    failed: list[str] = []
    events: list[tuple[str, CountedEvent]] = []
    for message_id, body in messages:
        try:
            one = analytics.counted_event(json.loads(body)["detail"])
        except (KeyError, ValueError, TypeError):
            logger.exception("An event cannot be counted", message_id=message_id)
            failed.append(message_id)
            continue
        if one:
            events.append((message_id, one))
    for first in range(0, len(events), MOST_AT_ONCE):
        failed += _counted(events[first : first + MOST_AT_ONCE])
    return failed


def _counted(chunk: list[tuple[str, CountedEvent]]) -> list[str]:
    shard = zlib.crc32(chunk[0][1].event_id.encode())
    # Two events of one audit entry cannot be marked in one transaction: the second waits for a transaction of its own.
    turns: list[list[CountedEvent]] = [[]]
    for _, one in chunk:
        turn = next((turn for turn in turns if all((one.order_id, one.version) != (o.order_id, o.version) for o in turn)), None)
        if turn is None:
            turns.append([one])
        else:
            turn.append(one)
    try:
        for turn in turns:
            counters.count(shard, turn)
    except StoreBusy:
        return [identifier for identifier, _ in chunk]
    return []


def totals() -> Counters:
    """The counters of all orders."""
    return counters.totals()


def by_day(first: date, last: date) -> Mapping[str, Counters]:
    """The counters of some days by the day, such as ``2026-11-20``; both ends are included."""
    return counters.by_day(first, last)
