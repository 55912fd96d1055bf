"""Orders: reading them, and writing a change as one transaction on conditions."""

from collections.abc import Iterable, Mapping
from typing import Any

from orders.adapters.store import (
    calls,
    catalog,
    event_items,
    figure_items,
    items,
    keys,
    lookups,
    newer,
    refund_items,
    return_items,
    table,
)
from orders.adapters.store.attributes import Item
from orders.domain.digests import CallRecord, IdempotencyRecord
from orders.domain.errors import AlreadyApplied, AlreadyExists, KeyUsed, NotFound, OrderChanged, OrderError
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import Change, Event, Order, Snapshot
from orders.domain.steps import OutOfStock


def load(order_id: OrderId, *, to_show: bool = False) -> Snapshot:
    """An order with its payment, its parcels, its returns and its refunds, strongly consistent, one query.

    Raises:
        NotFound: there is no such order.
        NewerRow: it holds a value that this release does not know, and is not only ``to_show``.
    """
    own = table.pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :own)",
        ExpressionAttributeValues={":pk": {"S": keys.order_partition(order_id)}, ":own": {"S": "#"}},
    )
    found = {item["SK"]["S"]: item for item in own}
    if "#ORDER" not in found:
        raise NotFound(f"There is no order {order_id}.")
    snapshot = items.snapshot_of(items.order_from_item(found["#ORDER"]), found)
    if not to_show:
        newer.refuse(newer.decided_on(snapshot))
    return snapshot


def load_order(order_id: OrderId, *, to_show: bool = False) -> Order:
    """The order's own item alone, strongly consistent, one read.

    Raises:
        NotFound: there is no such order.
        NewerRow: as ``load``.
    """
    item = table.get(keys.order_key(order_id))
    if item is None:
        raise NotFound(f"There is no order {order_id}.")
    order = items.order_from_item(item)
    if not to_show:
        newer.refuse(newer.decided_on(Snapshot(order)))
    return order


def commit(change: Change, record: IdempotencyRecord | CallRecord | None = None) -> None:
    """Writes one change, all of it or nothing, on the condition that the order is still as the change found it.

    Raises:
        OrderChanged: another writer was first; reload and decide again.
        AlreadyApplied: the outside event behind the change was applied before.
        AlreadyExists: a new order's id, or the idempotency key of its record, is taken.
        KeyUsed: the idempotency key of a change is taken.
        OutOfStock: a product has less than the change takes.
        StoreBusy: throttled, or another transaction holds one of the items.
    """
    actions = _actions(change, record)
    outcome = table.transact([action for _, action in actions])
    if not outcome.is_written:
        raise _lost(change, {actions[place][0]: item for place, item in outcome.failed.items()}) from outcome.error


def _lost(change: Change, failed: Mapping[str, Item]) -> OrderError:
    """Why a change could not be committed, from the names of the conditions that failed and what was found there."""
    order_id = change.order.order_id
    short = [name.removeprefix(STOCK_OF) for name in failed if name.startswith(STOCK_OF)]
    if CALL in failed:
        return KeyUsed(calls.USED)
    if MARKER in failed:
        return AlreadyApplied(f"Event {change.marker} has been applied before.")
    if short and ORDER not in failed:
        left = {product_id: int(failed[f"{STOCK_OF}{product_id}"].get("stock", {"N": "0"})["N"]) for product_id in short}
        return OutOfStock(f"Not enough in stock: {', '.join(short)}.", left=left, products=short)
    if change.before is None:
        return AlreadyExists(f"Order {order_id} exists already.")
    return OrderChanged(f"Order {order_id} has changed meanwhile.")


ORDER, EVENT, PAYMENT, SHIPMENT, MARKER, STOCK_OF = "order", "event", "payment", "shipment", "marker", "stock of "
RETURN, REFUND, COUNTED = "return", "refund", "counted pieces"
RECORD, ERASED_RECORD, CALL = "idempotency record", "erased idempotency record", "record of the call"
"""The parts of a change, by which a failed condition is known."""


