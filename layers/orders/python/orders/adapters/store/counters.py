"""The statistics' counters: adding each event to them once, and reading their sums."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import Item
from orders.adapters.store.keys import Key
from orders.domain import legacy
from orders.domain.analytics import CountedEvent, Counters, added

SHARDS = 8
"""The counters are spread over this many items, so that batches counted at the same time seldom meet."""
MOST_COUNTERS = 150
"""Counters that one update adds to. Each takes up to eleven bytes of its expression, well inside DynamoDB's 4,096."""
MOST_COUNTED = 98
"""Events counted in one transaction of a hundred actions: each is marked, one update holds the sums, and one their day's."""


def count(shard: int, events: Sequence[CountedEvent]) -> int:
    """Adds notifications to the counters, each at most once; returns how many were new.

    As many transactions as DynamoDB's limits ask for: one, unless the orders are in very many currencies.

    Raises:
        StoreBusy: not all were counted; all may be counted again.
    """
    fresh = {one.event_id: one for one in events}
    return sum(_count_new(shard % SHARDS, batch) for batch in _within_limits(fresh.values()))


def _within_limits(events: Iterable[CountedEvent]) -> Iterator[list[CountedEvent]]:
    batch: list[CountedEvent] = []
    names: set[str] = set()
    of_day: set[str] = set()
    for one in events:
        most = max(len(names | one.counters.keys()), len(of_day | one.of_day.keys()))
        if batch and (len(batch) == MOST_COUNTED or most > MOST_COUNTERS or one.day != batch[0].day):
            yield batch
            batch, names, of_day = [], set(), set()
        batch.append(one)
        names |= one.counters.keys()
        of_day |= one.of_day.keys()
    if batch:
        yield batch


def _count_new(shard: int, events: Sequence[CountedEvent]) -> int:
    """Counts what has not been counted before, in one transaction."""
    fresh = {one.event_id: one for one in events}
    while fresh:
        batch = list(fresh.values())
        outcome = _count_at_once(shard, batch)
        if outcome.is_written:
            return len(batch)
        for place in outcome.failed:
            del fresh[batch[place].event_id]
    return 0


def _count_at_once(shard: int, events: Sequence[CountedEvent]) -> table.WriteOutcome:
    sums = [_add(keys.item_key("STATISTICS", f"{legacy.COUNTER_SHARD}{shard}"), added(one.counters for one in events))]
    if of_day := added(one.of_day for one in events):
        sums.append(_add(keys.item_key("DAYS", f"DAY#{events[0].day}#{shard}"), of_day))
    return table.transact([*map(_mark, events), *sums])


def _mark(one: CountedEvent) -> Any:
    """Marks an event as counted, on the condition that it was not."""
    return table.update_action(
        Key=keys.event_key(one.order_id, one.version),
        UpdateExpression="ADD counted :id",
        ConditionExpression=f"{table.EXISTS} AND NOT contains(counted, :text)",
        ExpressionAttributeValues={":id": {"SS": [one.event_id]}, ":text": {"S": one.event_id}},
    )


def _add(key: Key, counters: Counters) -> Any:
    addition = ", ".join(f"#{position} :{position}" for position in range(len(counters)))
    return table.update_action(
        Key=key,
        UpdateExpression=f"ADD {addition}",
        ExpressionAttributeNames={f"#{position}": name for position, name in enumerate(counters)},
        ExpressionAttributeValues={f":{position}": {"N": str(int(value))} for position, value in enumerate(counters.values())},
    )


def by_day(first: date, last: date) -> dict[str, Counters]:
    """The counters of each day on which anything happened, both ends included; a day's shards are summed."""
    found = table.pages(
        KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":pk": {"S": "DAYS"},
            ":first": {"S": f"DAY#{first.isoformat()}"},
            ":last": {"S": f"DAY#{last.isoformat()}~"},
        },
    )
    shards: dict[str, list[Counters]] = {}
    for item in found:
        shards.setdefault(item["SK"]["S"].split("#")[1], []).append(_counters_of(item))
    return {day: added(parts) for day, parts in shards.items()}


def _counters_of(item: Item) -> Counters:
    return {name: int(value["N"]) for name, value in item.items() if name not in ("PK", "SK")}


def totals() -> Counters:
    """All counters, summed over their shards."""
    found = table.pages(KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": "STATISTICS"}})
    return added(map(_counters_of, found))
