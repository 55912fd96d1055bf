"""Lists of orders by the indexes: a customer's, those of a status, those that are due; and many orders read at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from orders.adapters.store import items, keys, table
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.order import Order, Snapshot, timestamp
from orders.domain.shortage import ShortageStatus
from orders.domain.statuses import DisputeStatus, OrderStatus, ReturnStatus


@dataclass(frozen=True, slots=True)
class Reference:
    """An order's place in a list that is sorted by time; ``sort`` is unique and ordered by creation.

    In the list of what is due ``item`` is which of the order's items is: the order itself, a refund, or a parcel.
    """

    order_id: OrderId
    sort: str
    item: str = "#ORDER"

    @property
    def is_refund(self) -> bool:
        """Whether it is a refund that is due, and not the order."""
        return self.item.startswith(keys.REFUND_PREFIX)

    @property
    def is_parcel(self) -> bool:
        """Whether it is a parcel whose hand-over is to be finished, and not the order."""
        return self.item.startswith(keys.SHIPMENT)


@dataclass(frozen=True, slots=True)
class Span:
    """What part of a list is read, and from which end: what sorts before ``before``, and was placed after ``since``.

    A list that is read ``oldest_first`` goes on behind the place ``after``, any other behind the place ``before``.
    """

    before: str | None = None
    since: datetime | None = None
    after: str | None = None
    oldest_first: bool = False

    @property
    def first(self) -> str:
        """What sorts directly before all that was placed later than ``since``, as ids have no ``~``; or the place ``after``."""
        return self.after or (f"{timestamp(self.since)}#~" if self.since else "0")


EVERYTHING = Span()


def orders_of_customer(customer_id: CustomerId, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """A customer's orders, in the order of the span; read page by page as they are asked for."""
    return _in_order({"IndexName": keys.BY_KEY}, "GSI1", f"CUSTOMER#{customer_id}", span, page)


