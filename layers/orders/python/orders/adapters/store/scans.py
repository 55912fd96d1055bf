"""What is known by a parcel's number: whose it is, what carriers reported of it, that it was erased."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from orders.adapters.store import event_items, keys, table
from orders.adapters.store.attributes import Item, as_numbers, as_texts, to_json
from orders.domain.identifiers import OrderId, TrackingNumber, fingerprint
from orders.domain.order import timestamp

MOST_ORDERS = 20
"""How many orders whose parcels carry one number are looked at: carriers use their numbers again after a time."""


def orders_of_parcel(tracking_number: TrackingNumber) -> list[OrderId]:
    """The orders that have a parcel under the tracking number."""
    for partition in keys.parcel_partitions(tracking_number):
        entries = table.pages(
            IndexName=keys.BY_KEY,
            KeyConditionExpression="GSI1PK = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ScanIndexForward=False,
            Limit=MOST_ORDERS,
        )
        if found := list(islice(entries, MOST_ORDERS)):
            return list(dict.fromkeys(map(keys.order_id_of, found)))
    return []


def keep_scan(tracking_number: TrackingNumber, event_id: str, at: datetime, event: Mapping[str, Any], now: datetime) -> None:
    """Stores what a carrier reported, before it is passed on: ``of_parcel`` finds it even if the passing on fails.

    By the parcel and not by the order: a carrier may report a parcel before its order is known.
    """
    key = keys.item_key(keys.parcel_partition(tracking_number), f"{keys.SCAN_PREFIX}{timestamp(at)}#{fingerprint(event_id)}")
    expires = int((now + event_items.MARKERS_KEPT).timestamp())
    text = {"kind": "scan", "event_id": event_id, "event": to_json(event)}
    table.put({**key, **as_texts(text), **as_numbers({"expires_at_epoch": expires})})


def of_parcel(tracking_number: TrackingNumber) -> list[dict[str, Any]]:
    """What carriers reported of a parcel, by the scans' own times."""
    return [json.loads(item["event"]["S"]) for item in _items_of_parcel(tracking_number)]


def _items_of_parcel(tracking_number: TrackingNumber) -> Iterator[Item]:
    of_each_name = (
        table.pages(
            ConsistentRead=True,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :scan)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":scan": {"S": keys.SCAN_PREFIX}},
        )
        for partition in keys.parcel_partitions(tracking_number)
    )
    return merge(*of_each_name, key=lambda item: str(item["SK"]["S"]))


def remove_scans(tracking_number: TrackingNumber) -> None:
    """Removes the carriers' reports of a parcel: each may hold a place, a name or the carrier's words."""
    for item in _items_of_parcel(tracking_number):
        table.delete(keys.key_of(item))


def erase_parcel(tracking_number: TrackingNumber, erased_at: datetime) -> None:
    """Records that a number of an erased order stores nothing more, and removes its reports.

    For 90 days, as long as a carrier may repeat a report: later the number may be another parcel's.
    """
    expires = int((erased_at + event_items.MARKERS_KEPT).timestamp())
    item = {
        **keys.erased_parcel_key(tracking_number),
        **as_texts({"kind": "erased parcel"}),
        **as_numbers({"expires_at_epoch": expires}),
    }
    table.put(item)
    remove_scans(tracking_number)


def is_erased_parcel(tracking_number: TrackingNumber, now: datetime) -> bool:
    """Whether the number was a parcel's of an order whose customer's personal data has been erased."""
    item = table.get(keys.erased_parcel_key(tracking_number))
    return item is not None and int(item["expires_at_epoch"]["N"]) > now.timestamp()
