"""What orders are found by besides their own ids: an item for each, written and removed in the order's own transactions.

The key of an e-mail address is a digest: the table holds the address in the order's item only, and erasing it there removes
this entry too.
"""

from collections.abc import Iterator
from typing import Any

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import as_texts
from orders.adapters.store.keys import Key
from orders.domain.order import Change, Order

ADDED, REMOVED = "{} added", "{} removed"
"""The parts of a change, by the entry's kind."""


def actions(change: Change) -> Iterator[tuple[str, Any]]:
    """What a change of these writes beside the order, each part by its name."""
    before = _entries(change.before) if change.before else {}
    after = _entries(change.order)
    for kind, key in before.items():
        if after.get(kind) != key:
            # Where a release that does not know the entry has set the address there is none to delete.
            yield REMOVED.format(kind), table.delete_action(key)
    for kind, key in after.items():
        if before.get(kind) != key:
            yield ADDED.format(kind), table.put_action({**key, **as_texts({"kind": kind, "order_id": change.order.order_id})})


def _entries(order: Order) -> dict[str, Key]:
    """The keys that lead to an order, by the entry's kind."""
    partitions: dict[str, str] = {}
    if order.external_id is not None:
        partitions["external id"] = keys.external_id_partition(order.external_id)
    if order.contact and order.contact.email:
        partitions["e-mail"] = keys.email_partition(order.contact.email)
    return {kind: keys.lookup_key(partition, order.order_id, order.created_at) for kind, partition in partitions.items()}
