"""DynamoDB: one table, its indexes and its stream.

Promised, and kept here (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/):
- a write of one item, and a transaction, is all or nothing, on its conditions (transaction-apis.html);
- a transaction of more than 100 actions, or of two on one item, is refused (same page);
- a consistent read sees every write that was answered (HowItWorks.ReadConsistency.html); an index follows later
  (GSI.html#GSI.Writes);
- every change of an item comes once into the stream, those of one item in their order (Streams.html).
Expressions are read by the local stack's evaluator; one that it does not know is a fault of this module, and raises.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from local.fastpath import expressions
from simulator import sdk

if TYPE_CHECKING:
    from simulator.world import World

Json = Any
Item = dict[str, Any]
Place = tuple[str, str]

MOST_ACTIONS = 100
STALE_SECONDS = 8.0
LAG_SECONDS = 0.05
NO_VALUES: Mapping[str, Json] = {}
LAST = "\U0010ffff"
"""What follows every text that begins alike."""

Entry = tuple[str, Place]
"""What stands in a sorted partition, of the table or of an index: the sort key, and whose it is."""


class Table:
    """The table."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: dict[str, dict[str, Item]] = {}
        self._sorts: dict[str, list[Entry]] = {}
        self._indexes = {name: Index(*key) for name, key in world.wiring.indexes.items()}
        self._unseen: deque[tuple[float, Place, Item | None, Item | None]] = deque()
        self.sequence = 0
        operations = {
            "GetItem": self._get, "Query": self._query, "BatchGetItem": self._batch_get, "PutItem": self._put,
            "UpdateItem": self._update, "DeleteItem": self._delete, "TransactWriteItems": self._transact,
        }  # fmt: skip
        world.services.update(operations)

    # --- reads ---

    def item(self, place: Place) -> Item | None:
        """The item there, if there is one."""
        return self._items.get(place[0], {}).get(place[1])

    def rows(self) -> Iterator[Item]:
        """Everything, in the order of its keys."""
        for partition in sorted(self._items):
            for sort, _ in self._sorts[partition]:
                yield self._items[partition][sort]

    def in_index(self, name: str, partition: str) -> list[Entry]:
        """What an index shows now, when nothing of it lags behind."""
        self._catch_up(0.0)
        return self._indexes[name].entries.get(partition, [])

    def _get(self, request: Json) -> Json:
        found = self.item(_place(request["Key"]))
        return {"Item": dict(found)} if found is not None else {}

    def _batch_get(self, request: Json) -> Json:
        ((table, asked),) = request["RequestItems"].items()
        # In an order of their own: the product may ask for a set.
        places = sorted(_place(key) for key in asked["Keys"])
        if len(set(places)) < len(places) or not 1 <= len(places) <= MOST_ACTIONS:
            raise sdk.error("ValidationException", "BatchGetItem")
        dice, caller = self._world.dice, self._world.running
        partly = dice.happens("partly taken", caller.function if caller else "", "BatchGetItem")
        left = [place for place in places if partly and dice.likely(0.5)]
        found = [dict(item) for place in places if place not in left and (item := self.item(place)) is not None]
        return {"Responses": {table: found}} | (
            {"UnprocessedKeys": {table: {**asked, "Keys": [*map(_key, left)]}}} if left else {}
        )

    def _query(self, request: Json) -> Json:
        condition, values = request["KeyConditionExpression"], request["ExpressionAttributeValues"]
        name, _, rest = condition.partition(" = :pk")
        partition = values[":pk"]["S"]
        if "IndexName" in request:
            found = self._of_index(request["IndexName"], name, partition)
        else:
            found = self._sorts.get(partition, [])
        wanted = rest.removeprefix(" AND ")
        if wanted:
            found = _stretch(found, wanted, values)
        if not request.get("ScanIndexForward", True):
            found = found[::-1]
        start = request.get("ExclusiveStartKey")
        if start:
            found = found[[place for _, place in found].index(_place(start)) + 1 :]
        return self._page(request, found)

    def _of_index(self, name: str, key: str, partition: str) -> list[Entry]:
        dice, caller = self._world.dice, self._world.running
        stale = dice.happens("stale index", caller.function if caller else "")
        self._catch_up(dice.uniform(0, STALE_SECONDS) if stale else LAG_SECONDS)
        if self._indexes[name].partition != key:
            raise NotImplementedError(f"{name} is not by {key}")
        return self._indexes[name].entries.get(partition, [])

    def _page(self, request: Json, found: list[Entry]) -> Json:
        limit = request.get("Limit", 1000)
        page = found[:limit]
        more = {"LastEvaluatedKey": _key(page[-1][1])} if len(found) > limit else {}
        if request.get("Select") == "COUNT":
            return {"Count": len(page), **more}
        by_index = "IndexName" in request
        items = [
            self._entry(request["IndexName"], sort, place) if by_index else dict(self._items[place[0]][place[1]])
            for sort, place in page
        ]
        return {"Items": items, "Count": len(items), **more}

    def _entry(self, name: str, sort: str, place: Place) -> Item:
        """What stands in an index: keys, and nothing else."""
        return {**_key(place), self._indexes[name].sort: {"S": sort}}

    def _catch_up(self, lag: float) -> None:
        until = self._world.loop.now - lag
        while self._unseen and self._unseen[0][0] <= until:
            _, place, before, after = self._unseen.popleft()
            for index in self._indexes.values():
                index.move(place, before, after)

    # --- writes ---

    def _put(self, request: Json) -> Json:
        place = _place(request["Item"])
        self._check(request, self.item(place), "PutItem")
        self._write(place, request["Item"])
        return {}

    def _delete(self, request: Json) -> Json:
        place = _place(request["Key"])
        self._check(request, self.item(place), "DeleteItem")
        self._write(place, None)
        return {}

    def _update(self, request: Json) -> Json:
        place = _place(request["Key"])
        before = self.item(place)
        self._check(request, before, "UpdateItem")
        after = _updated(request, before)
        self._write(place, after)
        returned = request.get("ReturnValues", "NONE")
        if returned == "NONE":
            return {}
        old = before or {}
        changed = {name: value for name, value in after.items() if old.get(name) != value}
        return {"Attributes": dict(after) if returned == "ALL_NEW" else changed}

    def _check(self, request: Json, found: Item | None, operation: str) -> None:
        if not _holds(request, found):
            more: dict[str, Any] = {"Item": dict(found)} if found is not None and _wants_old(request) else {}
            raise sdk.error("ConditionalCheckFailedException", operation, **more)

    def _transact(self, request: Json) -> Json:
        actions = [next(iter(action.items())) for action in request["TransactItems"]]
        places = [_place(action.get("Item") or action["Key"]) for _, action in actions]
        if len(actions) > MOST_ACTIONS or len(set(places)) < len(places):
            raise sdk.error("ValidationException", "TransactWriteItems")
        found = [self.item(place) for place in places]
        reasons = [_reason(action, item) for (_, action), item in zip(actions, found, strict=True)]
        if any(reason["Code"] != "None" for reason in reasons):
            raise sdk.error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
        for (kind, action), place, item in zip(actions, places, found, strict=True):
            if kind != "ConditionCheck":
                self._write(
                    place, {"Put": action.get("Item"), "Delete": None}[kind] if kind != "Update" else _updated(action, item)
                )
        return {}

    def _write(self, place: Place, after: Item | None) -> None:
        partition, sort = place
        items = self._items.setdefault(partition, {})
        before = items.get(sort)
        if before == after:
            return
        if after is None:
            del items[sort]
            sorts = self._sorts[partition]
            del sorts[bisect_left(sorts, (sort, place))]
        else:
            if before is None:
                insort(self._sorts.setdefault(partition, []), (sort, place))
            items[sort] = dict(after)
        self.sequence += 1
        now = self._world.loop.now
        self._unseen.append((now, place, before, after))
        self._world.note(f"write {self.sequence} {partition} {sort} {len(after) if after else 0}")
        self._world.streams.write(self.sequence, place, before, after)


