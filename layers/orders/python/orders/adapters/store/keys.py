"""Keys: where each item of the table is, and how the index partitions are named."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orders.adapters.store.attributes import Item
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber, comparable, fingerprint
from orders.domain.order import timestamp

Key = Mapping[str, Any]

BY_KEY, BY_STATUS, BY_DUE = "by_key", "by_status", "by_due"
"""The table's indexes: by customer, catalog or tracking number; by order status; by when the sweep is due."""


MARKER_PREFIX = "APPLIED#"
KEY_PREFIX = "KEY#"
EVENT_PREFIX, SCAN_PREFIX, MAIL_PREFIX = "EVENT#", "SCAN#", "MAIL#"
PAYMENT, SHIPMENT = "#PAYMENT", "#SHIPMENT"
"""The sort keys of an order's payment and of its first parcel, with which those of the further ones begin."""


def item_key(partition: str, sort: str) -> Key:
    """A key from its two parts."""
    return {"PK": {"S": partition}, "SK": {"S": sort}}


def order_partition(order_id: OrderId) -> str:
    """The partition that holds an order, its payment, its shipment and its audit trail."""
    return f"ORDER#{order_id}"


def order_key(order_id: OrderId) -> Key:
    """An order's own item."""
    return item_key(order_partition(order_id), "#ORDER")


def payment_key(order_id: OrderId) -> Key:
    """An order's payment intent."""
    return item_key(order_partition(order_id), PAYMENT)


def shipment_key(order_id: OrderId, further: str | None = None) -> Key:
    """An order's first parcel, or the further one of that id."""
    return item_key(order_partition(order_id), SHIPMENT if further is None else f"{SHIPMENT}#{further}")


COUNTED = "#COUNTED"
"""The sort key of what products count for an order."""


def counted_key(order_id: OrderId) -> Key:
    """What products count for an order."""
    return item_key(order_partition(order_id), COUNTED)


def shortages_partition(status: str) -> str:
    """The index key of the orders whose shortage waits for something."""
    return f"SHORTAGES#{status}"


RETURN_PREFIX = "#RETURN#"


def return_key(order_id: OrderId, return_id: str) -> Key:
    """A return of an order; ids of returns sort by time."""
    return item_key(order_partition(order_id), f"{RETURN_PREFIX}{return_id}")


def returns_partition(status: str) -> str:
    """The index key of the open returns of one status."""
    return f"RETURNS#{status}"


def disputes_partition(status: str) -> str:
    """The index key of the payments whose dispute has one status."""
    return f"DISPUTES#{status}"


REFUND_PREFIX = "#REFUND#"


def refund_key(order_id: OrderId, refund_id: str) -> Key:
    """One refund of an order's payment."""
    return item_key(order_partition(order_id), f"{REFUND_PREFIX}{refund_id}")


def event_key(order_id: OrderId, version: int) -> Key:
    """The audit event of one version of an order."""
    return item_key(order_partition(order_id), f"{EVENT_PREFIX}{version:08d}")


def parcel_partition(tracking_number: TrackingNumber) -> str:
    """The partition, and the index key, of what is known by a parcel's number: carriers' reports, and whose parcel it is."""
    return f"TRACKING#{comparable(tracking_number)}"


def parcel_partitions(tracking_number: TrackingNumber) -> list[str]:
    """The keys under which a parcel's number may be stored: edition one wrote it as it was given."""
    return list(dict.fromkeys([parcel_partition(tracking_number), f"TRACKING#{tracking_number}"]))


def marker_key(order_id: OrderId, event_id: str) -> Key:
    """The marker of an outside event that was applied to the order."""
    return item_key(order_partition(order_id), f"{MARKER_PREFIX}{fingerprint(event_id)}")


def product_key(product_id: str) -> Key:
    """A product of the catalog."""
    return item_key(f"PRODUCT#{product_id}", "#PRODUCT")


def idempotency_key(customer_id: CustomerId, key: str) -> Key:
    """A customer's idempotency record, kept forever."""
    # Two attributes: no customer's id and key read together as another customer's.
    return item_key(idempotency_partition(customer_id), f"{KEY_PREFIX}{key}")


def erased_idempotency_key(customer_id: CustomerId, key: str) -> Key:
    """The idempotency record after an erasure: the key itself is no longer stored."""
    return item_key(idempotency_partition(customer_id), f"ERASED_KEY#{fingerprint(key)}")


def call_key(caller: str, place: str) -> Key:
    """The record of a caller's request under an idempotency key, kept forever; it holds no text of theirs."""
    return item_key(f"IDEMPOTENCY#{caller}", f"CALL#{place}")


def idempotency_partition(customer_id: CustomerId) -> str:
    """The partition of a customer's idempotency records."""
    return f"IDEMPOTENCY#{customer_id}"


def external_id_partition(external_id: str) -> str:
    """The partition that holds which orders another system calls by that id."""
    return f"EXTERNAL#{external_id}"


def email_partition(email: str) -> str:
    """The partition that holds which orders are reached by that address, whatever its letter case; it does not show it."""
    return f"EMAIL#{fingerprint(email.casefold())}"


def lookup_key(partition: str, order_id: OrderId, created_at: datetime) -> Key:
    """That the partition's name leads to the order; sorted as the order's lists are."""
    return item_key(partition, f"{timestamp(created_at)}#{order_id}")


def charge_key(key: str) -> Key:
    """The simulated gateway's ledger line for one idempotency key."""
    return item_key(f"GATEWAY#{key}", "#CHARGE")


def booking_key(key: str) -> Key:
    """The simulated carrier's book entry for one idempotency key."""
    return item_key(f"CARRIER#{key}", "#BOOKING")


def erased_parcel_key(tracking_number: TrackingNumber) -> Key:
    """That a number was replaced on a parcel of an erased order."""
    return item_key(parcel_partition(tracking_number), "#ERASED")


def mail_key(order_id: OrderId, mail_id: str) -> Key:
    """A mail about an order; mails' ids sort by time."""
    return item_key(order_partition(order_id), f"{MAIL_PREFIX}{mail_id}")


def suppression_key(digest: str) -> Key:
    """That the address of this digest gets no more mail."""
    return item_key(f"MAIL#{digest}", "#SUPPRESSED")


def webhook_key(webhook_id: str) -> Key:
    """A webhook subscription."""
    return item_key(f"WEBHOOK#{webhook_id}", "#WEBHOOK")


def delivery_key(webhook_id: str, delivery_id: str) -> Key:
    """One event on its way to one webhook; delivery ids sort by time."""
    return item_key(f"WEBHOOK#{webhook_id}", f"DELIVERY#{delivery_id}")


def due_sort(order_id: OrderId, due_at: datetime) -> str:
    """An open order's place in the index by when the sweep is due."""
    return f"{timestamp(due_at)}#{order_id}"


def key_of(item: Item) -> Key:
    """The key of an item, or of an index entry."""
    return {name: item[name] for name in ("PK", "SK")}


def order_id_of(item: Item) -> OrderId:
    """The order that an item of an order's partition belongs to."""
    return OrderId(str(item["PK"]["S"]).removeprefix("ORDER#"))
