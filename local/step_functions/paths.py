"""Reference paths: what they point at, and where a result is put."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from local.common import Json
from local.step_functions.documents import StateError

MISSING: Any = object()

_STEP = re.compile(r"\.([^.\[\]'\"*?@() ]+)|\[(-?\d+)\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")


@lru_cache(maxsize=1024)
def steps_of(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise StateError("States.Runtime", f"Invalid path '{path}': only reference paths are supported.")
        name, index, quoted, double = match.groups()
        steps.append(int(index) if index is not None else name or quoted or double)
        position = match.end()
    return tuple(steps)


def find(path: str, value: Json, context: Json) -> Json:
    """What the path points at, or MISSING: null is a value, absence is not."""
    if path.startswith("$$"):
        value, path = context, path[1:]
    for step in steps_of(path):
        in_object = isinstance(step, str) and isinstance(value, dict) and step in value
        if not in_object and not (isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value)):
            return MISSING
        value = value[step]
    return value


def resolve(path: str, value: Json, context: Json) -> Json:
    found = find(path, value, context)
    if found is MISSING:
        raise StateError("States.Runtime", f"The JSONPath '{path}' could not be found in the input.")
    return found


def place(result_path: str | None, raw: Json, result: Json) -> Json:
    """The raw input with the result put where ResultPath says; inputs are shared, so the way there is copied."""
    if result_path is None:
        return raw
    steps = steps_of(result_path)
    if not steps:
        return result
    root = dict(raw) if isinstance(raw, dict) else None
    node = root
    for step in steps[:-1]:
        if not isinstance(node, dict) or not isinstance(step, str):
            break
        child = node.get(step, {})
        node[step] = dict(child) if isinstance(child, dict) else None
        node = node[step]
    if not isinstance(node, dict) or not isinstance(steps[-1], str):
        raise StateError("States.ResultPathMatchFailure", f"ResultPath '{result_path}' does not fit the input.")
    node[steps[-1]] = result
    return root