class Index:
    """An index of keys."""

    def __init__(self, partition: str, sort: str) -> None:
        self.partition, self.sort = partition, sort
        self.entries: dict[str, list[Entry]] = {}

    def move(self, place: Place, before: Item | None, after: Item | None) -> None:
        """Follows one change of the table."""
        old, new = self._of(before), self._of(after)
        if old == new:
            return
        if old:
            entries = self.entries[old[0]]
            del entries[bisect_left(entries, (old[1], place))]
        if new:
            insort(self.entries.setdefault(new[0], []), (new[1], place))

    def _of(self, item: Item | None) -> tuple[str, str] | None:
        if item is None or self.partition not in item or self.sort not in item:
            return None
        return item[self.partition]["S"], item[self.sort]["S"]


def _place(key: Mapping[str, Json]) -> Place:
    return key["PK"]["S"], key["SK"]["S"]


def _key(place: Place) -> Item:
    return {"PK": {"S": place[0]}, "SK": {"S": place[1]}}


_BEGINS = re.compile(r"begins_with\(\w+, (:\w+)\)")
_BETWEEN = re.compile(r"\w+ BETWEEN (:\w+) AND (:\w+)")
_COMPARED = re.compile(r"\w+ (=|<|<=|>|>=) (:\w+)")
_sort_of = itemgetter(0)


