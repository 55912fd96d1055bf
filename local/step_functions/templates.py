"""Payload templates and intrinsic functions."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable

from local.common import Json
from local.step_functions.documents import StateError, dumps
from local.step_functions.paths import MISSING, resolve


def fill(template: Json, value: Json, context: Json) -> Json:
    """A payload template with every `name.$` replaced by what it points at."""
    if isinstance(template, dict):
        return {
            key.removesuffix(".$") if key.endswith(".$") else key: evaluate(item, value, context)
            if key.endswith(".$")
            else fill(item, value, context)
            for key, item in template.items()
        }
    if isinstance(template, list):
        return [fill(item, value, context) for item in template]
    return template


def evaluate(expression: Json, value: Json, context: Json) -> Json:
    if not isinstance(expression, str):
        raise StateError("States.Runtime", f"A field ending in '.$' must be a string, not {dumps(expression)}.")
    if expression.startswith("States."):
        result, end = _call(expression, 0, value, context)
        if end != len(expression):
            raise StateError("States.Runtime", f"Invalid intrinsic function: {expression}")
        return result
    return resolve(expression, value, context)


_CALL = re.compile(r"\s*(States\.\w+)\(\s*")
_TEXT = re.compile(r"\s*'((?:\\.|[^'\\])*)'\s*")
_BARE = re.compile(r"\s*([^,)\s]+)\s*")


def _call(text: str, position: int, value: Json, context: Json) -> tuple[Json, int]:
    head = _CALL.match(text, position)
    function = _INTRINSICS.get(head.group(1)) if head else None
    if head is None or function is None:
        raise StateError("States.Runtime", f"Not an intrinsic function known here: {text[position:]}")
    arguments: list[Json] = []
    position = head.end()
    while not text.startswith(")", position):
        argument, position = _argument(text, position, value, context)
        arguments.append(argument)
        position += text.startswith(",", position)
    try:
        return function(*arguments), position + 1
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as reason:
        raise StateError("States.IntrinsicFailure", f"{head.group(1)} failed: {reason}") from reason


def _argument(text: str, position: int, value: Json, context: Json) -> tuple[Json, int]:
    if _CALL.match(text, position):
        return _call(text, position, value, context)
    if quoted := _TEXT.match(text, position):
        return quoted.group(1), quoted.end()
    bare = _BARE.match(text, position)
    if bare is None:
        raise StateError("States.Runtime", f"Invalid intrinsic function: {text}")
    word = bare.group(1)
    if word.startswith("$"):
        return resolve(word, value, context), bare.end()
    try:
        return json.loads(word), bare.end()
    except ValueError as reason:
        raise StateError("States.Runtime", f"Invalid argument {word} in {text}") from reason


def _format(template: str, *arguments: Json) -> str:
    values = iter(arguments)

    def piece(match: re.Match[str]) -> str:
        if match.group() != "{}":
            return match.group()[1:]
        item = next(values, MISSING)
        if item is MISSING:
            raise ValueError("too few arguments")
        return item if isinstance(item, str) else dumps(item)

    return re.sub(r"\\.|\{\}", piece, template)


_INTRINSICS: dict[str, Callable[..., Json]] = {
    "States.Format": _format,
    "States.JsonToString": dumps,
    "States.StringToJson": json.loads,
    "States.JsonMerge": lambda first, second, _deep=False: {**first, **second},
    "States.Array": lambda *items: list(items),
    "States.ArrayGetItem": lambda items, index: items[index],
    "States.ArrayLength": len,
    "States.ArrayContains": lambda items, item: item in items,
    "States.MathAdd": lambda first, second: int(first) + int(second),
    "States.UUID": lambda: str(uuid.uuid4()),
}
