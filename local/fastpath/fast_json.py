"""JSON many times faster than Python's own, with the same outcome: what it does not take goes Python's way.

But for numbers that are none of JSON's: infinity is written as null, and whole numbers beyond 64 bits are read as floats.

Every call between a function and the engine, every event and every record is written as JSON and read again, as on AWS:
with Python's own module that was a fifth of an order's time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from local.fastpath import switch

_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

JSONDecodeError = json.JSONDecodeError


def loads(text: str | bytes, **options: Any) -> Any:
    if options or not switch.is_on():
        return json.loads(text, **options)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def written(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Its text in UTF-8."""
    if not switch.is_on():
        return json.dumps(value, default=default).encode()
    try:
        return orjson.dumps(value, default, _STRICT)
    except TypeError:
        return json.dumps(value, default=default).encode()


def dumps(value: Any, **options: Any) -> str:
    """As ``json.dumps``, without blanks between the parts; an option that changes more than blanks is Python's business."""
    if options.keys() - {"ensure_ascii", "separators"} or not switch.is_on():
        return json.dumps(value, **options)
    try:
        return orjson.dumps(value, None, _STRICT).decode()
    except TypeError:
        return json.dumps(value, **options)


def copied(value: Any) -> Any:
    """A JSON value again, sharing nothing."""
    return loads(written(value))
