"""Requests of a known shape, carried out without checking again what was found right the first time.

The engine reads every request several times over: for its grammar, for its types, and to count capacity that nobody asked
about. That was two thirds of a transaction, and an order makes seven, and nine tenths of a read. The first request of a
shape (expressions, names, attributes and their types) goes the engine's whole way; one of a known shape is only decided and
carried out, with expressions that are read once (`expressions`) and the engine's own way to write. Whatever is refused goes
the whole way too, so that every refusal is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.engine.internals import Response, part
from local.fastpath import expressions, fast_json, switch
from local.fastpath.expressions import Item, Unfit

Request = Mapping[str, Any]
Shape = tuple[Any, ...]
Handler = Callable[[Any], Response]

KINDS = {"Put": "Item", "Update": "Key", "Delete": "Key", "ConditionCheck": "Key"}
LONGEST_TEXT, LONGEST_TEXTS = 50_000, 1_000_000
MOST_SHAPES, MOST_ACTIONS, MOST_FOUND = 256, 100, 100


class UnknownShape(Exception):
    """Not of a kind that can be carried out here: the engine's business."""


def remembering(shape_of: Callable[[Any], tuple[Shape, ...]], carry_out: Callable[[Any], Response | None]) -> Any:
    """What makes of one of the engine's handlers one that is spared what it has checked before."""

    def make(original: Handler) -> Handler:
        known: set[Shape] = set()

        def handle(data: Any) -> Response:
            if not switch.is_on():
                return original(data)
            try:
                shapes = shape_of(data)
                if known.issuperset(shapes) and (answer := carry_out(data)):
                    return answer
            except (UnknownShape, Unfit):
                return original(data)
            answer = original(data)
            if answer[0] == 200 and len(known) < MOST_SHAPES:
                known.update(shapes)
            return answer

        return handle

    return make


def _answer(body: dict[str, Any]) -> Response:
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, fast_json.written(body)


# --- What requests that are right or wrong together have in common ------------------------------------------


def shapes_of_transaction(data: Any) -> tuple[Shape, ...]:
    """One shape for each action."""
    if set(data) != {"TransactItems"} or len(data["TransactItems"]) > MOST_ACTIONS:
        raise UnknownShape
    try:
        actions = [next(iter(action.items())) for action in data["TransactItems"] if len(action) == 1]
        if len(actions) < len(data["TransactItems"]) or sum(_length(*action) for action in actions) > LONGEST_TEXTS:
            raise UnknownShape
        return tuple(_shape_of_action(kind, action) for kind, action in actions)
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise UnknownShape from odd


def shapes_of_update(data: Any) -> tuple[Shape, ...]:
    """``ReturnValues`` is part of it, as only some can be answered here."""
    try:
        if data.get("ReturnValues", "NONE") not in {"NONE", "ALL_NEW"} or not data.get("UpdateExpression"):
            raise UnknownShape
        return ((*_shape_of_action("Update", data), data.get("ReturnValues"), data.get("ReturnValuesOnConditionCheckFailure")),)
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise UnknownShape from odd


_QUERY = {"TableName", "KeyConditionExpression", "ExpressionAttributeValues", "ConsistentRead"}


def shapes_of_query(data: Any) -> tuple[Shape, ...]:
    """A query of the table itself, of a whole partition or a part of it."""
    if not data.keys() <= _QUERY:
        raise UnknownShape
    try:
        return ((data["TableName"], data["KeyConditionExpression"], _types(data["ExpressionAttributeValues"]), len(data)),)
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise UnknownShape from odd


def shapes_of_get(data: Any) -> tuple[Shape, ...]:
    """One item by its key, as a whole."""
    if not data.keys() <= {"TableName", "Key", "ConsistentRead"}:
        raise UnknownShape
    try:
        return ((data["TableName"], _types(data["Key"]), len(data)),)
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise UnknownShape from odd


def shapes_of_batch(data: Any) -> tuple[Shape, ...]:
    """Several items of one table by their keys."""
    try:
        ((table, wanted),) = data["RequestItems"].items()
        if len(data) > 1 or not wanted.keys() <= {"Keys", "ConsistentRead"} or len(wanted["Keys"]) > MOST_FOUND:
            raise UnknownShape
        return tuple((table, _types(key), len(wanted)) for key in wanted["Keys"])
    except (KeyError, TypeError, ValueError, AttributeError) as odd:
        raise UnknownShape from odd


def _shape_of_action(kind: str, action: Request) -> Shape:
    texts = [action.get(name) for name in ("TableName", "ConditionExpression", "UpdateExpression")]
    names = tuple(action.get("ExpressionAttributeNames", {}).items())
    values = _types(action.get("ExpressionAttributeValues", {}))
    if _only_counts(action, values):
        texts[2], names, values = "ADD", (), ()
    return (kind, *texts, names, values, _types(action[KINDS[kind]]), frozenset(action))


def _only_counts(action: Request, values: Shape) -> bool:
    """Additions to numbers, whatever their number and names: counters are many, and each time others."""
    if not (action.get("UpdateExpression") or "").startswith("ADD #") or {kind for _, kind in values} != {"N"}:
        return False
    keys = {key["AttributeName"] for key in part("dynamodb", "_tables")[action["TableName"]]["AttributeDefinitions"]}
    names = action["ExpressionAttributeNames"]
    addition = ", ".join(f"{name} {value}" for name, value in zip(names, action["ExpressionAttributeValues"], strict=True))
    return action["UpdateExpression"] == f"ADD {addition}" and keys.isdisjoint(names.values())


