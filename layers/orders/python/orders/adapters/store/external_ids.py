"""Which orders other systems call by an id of theirs: an item for each order that has one, written with the order."""

from collections.abc import Iterator
from typing import Any

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import as_texts
from orders.domain.order import Change, Order

ADDED, REMOVED = "external id", "earlier external id"
"""The parts of a change."""


def actions(change: Change) -> Iterator[tuple[str, Any]]:
    """What a change of the external id writes beside the order, each part by its name."""
    before = change.before.external_id if change.before else None
    if before == change.order.external_id:
        return
    if before is not None:
        yield REMOVED, table.delete_action(_key(before, change.order), table.EXISTS)
    if change.order.external_id is not None:
        named = as_texts({"kind": "external id", "order_id": change.order.order_id})
        yield ADDED, table.put_action({**_key(change.order.external_id, change.order), **named}, table.IS_NEW)


def _key(external_id: str, order: Order) -> keys.Key:
    return keys.external_id_key(external_id, order.order_id, order.created_at)
