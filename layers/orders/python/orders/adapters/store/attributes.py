"""DynamoDB attributes: text, numbers, times and compact JSON."""

import json
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from orders.domain.order import moment, timestamp

Item = dict[str, Any]


def as_texts(fields: Mapping[str, str | None]) -> Item:
    """Text attributes; what is ``None`` is left out."""
    return {name: {"S": value} for name, value in fields.items() if value is not None}


def as_numbers(fields: Mapping[str, int]) -> Item:
    """Number attributes."""
    return {name: {"N": str(value)} for name, value in fields.items()}


def text_of(item: Item, name: str) -> str | None:
    """An item's text attribute, if it has it."""
    attribute = item.get(name)
    return attribute["S"] if attribute else None


def time_of(item: Item, name: str) -> datetime | None:
    """An item's time, if it has it."""
    return time_from(text_of(item, name))


def when(time: datetime | None) -> str | None:
    """A time as it is stored, if there is one; ``time_from`` is the inverse."""
    return timestamp(time) if time else None


def time_from(stored: str | None) -> datetime | None:
    """The time that is stored as a text, if there is one."""
    return moment(stored) if stored else None


def _times(value: Any) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    raise TypeError(f"{type(value).__name__} cannot be stored in an item")


# Made once: `json.dumps` makes a new one for every call that is not of its own defaults, which takes longer than the call.
to_json = json.JSONEncoder(separators=(",", ":"), default=_times, ensure_ascii=False).encode


def json_of(item: Item, name: str) -> Any:
    """What an item's JSON attribute holds, or ``None`` if it does not have it."""
    attribute = item.get(name)
    return json.loads(attribute["S"]) if attribute else None


def besides(fields: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """Members that a later release has written and this one does not know."""
    return {name: value for name, value in fields.items() if name not in known}
