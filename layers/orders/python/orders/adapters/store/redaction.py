"""Removing personal data from what is stored. What counts as personal is the caller's to say."""

import json
from collections.abc import Callable
from typing import Any

from orders import settings
from orders.adapters.store import deliveries, event_items, keys, ledgers, orders, table, webhooks
from orders.adapters.store.attributes import Item, to_json
from orders.adapters.store.keys import Key
from orders.domain import personal
from orders.domain.address import Address
from orders.domain.errors import OrderChanged
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import Event
from orders.domain.personal import ERASED, Privacy


def redact_trail(order_id: OrderId, without_person: Callable[[Event], Event]) -> None:
    """Rewrites an order's audit events without what is personal in them; their keys stay."""
    for event in orders.history(order_id):
        redacted = event_items.event_to_item(without_person(event))
        changed: Item = {name: redacted[name] for name in personal.names(Event) if name in redacted}
        gone = [name for name in personal.names(Event) if name not in redacted]
        # Attribute by attribute: what the statistics have marked on the event stays.
        table.set_attributes(keys.event_key(order_id, event.version), changed, gone)


def redact_markers(order_id: OrderId) -> None:
    """Removes the senders' own ids from markers; the markers' keys still identify repetitions."""
    found = table.pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :marker)",
        ExpressionAttributeValues={":pk": {"S": keys.order_partition(order_id)}, ":marker": {"S": keys.MARKER_PREFIX}},
    )
    for item in found:
        table.set_attributes(keys.key_of(item), {}, ["event_id"])


def redact_idempotency_keys(customer_id: CustomerId) -> None:
    """Moves the customer's idempotency records to keys made of a digest: they stay valid, and the key is removed.

    A key that was moved before, and used again since by a release that does not read the moved record, keeps leading to
    its first order.

    Raises:
        OrderChanged: another writer changed a record; erase again.
    """
    found = table.pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :key)",
        ExpressionAttributeValues={":pk": {"S": keys.idempotency_partition(customer_id)}, ":key": {"S": keys.KEY_PREFIX}},
    )
    for item in found:
        _move_record(item, keys.erased_idempotency_key(customer_id, item["SK"]["S"].removeprefix(keys.KEY_PREFIX)))


def _move_record(item: Item, erased: Key) -> None:
    """Moves one idempotency record; if its new key already has one, that one is kept and this one deleted."""
    if table.transact([table.put_action({**item, **erased}, table.IS_NEW), _delete_read(item)]).is_written:
        return
    if table.transact([table.check_action(erased, table.EXISTS), _delete_read(item)]).is_written:
        return
    if table.get(keys.key_of(item)):
        raise OrderChanged("An idempotency record was changed by another writer.")


def _delete_read(item: Item) -> Any:
    """Deletes the record that was read, and none that has taken its key since."""
    return {
        "Delete": {
            "TableName": settings.table_name(),
            "Key": keys.key_of(item),
            "ConditionExpression": "order_id = :order_id",
            "ExpressionAttributeValues": {":order_id": item["order_id"]},
        }
    }


def redact_booking(shipment_id: str) -> None:
    """Rewrites the simulated carrier's book entry, which has the fields of an address, without the person it was for."""
    entry = ledgers.entry(keys.booking_key(shipment_id))
    if entry:
        kept = personal.names(Address, frozenset({Privacy.IMPERSONAL}))
        facts = {name: value if name in kept else ERASED for name, value in entry.facts.items()}
        table.set_attributes(keys.booking_key(shipment_id), {"facts": {"S": to_json(facts)}})


def redact_deliveries(order_ids: frozenset[OrderId], without_words: Callable[[str], str]) -> None:
    """Rewrites the payloads of these orders' events for webhooks, those of removed subscriptions included."""
    for webhook_id in webhooks.ids():
        for delivery in deliveries.newest_first(webhook_id, consistent=True):
            payload = without_words(delivery.payload)
            if payload != delivery.payload and json.loads(delivery.payload)["data"].get("order_id") in order_ids:
                table.set_attributes(keys.delivery_key(webhook_id, delivery.delivery_id), {"payload": {"S": payload}})
