"""How the fields of a dataclass stand in an item, by their types: text, numbers, times, members of enumerations, and other
dataclasses as JSON.

A field that has its default is left out: a row then looks as it did before there was such a field. What has another form is
named, and written, in ``items``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, cached_property, partial
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from orders.adapters.store.attributes import Item, besides, to_json
from orders.adapters.store.newer import named
from orders.domain.order import moment, timestamp

Form = Callable[[Any], Any]
UNKNOWN = "unknown"
"""The field that holds what a later release has written beside those that this one knows."""


@dataclass(frozen=True, slots=True)
class Member:
    """One field: its type, its default if it has one, and what turns a value into text, a number or JSON, and back.

    ``is_json`` is whether it stands in an item as the text of JSON.
    """

    name: str
    kind: type
    default: Any
    write: Form
    read: Form
    is_json: bool


@cache
def members(kind: type) -> Mapping[str, Member]:
    """The fields of a dataclass by their names, but for ``unknown``. Raises ``TypeError`` for one that has no such form."""
    hints = get_type_hints(kind)
    return {one.name: _member(one.name, plain(hints[one.name]), one.default) for one in fields(kind) if one.name != UNKNOWN}


def plain(hint: Any) -> type:
    """The type behind a mark, an optional one or an id type."""
    if get_origin(hint) is Annotated:
        return plain(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return plain(next(one for one in get_args(hint) if one is not NoneType))
    found: type = getattr(hint, "__supertype__", hint)
    return found


def _member(name: str, kind: type, default: Any) -> Member:
    write, read = _forms(kind)
    return Member(name, kind, default, write, read, is_dataclass(kind))


def _forms(kind: type) -> tuple[Form, Form]:
    if kind in (str, int, bool):
        return kind, kind
    if kind is datetime:
        return timestamp, moment
    if is_dataclass(kind):
        return as_json, partial(from_json, kind)
    if isclass(kind) and issubclass(kind, StrEnum):
        return _value, partial(named, kind)
    return partial(_refuse, kind), partial(_refuse, kind)


def _value(member: StrEnum) -> str:
    return member.value


def _refuse(kind: Any, _: Any) -> Any:
    raise TypeError(f"{kind} has no form in an item by its type: give it one in items.py")


def as_json(value: Any, *, with_nulls: bool = False) -> dict[str, Any]:
    """A dataclass as JSON; what it has nothing of is left out, or ``null``."""
    kind: type = type(value)
    found: dict[str, Any] = {}
    for name, member in members(kind).items():
        held = getattr(value, name)
        if held is None and with_nulls:
            found[name] = None
        elif held is not None and held != member.default:
            found[name] = member.write(held)
    return found | dict(getattr(value, UNKNOWN, {}))


def from_json(kind: type, found: Mapping[str, Any]) -> Any:
    """The dataclass that JSON holds; ``as_json`` is the inverse."""
    known = members(kind)
    read = {name: known[name].read(held) for name, held in found.items() if name in known and held is not None}
    if _keeps_unknown(kind):
        read[UNKNOWN] = besides(found, known)
    return kind(**read)


@cache
def _keeps_unknown(kind: type) -> bool:
    return any(one.name == UNKNOWN for one in fields(kind))


@dataclass(frozen=True)
class Codec:
    """How a dataclass stands in the attributes of an item.

    ``own`` are the fields that have a form of their own: ``items`` writes and reads them. ``always`` are those that are
    written with their default too, and ``with_nulls`` those in whose JSON each member stands, as edition one reads them.
    ``names`` are attributes that are not called like their fields.
    """

    kind: type
    own: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    with_nulls: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """The fields that are stored by their types, by their attributes."""
        return {self.names.get(name, name): member for name, member in members(self.kind).items() if name not in self.own}

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """The attributes that an item may not have."""
        defaults = {one.name for one in fields(self.kind) if one.default is not MISSING}
        return tuple(attribute for attribute, member in self.members.items() if member.name in defaults - self.always)

    def write(self, value: Any) -> Item:
        """The attributes of a value."""
        item: Item = {}
        for attribute, member in self.members.items():
            held = getattr(value, member.name)
            if held is not None and (held != member.default or member.name in self.always):
                item[attribute] = self._held_as(member, held)
        return item

    def _held_as(self, member: Member, held: Any) -> Any:
        if member.kind is int:
            return {"N": str(held)}
        if member.kind is bool:
            return {"BOOL": held}
        if member.is_json:
            return {"S": to_json(as_json(held, with_nulls=member.name in self.with_nulls))}
        return {"S": member.write(held)}

    def read(self, item: Item) -> dict[str, Any]:
        """The fields that an item holds, by their names; ``write`` is the inverse."""
        found = {}
        for attribute, member in self.members.items():
            if attribute in item:
                (held,) = item[attribute].values()
                found[member.name] = member.read(json.loads(held) if member.is_json else held)
        return found