@cache
def _read(condition: str) -> tuple[str, tuple[str, ...]]:
    """A condition on the sort key: its kind, and the names of its values."""
    if found := _BEGINS.fullmatch(condition):
        return "begins_with", (found[1],)
    if found := _BETWEEN.fullmatch(condition):
        return "BETWEEN", (found[1], found[2])
    if found := _COMPARED.fullmatch(condition):
        return found[1], (found[2],)
    raise NotImplementedError(condition)


def _stretch(found: list[Entry], condition: str, values: Json) -> list[Entry]:
    """The part of a partition that a condition on the sort key lets through."""
    kind, names = _read(condition)
    first, *more = [values[name]["S"] for name in names]
    last = {"BETWEEN": more and more[0], "begins_with": first + LAST}.get(kind, first)
    after, behind = (bisect_right if kind == ">" else bisect_left), (bisect_left if kind == "<" else bisect_right)
    begins = 0 if kind.startswith("<") else after(found, first, key=_sort_of)
    ends = len(found) if kind.startswith(">") else behind(found, last, key=_sort_of)
    return found[begins:ends]


def _updated(request: Json, before: Item | None) -> Item:
    change = _known(expressions.update(request["UpdateExpression"]), request["UpdateExpression"])
    values, names = request.get("ExpressionAttributeValues", NO_VALUES), request.get("ExpressionAttributeNames", NO_VALUES)
    updated: Item = change(before if before is not None else dict(request["Key"]), values, names)
    return updated


def _holds(request: Json, found: Item | None) -> bool:
    text = request.get("ConditionExpression")
    if text is None:
        return True
    test = _known(expressions.condition(text), text)
    values, names = request.get("ExpressionAttributeValues", NO_VALUES), request.get("ExpressionAttributeNames", NO_VALUES)
    return bool(test(found or {}, values, names))


def _reason(action: Json, found: Item | None) -> Json:
    if _holds(action, found):
        return {"Code": "None"}
    return {"Code": "ConditionalCheckFailed"} | ({"Item": dict(found)} if found is not None and _wants_old(action) else {})


def _wants_old(request: Json) -> bool:
    return bool(request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")


def _known(function: Any, text: str) -> Any:
    if function is None:
        raise NotImplementedError(text)
    return function
