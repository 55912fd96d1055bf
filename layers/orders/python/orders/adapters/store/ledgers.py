"""The ledgers of the simulated payment provider and carrier."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orders.adapters.store import table
from orders.adapters.store.attributes import to_json
from orders.adapters.store.keys import Key


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a simulated party's ledger: what an idempotency key led to."""

    key: str
    state: str
    facts: Mapping[str, Any]
    written: str = ""
    """The facts as they are written in the line."""


def entry(key: Key) -> Entry | None:
    """The ledger's line for a key (``charge_key`` or ``booking_key``), if there is one."""
    item = table.get(key)
    return _entry_from_item(item) if item and "state" in item else None


def open_entry(key: Key, state: str, facts: Mapping[str, Any]) -> Entry:
    """Writes the line unless the key has one; returns the line that counts: the first one written."""
    outcome = table.update(
        Key=key,
        UpdateExpression="SET #state = :state, facts = :facts",
        ConditionExpression="attribute_not_exists(#state)",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state}, ":facts": {"S": to_json(facts)}},
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    return _entry_from_item(outcome.response["Attributes"] if outcome.is_written else outcome.failed[0])


def move_entry(key: Key, state: str, wanted: str) -> bool:
    """Moves a line from one state to another; ``False`` when it was not in the first."""
    return table.update(
        Key=key,
        UpdateExpression="SET #state = :wanted",
        ConditionExpression="#state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state}, ":wanted": {"S": wanted}},
    ).is_written


def replace_entry(key: Key, found: Entry, wanted: Entry) -> bool:
    """Writes a line anew, unless it has been changed since it was found (then returns ``False``)."""
    return table.update(
        Key=key,
        UpdateExpression="SET #state = :wanted, facts = :facts",
        ConditionExpression="#state = :state AND facts = :seen",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":state": {"S": found.state},
            ":seen": {"S": found.written},
            ":wanted": {"S": wanted.state},
            ":facts": {"S": to_json(wanted.facts)},
        },
    ).is_written


def move(key: Key, wanted: Callable[[Entry], Entry | None]) -> Entry | None:
    """The line as it is once it is moved, or was found to stay; ``None`` where there is none.

    Of two at the same time one moves it first, and the other looks at it again.
    """
    while found := entry(key):
        moved = wanted(found)
        if moved is None:
            return found
        if replace_entry(key, found, moved):
            return moved
    return None


def count_attempt(key: Key) -> int:
    """Counts a call of a faulty simulated party; returns how many there have been, this one included."""
    outcome = table.update(
        Key=key,
        UpdateExpression="ADD attempts :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(outcome.response["Attributes"]["attempts"]["N"])


def _entry_from_item(item: Mapping[str, Any]) -> Entry:
    partition = str(item["PK"]["S"])
    written = item["facts"]["S"]
    return Entry(partition.split("#", 1)[1], item["state"]["S"], json.loads(written), written)
