"""Requests under an idempotency key, other than placing an order: each with what it led to, kept forever."""

from typing import Any

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import as_texts, text_of
from orders.domain.digests import CallRecord, KeyedCall
from orders.domain.errors import KeyUsed

USED = "Another request with this Idempotency-Key was first."


def find(call: KeyedCall) -> CallRecord | None:
    """What the caller's key was used for at this path before, if it was."""
    item = table.get(keys.call_key(call.caller, call.place))
    if item is None:
        return None
    first = KeyedCall(call.caller, call.place, item["digest"]["S"])
    return CallRecord(first, item["result"]["S"], text_of(item, "shown"))


def write(change: Any, record: CallRecord) -> table.WriteOutcome:
    """Makes one change, and in its transaction the record of the call behind it.

    Raises:
        KeyUsed: the call's key was used before.
    """
    outcome = table.transact([change, action(record)])
    if 1 in outcome.failed:
        raise KeyUsed(USED) from outcome.error
    return outcome


def action(record: CallRecord) -> Any:
    """Writes a record in the transaction of what it led to; a key that was used before fails it."""
    text = {"kind": "call", "digest": record.call.sent, "result": record.result, "shown": record.shown}
    return table.put_action({**keys.call_key(record.call.caller, record.call.place), **as_texts(text)}, table.IS_NEW)
