"""The rules of a Choice, and the values that they compare."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local.common import Json
from local.step_functions.documents import StateError
from local.step_functions.paths import MISSING, find, resolve

_COMPARISON = re.compile(
    r"(String|Numeric|Timestamp|Boolean)(Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals)(Path)?"
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: bool(left == right),
    "LessThan": lambda left, right: bool(left < right),
    "GreaterThan": lambda left, right: bool(left > right),
    "LessThanEquals": lambda left, right: bool(left <= right),
    "GreaterThanEquals": lambda left, right: bool(left >= right),
}


def timestamp(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else None
    return None


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: dict[str, Callable[[Json], Json]] = {
    "String": lambda value: value if isinstance(value, str) else None,
    "Numeric": lambda value: value if is_number(value) else None,
    "Boolean": lambda value: value if isinstance(value, bool) else None,
    "Timestamp": timestamp,
}
_TYPE_TESTS: dict[str, Callable[[Json], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: timestamp(value) is not None,
}


def holds(rule: Mapping[str, Json], value: Json, context: Json) -> bool:
    if "And" in rule:
        return all(holds(part, value, context) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, value, context) for part in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], value, context)
    return _test(rule, value, context)


def _test(rule: Mapping[str, Json], value: Json, context: Json) -> bool:
    if "IsPresent" in rule:
        return bool((find(rule["Variable"], value, context) is not MISSING) is rule["IsPresent"])
    operand = resolve(rule["Variable"], value, context)
    operator = next(key for key in rule if key not in {"Variable", "Next", "Comment"})
    if operator in _TYPE_TESTS:
        return bool(_TYPE_TESTS[operator](operand) is rule[operator])
    if operator == "StringMatches":
        return isinstance(operand, str) and _matches(rule[operator], operand)
    return _compares(operator, operand, rule[operator], value, context)


def _matches(pattern: str, text: str) -> bool:
    pieces = re.split(r"(\\[*\\]|\*)", pattern)
    expression = "".join(".*" if piece == "*" else re.escape(piece.removeprefix("\\")) for piece in pieces)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _compares(operator: str, operand: Json, expected: Json, value: Json, context: Json) -> bool:
    match = _COMPARISON.fullmatch(operator)
    if match is None:
        raise StateError("States.Runtime", f"Unknown comparison operator {operator}")
    kind, order, by_path = match.groups()
    left = _KINDS[kind](operand)
    right = _KINDS[kind](resolve(expected, value, context) if by_path else expected)
    return left is not None and right is not None and _ORDERS[order](left, right)
