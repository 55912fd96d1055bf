"""DynamoDB's expressions, as many of them as an order needs, read once and from then on only carried out.

The engine splits each expression into words and parses it again for every item. Here a condition or an update
becomes a function, kept by its text. What is not understood has no function (``None``), and what does not fit the item it
meets raises ``Unfit``: both are the engine's to answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

Attribute = dict[str, Any]
Item = dict[str, Attribute]
Values = Mapping[str, Attribute]
Names = Mapping[str, str]
Test = Callable[[Item, Values, Names], bool]
Update = Callable[[Item, Values, Names], Item]


class Unfit(Exception):
    """The item has something that only the engine knows how to treat."""


_PATH, _VALUE = r"(#?\w+)", r"(:\w+)"
_EXISTS = re.compile(rf"attribute_(not_)?exists\({_PATH}\)")
_COMPARED = re.compile(rf"{_PATH} (=|<|<=|>|>=) {_VALUE}")
_BETWEEN = re.compile(rf"{_PATH} BETWEEN {_VALUE} AND {_VALUE}")
_BEGINS = re.compile(rf"begins_with\({_PATH}, {_VALUE}\)")
_CONTAINS = re.compile(rf"(NOT )?contains\({_PATH}, {_VALUE}\)")
_ASSIGNED = re.compile(rf"{_PATH} = {_VALUE}")
_ADDED = re.compile(rf"{_PATH} {_VALUE}")

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


# --- Conditions ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def condition(text: str) -> Test | None:
    """Whether an item meets a condition of parts that are joined by AND; ``None`` for one that is more than that."""
    tests = [_test(part) for part in _parts(text)]
    known = [test for test in tests if test is not None]
    if len(known) < len(tests):
        return None
    if len(known) == 1:
        return known[0]
    return lambda item, values, names: all(test(item, values, names) for test in known)


def _parts(text: str) -> Iterator[str]:
    """The condition's parts; the AND of a BETWEEN stays in its part."""
    pending = ""
    for part in text.split(" AND "):
        if " BETWEEN " in part and not pending:
            pending = part
        else:
            yield f"{pending} AND {part}" if pending else part
            pending = ""
    if pending:
        yield pending


def _test(part: str) -> Test | None:
    for pattern, make in _READERS.items():
        if found := pattern.fullmatch(part):
            return make(*found.groups())
    return None


def _exists(absent: str | None, path: str) -> Test:
    return lambda item, _values, names: (names.get(path, path) in item) is not bool(absent)


def _compared(path: str, order: str, value: str) -> Test:
    holds = _ORDERS[order]

    def test(item: Item, values: Values, names: Names) -> bool:
        found = item.get(names.get(path, path))
        pair = found and _alike(found, values[value])
        return bool(pair and holds(*pair))

    return test


def _between(path: str, low: str, high: str) -> Test:
    above, below = _compared(path, ">=", low), _compared(path, "<=", high)
    return lambda item, values, names: above(item, values, names) and below(item, values, names)


def _begins(path: str, value: str) -> Test:
    def test(item: Item, values: Values, names: Names) -> bool:
        found = item.get(names.get(path, path))
        pair = found and _alike(found, values[value])
        return bool(pair and isinstance(pair[0], str) and pair[0].startswith(pair[1]))

    return test


def _contains(negated: str | None, path: str, value: str) -> Test:
    def test(item: Item, values: Values, names: Names) -> bool:
        found, wanted = item.get(names.get(path, path)), values[value]
        if "S" not in wanted or (found and not {"S", "SS"} & found.keys()):
            raise Unfit(path)
        inside = found is not None and wanted["S"] in (found["S"] if "S" in found else found["SS"])
        return inside is not bool(negated)

    return test


def _alike(left: Attribute, right: Attribute) -> tuple[Any, Any] | None:
    """Two attributes to be compared, when they are of one type."""
    if "S" in left and "S" in right:
        return left["S"], right["S"]
    if "N" in left and "N" in right:
        return Decimal(left["N"]), Decimal(right["N"])
    if left.keys() != right.keys():
        return None
    raise Unfit(", ".join(left))


_READERS: dict[re.Pattern[str], Callable[..., Test]] = {
    _EXISTS: _exists,
    _COMPARED: _compared,
    _BETWEEN: _between,
    _BEGINS: _begins,
    _CONTAINS: _contains,
}


# --- Updates ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def update(text: str) -> Update | None:
    """The item as it is after ``SET a = :a, ...`` with or without ``REMOVE b, ...``, or ``ADD a :a, ...``; else ``None``."""
    text, _, removed = text.partition(" REMOVE ")
    clause, _, rest = text.partition(" ")
    pattern, change = {"SET": (_ASSIGNED, _assigned), "ADD": (_ADDED, _added)}.get(clause, (_NOTHING, _assigned))
    found = [pattern.fullmatch(part) for part in rest.split(", ")]
    gone = removed.split(", ") if removed else []
    if not all(found) or not all(_NAMED.fullmatch(path) for path in gone):
        return None
    changes = [match.groups() for match in found if match]

    def updated(item: Item, values: Values, names: Names) -> Item:
        after = dict(item)
        for path, value in changes:
            name = names.get(path, path)
            after[name] = change(item.get(name), values[value])
        for path in gone:
            after.pop(names.get(path, path), None)
        return after

    return updated


_NAMED = re.compile(_PATH)
_NOTHING = re.compile(r"(?!)")


def _assigned(_before: Attribute | None, value: Attribute) -> Attribute:
    return value


def _added(before: Attribute | None, value: Attribute) -> Attribute:
    if before is None:
        return value if "N" in value else {"SS": sorted(set(_set(value)))}
    if "N" in value and "N" in before:
        return {"N": str(Decimal(before["N"]) + Decimal(value["N"]))}
    return {"SS": sorted({*_set(before), *_set(value)})}


def _set(attribute: Attribute) -> list[str]:
    if "SS" not in attribute:
        raise Unfit(", ".join(attribute))
    texts: list[str] = attribute["SS"]
    return texts