def _types(item: Item) -> Shape:
    return tuple([(name, _type(value)) for name, value in item.items()])


def _type(value: dict[str, Any]) -> str:
    if len(value) == 1:
        if (text := value.get("S")) and isinstance(text, str) and len(text) < LONGEST_TEXT:
            return "S"
        if (number := value.get("N")) and len(number) < 20 and number[-1].isdecimal() and str(int(number)) == number:
            return "N"
        if value.keys() == {"BOOL"}:
            return "BOOL"
        if (texts := value.get("SS")) and len(texts) == 1 and texts[0]:
            return "SS"
    raise UnknownShape


def _length(kind: str, action: Request) -> int:
    parts = (action[KINDS[kind]], action.get("ExpressionAttributeValues", {}))
    return sum(len(value["S"]) for attributes in parts for value in attributes.values() if "S" in value)


# --- Carrying them out --------------------------------------------------------------------------------------


class ItemPlace:
    """An item's place in a table."""

    __slots__ = ("before", "pk", "sk", "table")

    def __init__(self, name: str, key: Item) -> None:
        self.table = part("dynamodb", "_tables")[name]
        self.pk, self.sk = (str(next(iter(key[self.table[named]].values()))) for named in ("pk_name", "sk_name"))
        self.before: Item | None = self.table["items"].get(self.pk, {}).get(self.sk)

    def write(self, after: Item | None) -> None:
        emit, name = part("dynamodb", "_emit_stream_event"), self.table["TableName"]
        if after is not None:
            part("dynamodb", "_set_item")(self.table, self.pk, self.sk, after)
            emit(name, "MODIFY" if self.before else "INSERT", self.before, after)
        elif self.before:
            part("dynamodb", "_remove_item")(self.table, self.pk, self.sk)
            emit(name, "REMOVE", self.before, None)


def transact(data: Request) -> Response | None:
    """All of it or nothing; ``None``, and nothing, where the engine has to say why not."""
    decided: list[tuple[str, ItemPlace, Item | None]] = []
    for kind, action in (next(iter(action.items())) for action in data["TransactItems"]):
        place = ItemPlace(action["TableName"], action[KINDS[kind]])
        if not _met(action, place.before):
            return None
        decided.append((kind, place, _after(kind, action, place.before)))
    if len({(place.table["TableName"], place.pk, place.sk) for _, place, _ in decided}) < len(decided):
        return None
    for kind, place, after in decided:
        if kind != "ConditionCheck":
            place.write(after)
    return _answer({})


def update(data: Request) -> Response | None:
    """One item updated; ``None`` when its condition does not hold."""
    place = ItemPlace(data["TableName"], data["Key"])
    if not _met(data, place.before):
        return None
    after = _after("Update", data, place.before)
    place.write(after)
    return _answer({"Attributes": after} if data.get("ReturnValues") == "ALL_NEW" else {})


def query(data: Request) -> Response | None:
    """The items of one partition, in order; ``None`` where there are none, or so many that there may have to be pages."""
    test = _known(expressions.condition(data["KeyConditionExpression"]))
    table, values = part("dynamodb", "_tables")[data["TableName"]], data["ExpressionAttributeValues"]
    partition = table["items"].get(str(next(iter(values[_partition_value(data)].values()))), {})
    if len(partition) > MOST_FOUND:
        return None
    found = [item for _, item in sorted(partition.items()) if test(item, values, {})]
    answer = _answer({"Items": found, "Count": len(found), "ScannedCount": len(found)})
    return answer if found and len(answer[2]) < LONGEST_TEXTS else None


def _partition_value(data: Request) -> str:
    """Which of the values names the partition; the engine has seen to it that there is one."""
    first, _, value = data["KeyConditionExpression"].split(" AND ")[0].partition(" = ")
    if first != part("dynamodb", "_tables")[data["TableName"]]["pk_name"]:
        raise UnknownShape
    return str(value)


def get(data: Request) -> Response:
    """One item, if it is there."""
    before = ItemPlace(data["TableName"], data["Key"]).before
    return _answer({"Item": before} if before else {})


def get_several(data: Request) -> Response | None:
    """Those of the items that are there; ``None`` where the engine has to look at how much that is, or at a key given twice."""
    ((table, wanted),) = data["RequestItems"].items()
    places = [ItemPlace(table, key) for key in wanted["Keys"]]
    if len({(place.pk, place.sk) for place in places}) < len(places):
        return None
    found = [place.before for place in places if place.before]
    answer = _answer({"Responses": {table: found}, "UnprocessedKeys": {}})
    return answer if len(answer[2]) < LONGEST_TEXTS else None


def _met(action: Request, before: Item | None) -> bool:
    text = action.get("ConditionExpression")
    if not text:
        return True
    values, names = action.get("ExpressionAttributeValues", {}), action.get("ExpressionAttributeNames", {})
    test: expressions.Test = _known(expressions.condition(text))
    return test(before or {}, values, names)


def _after(kind: str, action: Request, before: Item | None) -> Item | None:
    """The item as it is to become; ``None`` where it is deleted or only looked at."""
    if kind == "Put":
        item: Item = action["Item"]
        return item
    if kind != "Update":
        return None
    values, names = action.get("ExpressionAttributeValues", {}), action.get("ExpressionAttributeNames", {})
    change: expressions.Update = _known(expressions.update(action["UpdateExpression"]))
    return change(before or action["Key"], values, names)


def _known(function: Any) -> Any:
    if function is None:
        raise UnknownShape
    return function
