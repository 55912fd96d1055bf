"""moto's values, compared, measured, shown and serialized without what it asks of each of them: see ``fast_moto``."""

from decimal import Decimal
from typing import Any

import pytest
from moto.core.serialize import BaseJSONSerializer, ResponseSerializer
from moto.dynamodb import responses as dynamodb_responses
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.utilities import dynamo_to_dict

MOSTLY_EMPTY = {"AttributeValue", "HistoryEvent", "TableDescription", "GlobalSecondaryIndexDescription"}
"""The structures that could have many members and have few."""
PLAIN = {"S", "B", "BOOL"}
"""The types whose value is compared as it stands."""
WITHOUT_PARTS = {"S", "N", "BOOL", "NULL", "SS", "NS"}
"""The types whose values stand in the response as they are."""


def _compare_plainly(patch: pytest.MonkeyPatch) -> None:
    """A value's type is asked for eight times before a string is compared."""
    cast = vars(DynamoType)["cast_value"].fget

    def value_of(value: DynamoType) -> Any:
        if value.type in PLAIN:
            return value.value
        return Decimal(value.value) if value.type == "N" else cast(value)

    def same(value: DynamoType, other: DynamoType) -> bool:
        return bool(value.type == other.type and value_of(value) == value_of(other))

    patch.setattr(DynamoType, "cast_value", property(value_of))
    patch.setattr(DynamoType, "__eq__", same)
    patch.setattr(DynamoType, "__ne__", lambda value, other: not same(value, other))
    patch.setattr(DynamoType, "__hash__", lambda value: hash((value.type, value_of(value))))
    patch.setattr(DynamoType, "__lt__", lambda value, other: value_of(value) < value_of(other))


def _measure_plainly(patch: pytest.MonkeyPatch) -> None:
    """A row is measured each time it is read; a value's type is asked for five times before a string is measured."""
    its_own = DynamoType.size

    def size(value: DynamoType) -> int:
        if value.type == "S":
            return len(value.value.encode())
        if value.type == "L":
            return sum(part.size() for part in value.value)
        if value.type == "M":
            return sum(len(name.encode()) + _as_value(part).size() for name, part in value.value.items())
        return its_own(value)

    patch.setattr(DynamoType, "size", size)
    patch.setattr(Item, "size", lambda item: sum(len(name.encode()) + size(value) for name, value in item.attrs.items()))


def _as_value(part: Any) -> DynamoType:
    return part if type(part) is DynamoType else DynamoType(part)


def _show_plainly(patch: pytest.MonkeyPatch) -> None:
    """moto asks each part of a row whether it is a time, and whether it can show itself."""
    its_own = dynamo_to_dict

    def shown(part: Any) -> Any:
        kind = type(part)
        if kind is str:
            return part
        if kind is DynamoType and part.type not in {"B", "BS"}:
            return {part.type: shown(part.value)}
        if kind is dict:
            return {name: shown(value) for name, value in part.items()}
        return [shown(value) for value in part] if kind is list else its_own(part)

    patch.setattr(dynamodb_responses, "dynamo_to_dict", shown)


def _serialize_by_name(patch: pytest.MonkeyPatch) -> None:
    """moto looks for each of the ten types that an item's attribute might have, and the forty details that an event of an
    execution might have, under seven names each.
    """
    its_own = ResponseSerializer._serialize_type_structure

    def serialize(self: ResponseSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name not in MOSTLY_EMPTY or type(value) is not dict or not key or not value.keys() <= shape.members.keys():
            its_own(self, serialized, value, shape, key)
            return
        if shape.name == "AttributeValue" and _is_as_it_stands(value):
            self._default_serialize(serialized, value, shape, key)
            return
        made: Any = self.MAP_TYPE()
        for name, part in value.items():
            member = shape.members[name]
            member.parent = shape
            if part is not None:
                self._serialize(made, part, member, name)
        self._default_serialize(serialized, made, shape, key)

    def of_row(self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeMap" and all(map(_is_as_it_stands, value.values())):
            self._default_serialize(serialized, value, shape, key)
        else:
            its_own_of_row(self, serialized, value, shape, key)

    patch.setattr(ResponseSerializer, "_serialize_type_structure", serialize)
    its_own_of_row = BaseJSONSerializer._serialize_type_map
    patch.setattr(BaseJSONSerializer, "_serialize_type_map", of_row)


def _is_as_it_stands(value: Any) -> bool:
    """Whether the response has the value as the row has it."""
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, part),) = value.items()
    if kind == "M":
        return all(map(_is_as_it_stands, part.values()))
    return all(map(_is_as_it_stands, part)) if kind == "L" else kind in WITHOUT_PARTS and part is not None


SHORT_WAYS = (_compare_plainly, _measure_plainly, _show_plainly, _serialize_by_name)