def _actions(change: Change, record: IdempotencyRecord | CallRecord | None) -> list[tuple[str, Any]]:
    """Everything one change writes, each part by its name."""
    order_id = change.order.order_id
    actions = [(ORDER, _order_action(change)), (EVENT, table.put_action(event_items.event_to_item(change.event), table.IS_NEW))]
    if change.payment is not None:
        actions.append((PAYMENT, _all_known(items.payment_to_item(order_id, change.payment), items.optional_of_payment())))
    parcels = (items.shipment_to_item(order_id, shipment) for shipment in change.shipments)
    actions.extend((SHIPMENT, _all_known(parcel, items.optional_of_shipment())) for parcel in parcels)
    optional = return_items.optional()
    returns = (return_items.return_to_item(change.order, one) for one in change.returns)
    actions.extend((RETURN, _all_known(item, optional)) for item in returns)
    refunds = (refund_items.refund_to_item(order_id, one) for one in change.refunds)
    actions.extend((REFUND, _all_known(item, refund_items.optional())) for item in refunds)
    if change.marker is not None:
        actions.append((MARKER, table.put_action(event_items.marker_to_item(change), table.IS_NEW)))
    if isinstance(record, CallRecord):
        actions.append((CALL, calls.action(record)))
    elif record is not None:
        erased = keys.erased_idempotency_key(record.customer_id, record.key)
        actions.append((RECORD, table.put_action(event_items.idempotency_record_to_item(record), table.IS_NEW)))
        actions.append((ERASED_RECORD, table.check_action(erased, table.IS_NEW)))
    actions.extend(lookups.actions(change))
    if change.figures or change.order.is_asked is not (change.before is not None and change.before.is_asked):
        actions.append((COUNTED, table.put_action(figure_items.counted_to_item(change.order))))
    moved = {product_id: pieces for product_id, pieces in change.stock.items() if pieces} | dict(change.figures)
    actions.extend((f"{STOCK_OF}{product_id}", _move_stock(product_id, change)) for product_id in moved)
    return actions


def _order_action(change: Change) -> Any:
    item = items.order_to_item(change.order)
    if change.before is None:
        return table.put_action(item, table.IS_NEW)
    found = items.order_to_item(change.before)
    changed = {name: value for name, value in item.items() if found.get(name) != value}
    gone = [name for name in found if name not in item]
    update = table.changes(keys.order_key(change.order.order_id), changed, gone, "#version = :version AND #status = :status")
    update["ExpressionAttributeNames"] |= {"#version": "version", "#status": "status"}
    update["ExpressionAttributeValues"] |= {":version": found["version"], ":status": found["status"]}
    return table.update_action(**update)


def _all_known(item: Item, optional: Iterable[str]) -> Any:
    """Updates all that this release knows of an item: its attributes, and those that it has no more."""
    key = keys.key_of(item)
    attributes = {name: value for name, value in item.items() if name not in key}
    return table.update_action(**table.changes(key, attributes, [name for name in optional if name not in item]))


def _move_stock(product_id: str, change: Change) -> Any:
    """What a change moves of a product: what can be ordered of it, what is reserved, what is sold."""
    delta, (reserved, sold) = change.stock.get(product_id, 0), change.figures.get(product_id, (0, 0))
    by_name = {"stock": delta, catalog.RESERVED: reserved, catalog.SOLD: sold}
    moved = {name: pieces for name, pieces in by_name.items() if pieces}
    values = {f":{name}": {"N": str(pieces)} for name, pieces in moved.items()}
    wanted = {":wanted": {"N": str(-delta)}} if delta < 0 else {}
    # What is there tells how many of the pieces could be had.
    found = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if delta < 0 else {}
    return table.update_action(
        **found,
        Key=keys.product_key(product_id),
        UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in moved),
        ConditionExpression="stock >= :wanted" if delta < 0 else table.EXISTS,
        ExpressionAttributeValues=values | wanted,
    )


def idempotency_record(customer_id: CustomerId, key: str) -> IdempotencyRecord | None:
    """What the customer's idempotency key was used for before, if it was, an erasure in between or not."""
    for place in (keys.idempotency_key(customer_id, key), keys.erased_idempotency_key(customer_id, key)):
        if item := table.get(place):
            return event_items.idempotency_record_from_item(customer_id, key, item)
    return None


def history(order_id: OrderId, after_version: int = 0) -> list[Event]:
    """The audit trail, oldest first, from the version behind ``after_version`` on."""
    found = table.pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":pk": {"S": keys.order_partition(order_id)},
            ":from": {"S": f"{keys.EVENT_PREFIX}{after_version + 1:08d}"},
            ":to": {"S": f"{keys.EVENT_PREFIX}~"},
        },
    )
    return [event_items.event_from_item(item) for item in found]


def erased_orders(order_ids: Iterable[OrderId]) -> frozenset[OrderId]:
    """Those of the orders whose customer's personal data has been erased."""
    found = table.batch_get([keys.order_key(order_id) for order_id in set(order_ids)])
    return frozenset(keys.order_id_of(item) for item in found if "erased_at" in item)