def orders_in_status(status: OrderStatus, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """All orders of one status, in the order of the span."""
    return _in_order({"IndexName": keys.BY_STATUS}, "GSI2", f"STATUS#{status.value}", span, page)


def orders_of_external_id(external_id: str, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """The orders that another system calls by that id, in the order of the span."""
    return _in_order({"ConsistentRead": True}, "", keys.external_id_partition(external_id), span, page)


def orders_of_email(email: str, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """The orders whose customers are reached by that address, in the order of the span."""
    return _in_order({"ConsistentRead": True}, "", keys.email_partition(email), span, page)


def orders_with_return(status: ReturnStatus, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """The orders that have an open return of that status, newest first."""
    return _in_order({"IndexName": keys.BY_KEY}, "GSI1", keys.returns_partition(status.value), span, page)


def orders_with_dispute(status: DisputeStatus, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """The orders whose payment has a dispute of that status, the one that was opened last first."""
    return _in_order({"IndexName": keys.BY_KEY}, "GSI1", keys.disputes_partition(status.value), span, page)


def orders_with_shortage(status: ShortageStatus, span: Span = EVERYTHING, page: int = 50) -> Iterator[Reference]:
    """The orders whose shortage waits for that, newest first."""
    return _in_order({"IndexName": keys.BY_KEY}, "GSI1", keys.shortages_partition(status.value), span, page)


MOST_OF_ONE_PARCEL = 500
"""How many orders one parcel's number leads to."""


def orders_of_parcel(number: TrackingNumber, span: Span = EVERYTHING) -> Iterator[Reference]:
    """The orders that have a parcel of that number, in the span's order: one, but where a warehouse put several into it."""
    ids = [OrderId(order_id) for order_id in islice(_ids_of_parcel(number), MOST_OF_ONE_PARCEL)]
    found = (Reference(order.order_id, f"{timestamp(order.created_at)}#{order.order_id}") for order in orders_by_id(ids))
    in_order = sorted(set(found), key=lambda one: one.sort, reverse=not span.oldest_first)
    return (one for one in in_order if span.first < one.sort < (span.before or "~"))


def _ids_of_parcel(number: TrackingNumber) -> Iterator[str]:
    for partition in keys.parcel_partitions(number):
        found = table.pages(
            IndexName=keys.BY_KEY,
            KeyConditionExpression="GSI1PK = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        )
        yield from map(keys.order_id_of, found)


def _in_order(of: dict[str, Any], prefix: str, partition: str, span: Span, page: int) -> Iterator[Reference]:
    values = {":pk": {"S": partition}} | ({":before": {"S": span.before}} if span.before else {})
    condition = f"{prefix}PK = :pk" + (f" AND {prefix}SK < :before" if span.before else "")
    if span.since or span.after:
        # Both ends included, as there is no other condition of two ends.
        values |= {":first": {"S": span.first}, ":before": {"S": span.before or "~"}}
        condition = f"{prefix}PK = :pk AND {prefix}SK BETWEEN :first AND :before"
        if values[":first"]["S"] > values[":before"]["S"]:
            return
    found = table.pages(
        **of,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ScanIndexForward=span.oldest_first,
        Limit=page,
    )
    for item in found:
        sort = item[f"{prefix}SK"]["S"]
        if sort not in (span.before, span.after):
            yield Reference(OrderId(sort.partition("#")[2]), sort)


def count_in_status(status: OrderStatus, placed_before: datetime) -> int:
    """How many orders of a status were placed before a moment; counted by the index, no order is read."""
    responses = table.responses(
        IndexName=keys.BY_STATUS,
        Select="COUNT",
        KeyConditionExpression="GSI2PK = :pk AND GSI2SK < :before",
        ExpressionAttributeValues={":pk": {"S": f"STATUS#{status.value}"}, ":before": {"S": timestamp(placed_before)}},
    )
    return sum(int(response["Count"]) for response in responses)


def orders_due(until: datetime | None, after: str | None = None, page: int = 100) -> Iterator[Reference]:
    """Orders that are overdue, or of which a refund or a parcel is, longest overdue first, after the place ``after``.

    ``None`` takes the open orders that are not due yet too.
    """
    found = table.pages(
        IndexName=keys.BY_DUE,
        KeyConditionExpression="GSI3PK = :pk AND GSI3SK BETWEEN :from AND :until",
        ExpressionAttributeValues={
            ":pk": {"S": "DUE"},
            # No order id contains a character below this one, so it sorts directly after the place and before the next.
            ":from": {"S": f"{after}!" if after else "0"},
            ":until": {"S": f"{timestamp(until) if until else ''}~"},
        },
        Limit=page,
    )
    return (Reference(keys.order_id_of(item), item["GSI3SK"]["S"], item["SK"]["S"]) for item in found)


def orders_placed_before(status: OrderStatus, until: datetime, after: str | None = None, page: int = 50) -> Iterator[Reference]:
    """Orders of a status that were placed before a moment, the oldest first, from behind the place ``after`` on."""
    found = table.pages(
        IndexName=keys.BY_STATUS,
        KeyConditionExpression="GSI2PK = :pk AND GSI2SK BETWEEN :from AND :until",
        ExpressionAttributeValues={
            ":pk": {"S": f"STATUS#{status.value}"},
            ":from": {"S": f"{after}!" if after else "0"},
            ":until": {"S": timestamp(until)},
        },
        Limit=page,
    )
    return (Reference(keys.order_id_of(item), item["GSI2SK"]["S"]) for item in found)


def postpone(place: Reference, due_at: datetime) -> bool:
    """Moves the order's next check to later, unless its place in the index has changed (then returns ``False``).

    Needs nothing of the order but its place: one that cannot be read gets behind the others too.
    """
    return table.update(
        Key=keys.item_key(keys.order_partition(place.order_id), place.item),
        UpdateExpression="SET due_at = :due, GSI3SK = :sort",
        ConditionExpression="GSI3SK = :seen",
        ExpressionAttributeValues={
            ":due": {"S": timestamp(due_at)},
            ":sort": {"S": keys.due_sort(place.order_id, due_at)},
            ":seen": {"S": place.sort},
        },
    ).is_written


def forget(place: Reference) -> bool:
    """Takes what is not due any more out of the index, unless its place there has changed (then returns ``False``)."""
    return table.update(
        Key=keys.item_key(keys.order_partition(place.order_id), place.item),
        UpdateExpression="REMOVE due_at, GSI3PK, GSI3SK",
        ConditionExpression="GSI3SK = :seen",
        ExpressionAttributeValues={":seen": {"S": place.sort}},
    ).is_written


def orders_by_id(order_ids: Sequence[OrderId]) -> list[Order]:
    """Whole orders in the order of their ids; ids that lead nowhere are left out."""
    found: dict[str, Order] = {}
    # An index that lags behind may name an order twice; one request may not.
    for item in table.batch_get([keys.order_key(order_id) for order_id in dict.fromkeys(order_ids)]):
        order = items.order_from_item(item)
        found[order.order_id] = order
    return [found[order_id] for order_id in order_ids if order_id in found]


def with_parts(orders: Sequence[Order], *, payments: bool, shipments: bool) -> list[Snapshot]:
    """Each order with what is asked for of its payment and its parcels, read for all of them at once."""
    wanted = [keys.payment_key(order.order_id) for order in orders if payments]
    if shipments:
        wanted += [keys.shipment_key(order.order_id) for order in orders]
        wanted += [keys.shipment_key(order.order_id, further) for order in orders for further in order.further_parcels]
    found: dict[OrderId, dict[str, Any]] = {}
    for item in table.batch_get(wanted):
        found.setdefault(keys.order_id_of(item), {})[item["SK"]["S"]] = item
    return [items.snapshot_of(order, found.get(order.order_id, {})) for order in orders]
