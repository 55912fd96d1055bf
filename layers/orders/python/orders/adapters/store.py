"""The only module that talks to DynamoDB: keys, item mapping, conditions and transactions. See ``docs/data-model.md``.

Scalars are attributes of their own, so that conditions, filters and the console can see them; what is only ever read as a
whole (lines, address, steps) is one compact JSON attribute.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from heapq import merge
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnection

from orders import settings
from orders.adapters import aws, newer
from orders.adapters.newer import named
from orders.adapters.pauses import ATTEMPTS, pause
from orders.domain import legacy as edition_one
from orders.domain.digests import RequestDigest
from orders.domain.errors import AlreadyApplied, AlreadyExists, NotFound, OrderChanged, OrderError, OutOfStock, StoreBusy
from orders.domain.events import EventType, FollowUp, Signal
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber, comparable, fingerprint
from orders.domain.money import Money
from orders.domain.order import (
    Address,
    Approval,
    Cancellation,
    Change,
    Event,
    Line,
    Measures,
    Order,
    Payment,
    Shipment,
    Snapshot,
    Step,
    TrackingDetail,
    moment,
    timestamp,
)
from orders.domain.statistics import Counters, Told, added
from orders.domain.statuses import (
    STEPS,
    ApprovalStatus,
    CancelReason,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepName,
    StepStatus,
)
from orders.domain.webhooks import (
    DELIVERIES_KEPT,
    Attempt,
    Delivery,
    DeliveryStatus,
    Secret,
    Webhook,
    WebhookStatus,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Key = Mapping[str, Any]

BY_KEY, BY_STATUS, BY_DUE = "by_key", "by_status", "by_due"
"""The table's indexes: by customer, catalogue or tracking number; by order status; by when the sweep is due."""

MARKER_PREFIX = "APPLIED#"
KEY_PREFIX = "KEY#"
MARKERS_KEPT = timedelta(days=90)
"""How long the marker of an applied outside event is kept: far longer than any queue or carrier repeats itself."""

EVENT_PREFIX, SCAN_PREFIX = "EVENT#", "SCAN#"
CONDITION_FAILED = "ConditionalCheckFailed"
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionInProgressException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)


def client() -> "DynamoDBClient":
    """One client a process, and another for calls in haste."""
    return _client(aws.patience())


@cache
def _client(allowed: aws.Patience) -> "DynamoDBClient":
    made: DynamoDBClient = aws.limited_client("dynamodb", allowed)
    return made


# --- keys ---


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {"PK": {"S": partition}, "SK": {"S": sort}}


def order_partition(order_id: OrderId) -> str:
    """The partition that holds an order, its payment, its shipment and its audit trail."""
    return f"ORDER#{order_id}"


def order_key(order_id: OrderId) -> Key:
    """An order's own item."""
    return _key(order_partition(order_id), "#ORDER")


def payment_key(order_id: OrderId) -> Key:
    """An order's payment intent."""
    return _key(order_partition(order_id), "#PAYMENT")


def shipment_key(order_id: OrderId) -> Key:
    """An order's parcel."""
    return _key(order_partition(order_id), "#SHIPMENT")


def event_key(order_id: OrderId, version: int) -> Key:
    """The audit event of one version of an order."""
    return _key(order_partition(order_id), f"{EVENT_PREFIX}{version:08d}")


def parcel_partition(tracking_number: TrackingNumber) -> str:
    """The partition, and the index key, of what is known by a parcel's number: carriers' reports, and whose parcel it is."""
    return f"TRACKING#{comparable(tracking_number)}"


def _parcel_partitions(tracking_number: TrackingNumber) -> list[str]:
    """Where what is known by a parcel's number may stand: edition one wrote it as it was given."""
    return list(dict.fromkeys([parcel_partition(tracking_number), f"TRACKING#{tracking_number}"]))


def marker_key(order_id: OrderId, event_id: str) -> Key:
    """The marker of an outside event that was applied to the order."""
    return _key(order_partition(order_id), f"{MARKER_PREFIX}{fingerprint(event_id)}")


def product_key(product_id: str) -> Key:
    """A product of the catalogue."""
    return _key(f"PRODUCT#{product_id}", "#PRODUCT")


def idempotency_key(customer_id: CustomerId, key: str) -> Key:
    """What a customer's idempotency key led to, kept for ever."""
    # Two attributes: no customer's id and key read together as another customer's.
    return _key(_idempotency_partition(customer_id), f"{KEY_PREFIX}{key}")


def erased_idempotency_key(customer_id: CustomerId, key: str) -> Key:
    """What ``idempotency_key`` led to, once the customer's data is erased: the key itself is in nobody's words any more."""
    return _key(_idempotency_partition(customer_id), f"ERASED_KEY#{fingerprint(key)}")


def _idempotency_partition(customer_id: CustomerId) -> str:
    return f"IDEMPOTENCY#{customer_id}"


def charge_key(key: str) -> Key:
    """The simulated gateway's ledger line for one idempotency key."""
    return _key(f"GATEWAY#{key}", "#CHARGE")


def booking_key(key: str) -> Key:
    """The simulated carrier's book entry for one idempotency key."""
    return _key(f"CARRIER#{key}", "#BOOKING")


# --- orders ---


def load(order_id: OrderId, *, to_show: bool = False) -> Snapshot:
    """An order with its payment and shipment, strongly consistent, one query.

    Raises:
        NotFound: there is no such order.
        NewerRow: it holds a value that this release does not know, and is not only ``to_show``.
    """
    answer = _call(
        client().query,
        TableName=settings.table_name(),
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :own)",
        ExpressionAttributeValues={":pk": {"S": order_partition(order_id)}, ":own": {"S": "#"}},
    )
    items = {item["SK"]["S"]: item for item in answer["Items"]}
    if "#ORDER" not in items:
        raise NotFound(f"There is no order {order_id}.")
    payment, shipment = items.get("#PAYMENT"), items.get("#SHIPMENT")
    snapshot = Snapshot(
        order_from_item(items["#ORDER"]),
        payment_from_item(payment) if payment else None,
        shipment_from_item(shipment) if shipment else None,
    )
    if not to_show:
        newer.refuse(newer.decided_on(snapshot))
    return snapshot


def load_order(order_id: OrderId, *, to_show: bool = False) -> Order:
    """The order's own item alone, strongly consistent, one read.

    Raises:
        NotFound: there is no such order.
        NewerRow: as ``load``.
    """
    answer = _call(client().get_item, TableName=settings.table_name(), Key=order_key(order_id), ConsistentRead=True)
    if "Item" not in answer:
        raise NotFound(f"There is no order {order_id}.")
    order = order_from_item(answer["Item"])
    if not to_show:
        newer.refuse(newer.decided_on(Snapshot(order)))
    return order


@dataclass(frozen=True, slots=True)
class Promise:
    """What an idempotency key was first used for."""

    customer_id: CustomerId
    key: str
    digest: RequestDigest
    order_id: OrderId


def commit(change: Change, promise: Promise | None = None) -> None:
    """Writes one change, all of it or nothing, on the condition that the order is still as the change found it.

    Raises:
        OrderChanged: somebody else was first; re-read and decide again.
        AlreadyApplied: the outside event behind the change was applied before.
        AlreadyExists: a new order's id, or the promise's idempotency key, is taken.
        OutOfStock: a product has less than the change takes.
        StoreBusy: throttled, or another transaction holds one of the items.
    """
    actions = _actions(change, promise)
    try:
        _call(client().transact_write_items, TransactItems=[action for _, action in actions])
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons", [])
        failed = [name for (name, _), reason in zip(actions, reasons, strict=False) if reason.get("Code") == CONDITION_FAILED]
        if not failed:
            raise
        raise _lost(change, failed) from error


def _lost(change: Change, failed: list[str]) -> OrderError:
    """Why a change could not be committed, from the names of the conditions that failed."""
    order_id = change.order.order_id
    short = [name.removeprefix(STOCK_OF) for name in failed if name.startswith(STOCK_OF)]
    if MARKER in failed:
        return AlreadyApplied(f"Event {change.marker} has been applied before.")
    if short and ORDER not in failed:
        return OutOfStock(f"Not enough in stock: {', '.join(short)}.", products=short)
    if change.before is None:
        return AlreadyExists(f"Order {order_id} exists already.")
    return OrderChanged(f"Order {order_id} has changed meanwhile.")


ORDER, EVENT, PAYMENT, SHIPMENT, MARKER, PROMISE, ERASED_PROMISE, STOCK_OF = (
    "order",
    "event",
    "payment",
    "shipment",
    "marker",
    "promise",
    "erased promise",
    "stock of ",
)


def _actions(change: Change, promise: Promise | None) -> list[tuple[str, Any]]:
    """Everything one change writes, each part by its name."""
    order_id, is_new = change.order.order_id, "attribute_not_exists(PK)"
    actions = [(ORDER, _order_action(change)), (EVENT, _put(event_to_item(change.event), is_new))]
    if change.payment is not None:
        actions.append((PAYMENT, {"Update": _update(*_all_known(payment_to_item(order_id, change.payment), PAYMENT_OPTIONAL))}))
    if change.shipment is not None:
        actions.append(
            (SHIPMENT, {"Update": _update(*_all_known(shipment_to_item(order_id, change.shipment), SHIPMENT_OPTIONAL))})
        )
    if change.marker is not None:
        actions.append((MARKER, _put(_marker_to_item(change), is_new)))
    if promise is not None:
        erased = {
            "TableName": settings.table_name(),
            "Key": erased_idempotency_key(promise.customer_id, promise.key),
            "ConditionExpression": is_new,
        }
        actions.append((PROMISE, _put(_promise_to_item(promise), is_new)))
        actions.append((ERASED_PROMISE, {"ConditionCheck": erased}))
    actions.extend((f"{STOCK_OF}{product_id}", _move_stock(product_id, delta)) for product_id, delta in change.stock.items())
    return actions


def _order_action(change: Change) -> Any:
    item = order_to_item(change.order)
    if change.before is None:
        return _put(item, "attribute_not_exists(PK)")
    found = order_to_item(change.before)
    changed = {name: value for name, value in item.items() if found.get(name) != value}
    gone = [name for name in found if name not in item]
    action = _update(order_key(change.order.order_id), changed, gone, "#version = :version AND #status = :status")
    action["ExpressionAttributeNames"] |= {"#version": "version", "#status": "status"}
    action["ExpressionAttributeValues"] |= {":version": found["version"], ":status": found["status"]}
    return {"Update": action}


PAYMENT_OPTIONAL = ("failure_reason", "refunded_at")
SHIPMENT_OPTIONAL = (
    "tracking_number",
    "current_location",
    "estimated_delivery",
    "scanned_at",
    "sender",
    "exact_status",
    "scans",
    "delivered_at",
    "unconfirmed_delivery_at",
    "GSI1PK",
    "GSI1SK",
    "recalled",
)
ATTEMPTED, ATTEMPTED_OPTIONAL = ("status", "attempts", "tries"), ("next_attempt_at",)
"""What an attempt changes of a delivery, and what of it the row may lose. Not its payload: an erasure may have rewritten it
while the attempt was under way.
"""


def _all_known(item: Item, optional: Iterable[str]) -> tuple[Key, Item, list[str]]:
    """An item as an update of all that this release knows: its key, its attributes, and those that it has no more."""
    key = {name: item[name] for name in ("PK", "SK")}
    attributes = {name: value for name, value in item.items() if name not in key}
    return key, attributes, [name for name in optional if name not in item]


def _update(key: Key, changed: Item, gone: Sequence[str], condition: str | None = None) -> dict[str, Any]:
    """An update of some attributes; what it does not name stays, whichever release has written it.

    The names and values that the condition has of its own are the caller's to add.
    """
    names = {f"#{position}": name for position, name in enumerate([*changed, *gone])}
    assigned = ", ".join(f"#{position} = :{position}" for position in range(len(changed)))
    removed = ", ".join(f"#{position}" for position in range(len(changed), len(names)))
    parts = ([f"SET {assigned}"] if assigned else []) + ([f"REMOVE {removed}"] if removed else [])
    values = {f":{position}": value for position, value in enumerate(changed.values())}
    return {
        "TableName": settings.table_name(),
        "Key": key,
        "UpdateExpression": " ".join(parts),
        "ExpressionAttributeNames": names,
        **({"ExpressionAttributeValues": values} if values else {}),
        **({"ConditionExpression": condition} if condition else {}),
    }


def _put(item: Item, condition: str | None = None) -> dict[str, Any]:
    action = {"TableName": settings.table_name(), "Item": item}
    return {"Put": action | ({"ConditionExpression": condition} if condition else {})}


def _move_stock(product_id: str, delta: int) -> dict[str, Any]:
    condition = "stock >= :wanted" if delta < 0 else "attribute_exists(PK)"
    wanted = {":wanted": {"N": str(-delta)}} if delta < 0 else {}
    return {
        "Update": {
            "TableName": settings.table_name(),
            "Key": product_key(product_id),
            "UpdateExpression": "ADD stock :delta",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":delta": {"N": str(delta)}} | wanted,
        }
    }


def promised(customer_id: CustomerId, key: str) -> Promise | None:
    """What the customer's idempotency key was used for before, if it was, an erasure in between or not."""
    for place in (idempotency_key(customer_id, key), erased_idempotency_key(customer_id, key)):
        answer = _call(client().get_item, TableName=settings.table_name(), Key=place, ConsistentRead=True)
        if item := answer.get("Item"):
            digest = RequestDigest(_text(item, "digest"), item["fingerprint"]["S"])
            return Promise(customer_id, key, digest, OrderId(item["order_id"]["S"]))
    return None


def postpone(place: "Reference", due_at: datetime) -> bool:
    """Tells the sweep to look again later, unless the order has moved in the index meanwhile (returns ``False`` then).

    Needs nothing of the order but its place: one that cannot be read gets behind the others too.
    """
    try:
        _call(
            client().update_item,
            TableName=settings.table_name(),
            Key=order_key(place.order_id),
            UpdateExpression="SET due_at = :due, GSI3SK = :sort",
            ConditionExpression="GSI3SK = :seen",
            ExpressionAttributeValues={
                ":due": {"S": timestamp(due_at)},
                ":sort": {"S": _due_sort(place.order_id, due_at)},
                ":seen": {"S": place.sort},
            },
        )
    except ClientError as error:
        if _code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def history(order_id: OrderId, after_version: int = 0) -> list[Event]:
    """The audit trail, oldest first, from the version behind ``after_version`` on."""
    pages = _pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":pk": {"S": order_partition(order_id)},
            ":from": {"S": f"{EVENT_PREFIX}{after_version + 1:08d}"},
            ":to": {"S": f"{EVENT_PREFIX}~"},
        },
    )
    return [event_from_item(item) for item in pages]


# --- parcels and scans ---


def order_of_parcel(tracking_number: TrackingNumber) -> OrderId | None:
    """The order whose parcel carries the tracking number, if one does."""
    for partition in _parcel_partitions(tracking_number):
        pages = _pages(
            IndexName=BY_KEY,
            KeyConditionExpression="GSI1PK = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            Limit=1,
        )
        if found := next(pages, None):
            return _order_id(found)
    return None


def keep_scan(tracking_number: TrackingNumber, event_id: str, at: datetime, event: Mapping[str, Any], now: datetime) -> None:
    """Keeps what a carrier reported, before it is passed on: ``scans`` finds it even if the passing on fails.

    By the parcel and not by the order: a carrier may report a parcel before we have written down whose it is.
    """
    key = _key(parcel_partition(tracking_number), f"{SCAN_PREFIX}{timestamp(at)}#{fingerprint(event_id)}")
    expires = int((now + MARKERS_KEPT).timestamp())
    text = {"kind": "scan", "event_id": event_id, "event": _json(event)}
    _call(
        client().put_item,
        TableName=settings.table_name(),
        Item={**key, **_texts(text), **_numbers({"expires_at_epoch": expires})},
    )


def erased_parcel_key(tracking_number: TrackingNumber) -> Key:
    """That a number was replaced on a parcel of an erased order."""
    return _key(parcel_partition(tracking_number), "#ERASED")


def erase_parcel(tracking_number: TrackingNumber, erased_at: datetime) -> None:
    """Notes that nothing more is kept of a number which leads to no order any more, and removes what was.

    For as long as a carrier may repeat itself: carriers give their numbers to other parcels in the end.
    """
    expires = int((erased_at + MARKERS_KEPT).timestamp())
    item = {
        **erased_parcel_key(tracking_number),
        **_texts({"kind": "erased parcel"}),
        **_numbers({"expires_at_epoch": expires}),
    }
    _call(client().put_item, TableName=settings.table_name(), Item=item)
    remove_scans(tracking_number)


def is_erased_parcel(tracking_number: TrackingNumber, now: datetime) -> bool:
    """Whether the number was a parcel's of an order whose customer's personal data has been erased."""
    key = erased_parcel_key(tracking_number)
    answer = _call(client().get_item, TableName=settings.table_name(), Key=key, ConsistentRead=True)
    return "Item" in answer and int(answer["Item"]["expires_at_epoch"]["N"]) > now.timestamp()


def erased_orders(order_ids: Iterable[OrderId]) -> frozenset[OrderId]:
    """Those of the orders whose customer's personal data has been erased."""
    found = _batch_get([order_key(order_id) for order_id in set(order_ids)])
    return frozenset(_order_id(item) for item in found if "erased_at" in item)


def scans(tracking_number: TrackingNumber) -> list[dict[str, Any]]:
    """What carriers reported of a parcel, by the scans' own times."""
    return [json.loads(item["event"]["S"]) for item in _scan_items(tracking_number)]


def _scan_items(tracking_number: TrackingNumber) -> Iterator[Item]:
    pages = (
        _pages(
            ConsistentRead=True,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :scan)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":scan": {"S": SCAN_PREFIX}},
        )
        for partition in _parcel_partitions(tracking_number)
    )
    return merge(*pages, key=lambda item: str(item["SK"]["S"]))


# --- lists ---


@dataclass(frozen=True, slots=True)
class Reference:
    """An order's place in a list that is sorted newest first; ``sort`` is unique and ordered by creation."""

    order_id: OrderId
    sort: str


def orders_of_customer(customer_id: CustomerId, before: str | None = None, page: int = 50) -> Iterator[Reference]:
    """A customer's orders, newest first, from behind the place ``before`` on; read page by page as they are asked for."""
    return _newest_first(BY_KEY, "GSI1", f"CUSTOMER#{customer_id}", before, page)


def orders_in_status(status: OrderStatus, before: str | None = None, page: int = 50) -> Iterator[Reference]:
    """All orders of one status, newest first, from behind the place ``before`` on."""
    return _newest_first(BY_STATUS, "GSI2", f"STATUS#{status.value}", before, page)


def _newest_first(index: str, prefix: str, partition: str, before: str | None, page: int) -> Iterator[Reference]:
    values = {":pk": {"S": partition}} | ({":before": {"S": before}} if before else {})
    condition = f"{prefix}PK = :pk" + (f" AND {prefix}SK < :before" if before else "")
    pages = _pages(
        IndexName=index,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
        Limit=page,
    )
    return (Reference(_order_id(item), item[f"{prefix}SK"]["S"]) for item in pages)


def count_in_status(status: OrderStatus, placed_before: datetime) -> int:
    """How many orders of a status were placed before a moment; counted by the index, no order is read."""
    counted = 0
    for answer in _answers(
        IndexName=BY_STATUS,
        Select="COUNT",
        KeyConditionExpression="GSI2PK = :pk AND GSI2SK < :before",
        ExpressionAttributeValues={":pk": {"S": f"STATUS#{status.value}"}, ":before": {"S": timestamp(placed_before)}},
    ):
        counted += int(answer["Count"])
    return counted


def orders_due(until: datetime | None, after: str | None = None, page: int = 100) -> Iterator[Reference]:
    """Open orders nothing has happened to in time, longest overdue first, from behind the place ``after`` on.

    ``None`` takes the open orders that are not due yet too.
    """
    pages = _pages(
        IndexName=BY_DUE,
        KeyConditionExpression="GSI3PK = :pk AND GSI3SK BETWEEN :from AND :until",
        ExpressionAttributeValues={
            ":pk": {"S": "DUE"},
            # No order id holds a character below this one, so it stands right behind the place and before the next.
            ":from": {"S": f"{after}!" if after else "0"},
            ":until": {"S": f"{timestamp(until) if until else ''}~"},
        },
        Limit=page,
    )
    return (Reference(_order_id(item), item["GSI3SK"]["S"]) for item in pages)


def _due_sort(order_id: OrderId, due_at: datetime) -> str:
    return f"{timestamp(due_at)}#{order_id}"


def orders_placed_before(status: OrderStatus, until: datetime, after: str | None = None, page: int = 50) -> Iterator[Reference]:
    """Orders of a status that were placed before a moment, the oldest first, from behind the place ``after`` on."""
    pages = _pages(
        IndexName=BY_STATUS,
        KeyConditionExpression="GSI2PK = :pk AND GSI2SK BETWEEN :from AND :until",
        ExpressionAttributeValues={
            ":pk": {"S": f"STATUS#{status.value}"},
            ":from": {"S": f"{after}!" if after else "0"},
            ":until": {"S": timestamp(until)},
        },
        Limit=page,
    )
    return (Reference(_order_id(item), item["GSI2SK"]["S"]) for item in pages)


def orders_by_id(order_ids: Sequence[OrderId]) -> list[Order]:
    """Whole orders in the order of their ids; ids that lead nowhere are left out."""
    found: dict[str, Order] = {}
    # An index that lags behind may name an order twice; one request may not.
    for item in _batch_get([order_key(order_id) for order_id in dict.fromkeys(order_ids)]):
        order = order_from_item(item)
        found[order.order_id] = order
    return [found[order_id] for order_id in order_ids if order_id in found]


def with_parts(orders: Sequence[Order], *, payments: bool, shipments: bool) -> list[Snapshot]:
    """Each order with what is asked for of its payment and its parcel, read for all of them at once."""
    ids = [order.order_id for order in orders]
    keys = [payment_key(order_id) for order_id in ids if payments] + [shipment_key(order_id) for order_id in ids if shipments]
    items = {(_order_id(item), item["SK"]["S"]): item for item in _batch_get(keys)}

    def whole(order: Order) -> Snapshot:
        payment, shipment = (items.get((order.order_id, sort)) for sort in ("#PAYMENT", "#SHIPMENT"))
        return Snapshot(
            order,
            payment_from_item(payment) if payment else None,
            shipment_from_item(shipment) if shipment else None,
        )

    return [whole(order) for order in orders]


def _order_id(item: Item) -> OrderId:
    return OrderId(str(item["PK"]["S"]).removeprefix("ORDER#"))


# --- products ---


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalogue; ``stock`` is what is neither sold nor reserved."""

    product_id: str
    name: str
    unit_price: Money
    stock: int


def products(product_ids: Iterable[str]) -> dict[str, Product]:
    """Those of the asked products that exist."""
    keys = [product_key(product_id) for product_id in product_ids]
    return {product.product_id: product for product in map(_product_from_item, _batch_get(keys))}


def product(product_id: str) -> Product:
    """One product.

    Raises:
        NotFound: there is none of that id.
    """
    found = products([product_id])
    if product_id not in found:
        raise NotFound(f"There is no product {product_id}.")
    return found[product_id]


def catalogue(after: str | None = None, page: int = 100) -> Iterator[str]:
    """Ids of all products in their order, from behind ``after`` on."""
    values: Item = {":pk": {"S": "CATALOGUE"}} | ({":after": {"S": after}} if after else {})
    pages = _pages(
        IndexName=BY_KEY,
        KeyConditionExpression="GSI1PK = :pk" + (" AND GSI1SK > :after" if after else ""),
        ExpressionAttributeValues=values,
        Limit=page,
    )
    return (str(item["GSI1SK"]["S"]) for item in pages)


def save_product(product: Product) -> None:
    """Creates the product, or sets its name, price and stock as given.

    Without a condition, on purpose: the catalogue's keeper has counted, and the last count is the one that holds.
    """
    _call(
        client().update_item,
        TableName=settings.table_name(),
        Key=product_key(product.product_id),
        UpdateExpression="SET #kind = :kind, product_id = :id, #name = :name, amount = :amount, currency = :currency, "
        "stock = :stock, GSI1PK = :catalogue, GSI1SK = :id",
        ExpressionAttributeNames={"#kind": "kind", "#name": "name"},
        ExpressionAttributeValues={
            ":kind": {"S": "product"},
            ":id": {"S": product.product_id},
            ":name": {"S": product.name},
            ":amount": {"N": str(product.unit_price.amount)},
            ":currency": {"S": product.unit_price.currency},
            ":stock": {"N": str(product.stock)},
            ":catalogue": {"S": "CATALOGUE"},
        },
    )


def _product_from_item(item: Item) -> Product:
    price = Money(int(item["amount"]["N"]), item["currency"]["S"])
    return Product(item["product_id"]["S"], item["name"]["S"], price, int(item["stock"]["N"]))


# --- statistics ---

LANES = 8
"""The counters are spread over this many items, so that batches counted at the same time seldom meet."""


MOST_COUNTERS = 150
"""Counters that one update adds to. Each takes up to eleven bytes of its expression, well inside DynamoDB's 4,096."""
MOST_COUNTED = 98
"""Events counted in one transaction of a hundred actions: each is marked, one update holds the sums, and one their day's."""


def count(lane: int, told: Sequence[Told]) -> int:
    """Adds notifications to the counters, each at most once for ever; answers how many were new.

    As many transactions as DynamoDB's limits ask for: one, unless the orders are in very many currencies.

    Raises:
        StoreBusy: not all were counted; all may be counted again.
    """
    fresh = {one.event_id: one for one in told}
    return sum(_count_new(lane % LANES, batch) for batch in _within_limits(fresh.values()))


def _within_limits(told: Iterable[Told]) -> Iterator[list[Told]]:
    batch: list[Told] = []
    names: set[str] = set()
    of_day: set[str] = set()
    for one in told:
        most = max(len(names | one.counters.keys()), len(of_day | one.of_day.keys()))
        if batch and (len(batch) == MOST_COUNTED or most > MOST_COUNTERS or one.day != batch[0].day):
            yield batch
            batch, names, of_day = [], set(), set()
        batch.append(one)
        names |= one.counters.keys()
        of_day |= one.of_day.keys()
    if batch:
        yield batch


def _count_new(lane: int, told: Sequence[Told]) -> int:
    """Counts what has not been counted before, in one transaction."""
    fresh = {one.event_id: one for one in told}
    while fresh:
        try:
            _count_at_once(lane, list(fresh.values()))
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons", [])
            known = [one for one, why in zip(list(fresh), reasons, strict=False) if why.get("Code") == CONDITION_FAILED]
            if not known:
                raise
            for event_id in known:
                del fresh[event_id]
        else:
            return len(fresh)
    return 0


def _count_at_once(lane: int, told: Sequence[Told]) -> None:
    sums = [_add(_key("STATISTICS", f"LANE#{lane}"), added(one.counters for one in told))]
    if of_day := added(one.of_day for one in told):
        sums.append(_add(_key("DAYS", f"DAY#{told[0].day}#{lane}"), of_day))
    marks = [
        {
            "Update": {
                "TableName": settings.table_name(),
                "Key": event_key(one.order_id, one.version),
                "UpdateExpression": "ADD counted :id",
                "ConditionExpression": "attribute_exists(PK) AND NOT contains(counted, :text)",
                "ExpressionAttributeValues": {":id": {"SS": [one.event_id]}, ":text": {"S": one.event_id}},
            }
        }
        for one in told
    ]
    _call(client().transact_write_items, TransactItems=[*marks, *sums])


def _add(key: Key, counters: Counters) -> dict[str, Any]:
    addition = ", ".join(f"#{position} :{position}" for position in range(len(counters)))
    update = {
        "TableName": settings.table_name(),
        "Key": key,
        "UpdateExpression": f"ADD {addition}",
        "ExpressionAttributeNames": {f"#{position}": name for position, name in enumerate(counters)},
        "ExpressionAttributeValues": {
            f":{position}": {"N": str(int(value))} for position, value in enumerate(counters.values())
        },
    }
    return {"Update": update}


def counters_by_day(first: date, last: date) -> dict[str, Counters]:
    """The counters of each day on which anything happened, both ends included; a day's lanes are summed."""
    pages = _pages(
        KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":pk": {"S": "DAYS"},
            ":first": {"S": f"DAY#{first.isoformat()}"},
            ":last": {"S": f"DAY#{last.isoformat()}~"},
        },
    )
    lanes: dict[str, list[Counters]] = {}
    for item in pages:
        lanes.setdefault(item["SK"]["S"].split("#")[1], []).append(_counters_of(item))
    return {day: added(parts) for day, parts in lanes.items()}


def _counters_of(item: Item) -> Counters:
    return {name: int(value["N"]) for name, value in item.items() if name not in ("PK", "SK")}


def counters() -> Counters:
    """All counters, summed over their lanes."""
    pages = _pages(KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": "STATISTICS"}})
    return added(map(_counters_of, pages))


# --- webhooks ---

WEBHOOKS, REMOVED_WEBHOOKS = "WEBHOOKS", "REMOVED_WEBHOOKS"
"""The index's partitions of the subscriptions, and of those that have ended but whose deliveries are still kept."""


def webhook_key(webhook_id: str) -> Key:
    """A webhook subscription."""
    return _key(f"WEBHOOK#{webhook_id}", "#WEBHOOK")


def delivery_key(webhook_id: str, delivery_id: str) -> Key:
    """One event on its way to one webhook; delivery ids sort by time."""
    return _key(f"WEBHOOK#{webhook_id}", f"DELIVERY#{delivery_id}")


def add_webhook(webhook: Webhook) -> None:
    """Adds a subscription; its id is new."""
    _call(
        client().put_item,
        TableName=settings.table_name(),
        Item=webhook_to_item(webhook),
        ConditionExpression="attribute_not_exists(PK)",
    )


def change_webhook(webhook_id: str, change: Callable[[Webhook], Webhook]) -> Webhook:
    """Changes a subscription as it is now; whoever loses against another change does it again.

    Raises:
        NotFound: there is no such subscription (any more).
        NewerRow: its status is one of a later release.
        OrderChanged: it kept changing.
    """
    for _ in range(5):
        item = _webhook_item(webhook_id)
        before = webhook_from_item(item)
        newer.refuse([before.status])
        after = change(before)
        if after == before:
            return after
        document = webhook_to_item(after)["document"]
        update = _update(webhook_key(webhook_id), {"document": document}, (), "document = :before")
        update["ExpressionAttributeValues"] |= {":before": item["document"]}
        try:
            _call(client().update_item, **update)
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
        else:
            return after
    raise OrderChanged(f"Webhook {webhook_id} keeps changing.")


def webhook(webhook_id: str) -> Webhook:
    """One subscription.

    Raises:
        NotFound: there is none of that id.
    """
    return webhook_from_item(_webhook_item(webhook_id))


def _webhook_item(webhook_id: str) -> Item:
    answer = _call(client().get_item, TableName=settings.table_name(), Key=webhook_key(webhook_id), ConsistentRead=True)
    if "document" not in answer.get("Item", {}):
        raise NotFound(f"There is no webhook {webhook_id}.")
    item: Item = answer["Item"]
    return item


def webhooks() -> list[Webhook]:
    """All subscriptions, the oldest first."""
    keys = [webhook_key(webhook_id) for webhook_id in _webhook_ids(WEBHOOKS)]
    items = {item["PK"]["S"]: item for item in _batch_get(keys) if "document" in item}
    return sorted((webhook_from_item(item) for item in items.values()), key=lambda found: found.webhook_id)


def _webhook_ids(partition: str) -> Iterator[str]:
    """The ids of the subscriptions in one partition of the index: ``WEBHOOKS`` or ``REMOVED_WEBHOOKS``."""
    pages = _pages(
        IndexName=BY_KEY,
        KeyConditionExpression="GSI1PK = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    return (str(found["PK"]["S"]).removeprefix("WEBHOOK#") for found in pages)


def remove_webhook(webhook_id: str, now: datetime) -> None:
    """Ends a subscription; what is still owed to it is dropped when it comes up.

    Its id stays for as long as its deliveries do, without its address and its secrets: an erasure has to find them.

    Raises:
        NotFound: there is none of that id.
    """
    try:
        _call(
            client().update_item,
            TableName=settings.table_name(),
            Key=webhook_key(webhook_id),
            UpdateExpression="SET GSI1PK = :removed, expires_at_epoch = :expires REMOVE document",
            ConditionExpression="attribute_exists(document)",
            ExpressionAttributeValues={
                ":removed": {"S": REMOVED_WEBHOOKS},
                ":expires": {"N": str(int((now + 2 * DELIVERIES_KEPT).timestamp()))},
            },
        )
    except ClientError as error:
        if _code(error) == "ConditionalCheckFailedException":
            raise NotFound(f"There is no webhook {webhook_id}.") from error
        raise


MOST_ACTIONS = 100
"""So many items one transaction may hold."""


def add_deliveries(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Writes down what is to be delivered, ``MOST_ACTIONS`` at most and each once; returns what has to be queued.

    One that was written down before keeps what has become of it, and is queued again only while no attempt was made: it may
    not have been queued then. A transaction and not a batch: only that has conditions.

    Raises:
        StoreBusy: nothing, or not all, was written; all may be written again.
    """
    fresh, unqueued = list(deliveries), list[Delivery]()
    while fresh:
        try:
            _call(client().transact_write_items, TransactItems=[_add_delivery(one) for one in fresh])
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons", [])
            known = {place: why for place, why in enumerate(reasons) if why.get("Code") == CONDITION_FAILED}
            if not known:
                raise
            unqueued += [fresh[place] for place, why in known.items() if not why.get("Item") or _is_untried(why["Item"])]
            fresh = [one for place, one in enumerate(fresh) if place not in known]
        else:
            break
    return fresh + unqueued


def _add_delivery(delivery: Delivery) -> Any:
    action = _put(delivery_to_item(delivery), "attribute_not_exists(PK)")
    action["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return action


def _is_untried(item: Item) -> bool:
    return bool(item["tries"]["N"] == "0" and item["status"]["S"] == DeliveryStatus.PENDING.value)


def save_delivery(before: Delivery, after: Delivery) -> bool:
    """Writes what a delivery has become; ``False`` when another attempt was noted meanwhile.

    Raises:
        NewerRow: its status is one of a later release.
    """
    newer.refuse([before.status])
    item = delivery_to_item(after)
    changed = {name: item[name] for name in (*ATTEMPTED, *ATTEMPTED_OPTIONAL) if name in item}
    gone = [name for name in ATTEMPTED_OPTIONAL if name not in item]
    key = delivery_key(after.webhook_id, after.delivery_id)
    update = _update(key, changed, gone, "tries = :tries")
    update["ExpressionAttributeValues"] |= {":tries": {"N": str(len(before.attempts))}}
    try:
        _call(client().update_item, **update)
    except ClientError as error:
        if _code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def delivery(webhook_id: str, delivery_id: str) -> Delivery:
    """One delivery.

    Raises:
        NotFound: there is none of that id (any more).
    """
    key = delivery_key(webhook_id, delivery_id)
    answer = _call(client().get_item, TableName=settings.table_name(), Key=key, ConsistentRead=True)
    if "Item" not in answer:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery_from_item(answer["Item"])


def deliveries(webhook_id: str, before: str | None = None, page: int = 50, *, consistent: bool = False) -> Iterator[Delivery]:
    """A webhook's deliveries, newest first, from behind the one with the id ``before`` on."""
    until = f"DELIVERY#{before}" if before else "DELIVERY#~"
    pages = _pages(
        ConsistentRead=consistent,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":pk": {"S": f"WEBHOOK#{webhook_id}"},
            ":from": {"S": "DELIVERY#"},
            ":to": {"S": until},
        },
        ScanIndexForward=False,
        Limit=page,
    )
    return (delivery_from_item(item) for item in pages if item["SK"]["S"] != until)


def webhook_to_item(webhook: Webhook) -> Item:
    """A subscription as its item, secrets included: the table is encrypted, and no view or stream consumer reads it."""
    document = {
        "url": webhook.url,
        "events": list(webhook.events),
        "secrets": [[secret.text, _when(secret.until)] for secret in webhook.secrets],
        "created_at": timestamp(webhook.created_at),
        "status": webhook.status.value,
        "failing_since": _when(webhook.failing_since),
        "disabled_reason": webhook.disabled_reason,
    }
    document |= webhook.unknown
    text = {
        "kind": "webhook",
        "webhook_id": webhook.webhook_id,
        "document": _json(document),
        "GSI1PK": WEBHOOKS,
        "GSI1SK": webhook.webhook_id,
    }
    return {**webhook_key(webhook.webhook_id), **_texts(text)}


_WEBHOOK = {"url", "events", "secrets", "created_at", "status", "failing_since", "disabled_reason"}


def webhook_from_item(item: Item) -> Webhook:
    """The subscription an item holds."""
    document = _loads(item, "document")
    failing = document["failing_since"]
    return Webhook(
        webhook_id=item["webhook_id"]["S"],
        url=document["url"],
        events=tuple(document["events"]),
        secrets=tuple(Secret(text, moment(until) if until else None) for text, until in document["secrets"]),
        created_at=moment(document["created_at"]),
        status=named(WebhookStatus, document["status"]),
        failing_since=moment(failing) if failing else None,
        disabled_reason=document["disabled_reason"],
        unknown=_besides(document, _WEBHOOK),
    )


def delivery_to_item(delivery: Delivery) -> Item:
    """A delivery as its item, kept for thirty days."""
    attempts = [[timestamp(one.at), one.duration_ms, one.status_code, one.error] for one in delivery.attempts]
    text = {
        "kind": "delivery",
        "webhook_id": delivery.webhook_id,
        "delivery_id": delivery.delivery_id,
        "event_type": delivery.event_type,
        "payload": delivery.payload,
        "created_at": timestamp(delivery.created_at),
        "status": delivery.status.value,
        "attempts": _json(attempts),
        "next_attempt_at": _when(delivery.next_attempt_at),
    }
    expires = int((delivery.created_at + DELIVERIES_KEPT).timestamp())
    numbers = {"tries": len(delivery.attempts), "expires_at_epoch": expires}
    return {**delivery_key(delivery.webhook_id, delivery.delivery_id), **_texts(text), **_numbers(numbers)}


def delivery_from_item(item: Item) -> Delivery:
    """The delivery an item holds."""
    planned = _text(item, "next_attempt_at")
    return Delivery(
        webhook_id=item["webhook_id"]["S"],
        delivery_id=item["delivery_id"]["S"],
        event_type=item["event_type"]["S"],
        payload=item["payload"]["S"],
        created_at=moment(item["created_at"]["S"]),
        status=named(DeliveryStatus, item["status"]["S"]),
        attempts=tuple(Attempt(moment(at), taken, code, error) for at, taken, code, error in _loads(item, "attempts")),
        next_attempt_at=moment(planned) if planned else None,
    )


# --- ledgers of the simulated outside parties ---


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a simulated party's ledger: what an idempotency key led to."""

    key: str
    state: str
    facts: Mapping[str, Any]


def ledger_entry(key: Key) -> Entry | None:
    """The ledger's line for a key (``charge_key`` or ``booking_key``), if there is one."""
    answer = _call(client().get_item, TableName=settings.table_name(), Key=key, ConsistentRead=True)
    item = answer.get("Item")
    return _entry(item) if item and "state" in item else None


def open_ledger_entry(key: Key, state: str, facts: Mapping[str, Any]) -> Entry:
    """Writes the line unless the key has one; answers the line that counts: the first one written."""
    try:
        answer = _call(
            client().update_item,
            TableName=settings.table_name(),
            Key=key,
            UpdateExpression="SET #state = :state, facts = :facts",
            ConditionExpression="attribute_not_exists(#state)",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}, ":facts": {"S": _json(facts)}},
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if _code(error) != "ConditionalCheckFailedException":
            raise
        first: Any = error.response
        return _entry(first["Item"])
    return _entry(answer["Attributes"])


def move_ledger_entry(key: Key, state: str, wanted: str) -> bool:
    """Moves a line from one state to another; ``False`` when it was not in the first."""
    try:
        _call(
            client().update_item,
            TableName=settings.table_name(),
            Key=key,
            UpdateExpression="SET #state = :wanted",
            ConditionExpression="#state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}, ":wanted": {"S": wanted}},
        )
    except ClientError as error:
        if _code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def count_attempt(key: Key) -> int:
    """Counts a call of a faulty simulated party; answers how many there have been, this one included."""
    answer = _call(
        client().update_item,
        TableName=settings.table_name(),
        Key=key,
        UpdateExpression="ADD attempts :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["attempts"]["N"])


def _entry(item: Mapping[str, Any]) -> Entry:
    partition = str(item["PK"]["S"])
    return Entry(partition.split("#", 1)[1], item["state"]["S"], json.loads(item["facts"]["S"]))


# --- erasing personal data ---


def redact_trail(order_id: OrderId, without_person: Callable[[Event], Event]) -> None:
    """Rewrites an order's audit events without what is personal in them; their keys stay."""
    for event in history(order_id):
        redacted = event_to_item(without_person(event))
        changed: Item = {name: redacted[name] for name in ("reason", "metadata") if name in redacted}
        gone = [name for name in ("reason", "metadata") if name not in redacted]
        # Attribute by attribute: what the statistics have marked on the event stays.
        _set(event_key(order_id, event.version), changed, gone)


def redact_markers(order_id: OrderId) -> None:
    """Takes the senders' own ids from the markers of applied events; their keys go on telling repetitions."""
    pages = _pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :marker)",
        ExpressionAttributeValues={":pk": {"S": order_partition(order_id)}, ":marker": {"S": MARKER_PREFIX}},
    )
    for item in pages:
        _set({"PK": item["PK"], "SK": item["SK"]}, {}, ["event_id"])


def redact_idempotency_keys(customer_id: CustomerId) -> None:
    """Moves the customer's idempotency records to where a digest of the key leads: they hold on, and the key is gone.

    A key that has been moved before and taken anew since, by a release that does not look there, goes on leading to what it
    was first used for.

    Raises:
        OrderChanged: a record changed meanwhile; erasing again takes it.
    """
    pages = _pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :key)",
        ExpressionAttributeValues={":pk": {"S": _idempotency_partition(customer_id)}, ":key": {"S": KEY_PREFIX}},
    )
    for item in pages:
        _seal_promise(item, erased_idempotency_key(customer_id, item["SK"]["S"].removeprefix(KEY_PREFIX)))


def _seal_promise(item: Item, erased: Key) -> None:
    """Moves one idempotency record, unless its place is taken: it goes then, and what stands there stays."""
    if _transacted([_put({**item, **erased}, "attribute_not_exists(PK)"), _delete_promise(item)]):
        return
    is_taken = {"TableName": settings.table_name(), "Key": erased, "ConditionExpression": "attribute_exists(PK)"}
    if _transacted([{"ConditionCheck": is_taken}, _delete_promise(item)]):
        return
    answer = _call(client().get_item, TableName=settings.table_name(), Key=_key_of(item), ConsistentRead=True)
    if "Item" in answer:
        raise OrderChanged("An idempotency record has changed meanwhile.")


def _delete_promise(item: Item) -> Any:
    """Deletes the record that was read, and none that has taken its key since."""
    return {
        "Delete": {
            "TableName": settings.table_name(),
            "Key": _key_of(item),
            "ConditionExpression": "order_id = :order_id",
            "ExpressionAttributeValues": {":order_id": item["order_id"]},
        }
    }


def _key_of(item: Item) -> Key:
    return {name: item[name] for name in ("PK", "SK")}


def _transacted(actions: Sequence[Any]) -> bool:
    """Writes all of the actions; ``False`` when a condition of theirs does not hold, and nothing was written."""
    try:
        _call(client().transact_write_items, TransactItems=actions)
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons", [])
        if not any(reason.get("Code") == CONDITION_FAILED for reason in reasons):
            raise
        return False
    return True


def remove_scans(tracking_number: TrackingNumber) -> None:
    """Removes the carriers' reports of a parcel: each may hold a place, a name or the carrier's words."""
    for item in _scan_items(tracking_number):
        _call(client().delete_item, TableName=settings.table_name(), Key={"PK": item["PK"], "SK": item["SK"]})


def redact_booking(shipment_id: str, placeholder: str) -> None:
    """Rewrites the simulated carrier's book entry without the person the parcel was for."""
    entry = ledger_entry(booking_key(shipment_id))
    if entry:
        facts = {name: value if name == "country" else placeholder for name, value in entry.facts.items()}
        _set(booking_key(shipment_id), {"facts": {"S": _json(facts)}}, [])


def redact_deliveries(order_ids: frozenset[OrderId], without_words: Callable[[str], str]) -> None:
    """Rewrites the payloads of these orders' events for webhooks, those of removed subscriptions included."""
    for webhook_id in (*_webhook_ids(WEBHOOKS), *_webhook_ids(REMOVED_WEBHOOKS)):
        for told in deliveries(webhook_id, consistent=True):
            payload = without_words(told.payload)
            if payload != told.payload and json.loads(told.payload)["data"].get("order_id") in order_ids:
                _set(delivery_key(webhook_id, told.delivery_id), {"payload": {"S": payload}}, [])


def _set(key: Key, attributes: Item, gone: Sequence[str]) -> None:
    """Sets some attributes of an item that exists and removes others; the rest of it stays as it is."""
    _call(client().update_item, **_update(key, attributes, gone, "attribute_exists(PK)"))


# --- item mapping ---


def order_to_item(order: Order) -> Item:
    """An order as its item; ``order_from_item`` is the inverse."""
    created = timestamp(order.created_at)
    text = {
        "kind": "order",
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status.value,
        "overall": order.overall.value,
        "method": order.method.value,
        "currency": order.total.currency,
        "created_at": created,
        "updated_at": timestamp(order.updated_at),
        "status_since": timestamp(order.status_since),
        "lines": _json([[line.product_id, line.name, line.quantity, line.unit_price.amount] for line in order.lines]),
        "address": _json(_address_to_json(order.shipping_address)),
        **_steps_to_texts(order),
        "payment_token": order.payment_token,
        "approval_token": order.approval_token,
        "delivery_token": order.delivery_token,
        "cancellation": _json(_cancellation_to_json(order.cancellation)) if order.cancellation else None,
        "approval": _json(_approval_to_json(order.approval)) if order.approval else None,
        "due_at": _when(order.due_at),
        "erased_at": _when(order.erased_at),
        "GSI1PK": f"CUSTOMER#{order.customer_id}",
        "GSI1SK": f"{created}#{order.order_id}",
        "GSI2PK": f"STATUS#{order.status.value}",
        "GSI2SK": f"{created}#{order.order_id}",
        "GSI3PK": "DUE" if order.due_at else None,
        "GSI3SK": _due_sort(order.order_id, order.due_at) if order.due_at else None,
    }
    numbers = {
        "version": order.version,
        "total": order.total.amount,
        "run": order.run,
        "unwind_run": order.unwind_run,
        **({"failed_runs": order.failed_runs} if order.failed_runs else {}),
    }
    return {**order_key(order.order_id), **_texts(text), **_numbers(numbers)}


def order_from_item(item: Item) -> Order:
    """The order an item holds."""
    currency = item["currency"]["S"]
    cancellation, approval = _loads(item, "cancellation"), _loads(item, "approval")
    due_at, erased_at = _text(item, "due_at"), _text(item, "erased_at")
    overall = named(OverallStatus, item["overall"]["S"])
    steps, unknown_steps = _steps_from_item(item, overall)
    return Order(
        order_id=OrderId(item["order_id"]["S"]),
        customer_id=CustomerId(item["customer_id"]["S"]),
        status=named(OrderStatus, item["status"]["S"]),
        version=int(item["version"]["N"]),
        lines=tuple(
            Line(product_id, name, quantity, Money(amount, currency))
            for product_id, name, quantity, amount, *_ in json.loads(item["lines"]["S"])
        ),
        total=Money(int(item["total"]["N"]), currency),
        shipping_address=_address_from_json(json.loads(item["address"]["S"])),
        method=named(PaymentMethod, item["method"]["S"]),
        created_at=moment(item["created_at"]["S"]),
        updated_at=moment(item["updated_at"]["S"]),
        status_since=moment(item["status_since"]["S"]),
        payment_token=_text(item, "payment_token"),
        steps=steps,
        unknown_steps=unknown_steps,
        overall=overall,
        cancellation=_cancellation_from_json(cancellation) if cancellation else None,
        approval=_approval_from_json(approval) if approval else None,
        run=int(item["run"]["N"]),
        unwind_run=int(item["unwind_run"]["N"]),
        failed_runs=int(item.get("failed_runs", {}).get("N", 0)),
        due_at=moment(due_at) if due_at else None,
        erased_at=moment(erased_at) if erased_at else None,
        approval_token=_text(item, "approval_token"),
        delivery_token=_text(item, "delivery_token"),
    )


def payment_to_item(order_id: OrderId, payment: Payment) -> Item:
    """A payment as its item; ``payment_from_item`` is the inverse."""
    text = {
        "kind": "payment",
        "order_id": order_id,
        "payment_id": payment.payment_id,
        "status": payment.status.value,
        "currency": payment.amount.currency,
        "method": payment.method.value,
        "failure_reason": payment.failure_reason,
        "refunded_at": _when(payment.refunded_at),
    }
    return {**payment_key(order_id), **_texts(text), **_numbers({"amount": payment.amount.amount})}


def payment_from_item(item: Item) -> Payment:
    """The payment an item holds."""
    refunded = _text(item, "refunded_at")
    return Payment(
        payment_id=item["payment_id"]["S"],
        status=named(PaymentStatus, item["status"]["S"]),
        amount=Money(int(item["amount"]["N"]), item["currency"]["S"]),
        method=named(PaymentMethod, item["method"]["S"]),
        failure_reason=_text(item, "failure_reason"),
        refunded_at=moment(refunded) if refunded else None,
    )


def shipment_to_item(order_id: OrderId, shipment: Shipment) -> Item:
    """A shipment as its item, found by tracking number too; ``shipment_from_item`` is the inverse."""
    estimated, scanned = shipment.estimated_delivery, shipment.scanned_at
    nearest = edition_one.shipment_status(shipment.status.value)
    text = {
        "kind": "shipment",
        "order_id": order_id,
        "shipment_id": shipment.shipment_id,
        "status": nearest,
        "exact_status": shipment.status.value if shipment.status.value != nearest else None,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "current_location": shipment.current_location,
        "estimated_delivery": _when(estimated),
        "scanned_at": _when(scanned),
        "sender": shipment.sender,
        "scans": _json([_detail_to_json(detail) for detail in shipment.scans]) if shipment.scans else None,
        "delivered_at": _when(shipment.delivered_at),
        "unconfirmed_delivery_at": _when(shipment.unconfirmed_delivery_at),
        "GSI1PK": shipment.tracking_number and parcel_partition(shipment.tracking_number),
        "GSI1SK": shipment.tracking_number and order_id,
    }
    recalled = {"recalled": {"BOOL": True}} if shipment.recalled else {}
    return {**shipment_key(order_id), **_texts(text), **recalled}


def shipment_from_item(item: Item) -> Shipment:
    """The shipment an item holds."""
    estimated, scanned = _text(item, "estimated_delivery"), _text(item, "scanned_at")
    tracked = _text(item, "tracking_number")
    delivered, unconfirmed = _text(item, "delivered_at"), _text(item, "unconfirmed_delivery_at")
    return Shipment(
        shipment_id=item["shipment_id"]["S"],
        status=named(ShipmentStatus, edition_one.exact_shipment_status(item["status"]["S"], _text(item, "exact_status"))),
        carrier=item["carrier"]["S"],
        tracking_number=TrackingNumber(tracked) if tracked else None,
        current_location=_text(item, "current_location"),
        estimated_delivery=moment(estimated) if estimated else None,
        scanned_at=moment(scanned) if scanned else None,
        recalled=item.get("recalled", {}).get("BOOL", False),
        sender=_text(item, "sender"),
        scans=tuple(_detail_from_json(row) for row in _loads(item, "scans") or ()),
        delivered_at=moment(delivered) if delivered else None,
        unconfirmed_delivery_at=moment(unconfirmed) if unconfirmed else None,
    )


def _detail_to_json(detail: TrackingDetail) -> list[Any]:
    return [timestamp(detail.at), detail.status.value, detail.location, detail.message]


def _detail_from_json(row: list[Any]) -> TrackingDetail:
    at, status, location, message, *_ = row
    return TrackingDetail(moment(at), named(ShipmentStatus, status), location, message)


def event_to_item(event: Event) -> Item:
    """An audit event as its item; ``event_from_item`` is the inverse."""
    text = {
        "kind": "event",
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "type": event.type.value,
        "status": event.status.value,
        "old_status": event.old_status and event.old_status.value,
        "at": timestamp(event.at),
        "by": event.by,
        "reason": event.reason,
        "metadata": _json(event.metadata) if event.metadata else None,
        "signals": _json([[signal.value, step and step.value] for signal, step in event.signals]) if event.signals else None,
        "measures": _json(_measures_to_json(event.measures)) if event.measures else None,
        "follow_up": event.follow_up and event.follow_up.value,
    }
    return {**event_key(event.order_id, event.version), **_texts(text), **_numbers({"version": event.version})}


def event_from_item(item: Item) -> Event:
    """The audit event an item, or a stream record's image, holds."""
    old_status, follow_up = _text(item, "old_status"), _text(item, "follow_up")
    measures = _loads(item, "measures")
    return Event(
        order_id=OrderId(item["order_id"]["S"]),
        customer_id=CustomerId(item["customer_id"]["S"]),
        version=int(item["version"]["N"]),
        type=named(EventType, item["type"]["S"]),
        status=named(OrderStatus, item["status"]["S"]),
        old_status=named(OrderStatus, old_status) if old_status else None,
        at=moment(item["at"]["S"]),
        by=item["by"]["S"],
        reason=_text(item, "reason"),
        metadata=_loads(item, "metadata") or {},
        signals=tuple(
            (named(Signal, signal), named(StepName, step) if step else None)
            for signal, step, *_ in _loads(item, "signals") or ()
        ),
        measures=_measures_from_json(measures) if measures else None,
        follow_up=named(FollowUp, follow_up) if follow_up else None,
    )


def _marker_to_item(change: Change) -> Item:
    # Its key tells a repetition; the id itself is the sender's text, and is not kept of an erased order.
    event_id = None if change.order.erased_at else change.marker
    text = {"kind": "marker", "order_id": change.order.order_id, "event_id": event_id}
    expires = int((change.event.at + MARKERS_KEPT).timestamp())
    key = marker_key(change.order.order_id, change.marker or "")
    return {**key, **_texts(text), **_numbers({"expires_at_epoch": expires, "version": change.order.version})}


def _promise_to_item(promise: Promise) -> Item:
    digest = promise.digest
    text = {"kind": "promise", "digest": digest.sent, "fingerprint": digest.fingerprint, "order_id": promise.order_id}
    return {**idempotency_key(promise.customer_id, promise.key), **_texts(text)}


_ADDRESS = ("name", "line1", "city", "postal_code", "country", "line2")


def _address_to_json(address: Address) -> dict[str, Any]:
    return {name: value for name in _ADDRESS if (value := getattr(address, name)) is not None} | dict(address.unknown)


def _address_from_json(fields: Mapping[str, Any]) -> Address:
    known = {name: fields[name] for name in _ADDRESS if name in fields}
    return Address(**known, unknown=_besides(fields, _ADDRESS))


def _besides(fields: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """What a later release has written beside the members that this one knows."""
    return {name: value for name, value in fields.items() if name not in known}


FURTHER_STEP = "step:"
"""What the attribute of a step that edition one did not have is called, before the step's name."""


def _steps_to_texts(order: Order) -> dict[str, str]:
    """Edition one's steps by their places, as it reads them; each further one in an attribute of its own."""
    rows = {step.name.value: _step_to_json(step) for step in order.steps}
    further = {f"{FURTHER_STEP}{name}": _json(row) for name, row in rows.items() if name not in edition_one.STEPS}
    return {"steps": _json([*(rows[name] for name in edition_one.STEPS), *order.unknown_steps]), **further}


def _steps_from_item(item: Item, overall: OverallStatus) -> tuple[tuple[Step, ...], tuple[Any, ...]]:
    """The steps that this release knows, by their names, and the rows behind those that it does not know."""
    listed = json.loads(item["steps"]["S"])
    rows = dict(zip(edition_one.STEPS, listed, strict=False))
    rows |= {name: row for name in STEPS if (row := _loads(item, f"{FURTHER_STEP}{name}"))}
    steps: list[Step] = []
    # From the last one: a step that the row does not have lies ahead, unless a later one has begun or the order is over.
    passed = overall not in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS)
    for name in reversed(STEPS):
        missing = Step(name, StepStatus.SKIPPED if passed else StepStatus.PENDING)
        step = _step_from_json(name, rows[name]) if name in rows else missing
        passed = passed or step.status is not StepStatus.PENDING
        steps.insert(0, step)
    return tuple(steps), tuple(listed[len(edition_one.STEPS) :])


def _step_to_json(step: Step) -> list[Any]:
    return [step.status.value, _when(step.started_at), _when(step.completed_at), step.error_message, *step.unknown]


def _step_from_json(name: StepName, row: list[Any]) -> Step:
    status, started, completed, message, *unknown = row
    return Step(
        name,
        named(StepStatus, status),
        moment(started) if started else None,
        moment(completed) if completed else None,
        message,
        tuple(unknown),
    )


def _cancellation_to_json(cancellation: Cancellation) -> dict[str, Any]:
    return {
        "reason": cancellation.reason.value,
        "at": timestamp(cancellation.at),
        "by": cancellation.by,
        "note": cancellation.note,
        **cancellation.unknown,
    }


def _cancellation_from_json(fields: Mapping[str, Any]) -> Cancellation:
    return Cancellation(
        named(CancelReason, fields["reason"]),
        moment(fields["at"]),
        fields["by"],
        fields["note"],
        _besides(fields, {"reason", "at", "by", "note"}),
    )


def _measures_to_json(measures: Measures) -> list[Any]:
    steps = {step.value: seconds for step, seconds in measures.step_seconds.items()}
    return [measures.total.amount, measures.total.currency, measures.status_seconds, steps]


def _measures_from_json(row: list[Any]) -> Measures:
    amount, currency, status_seconds, steps, *_ = row
    return Measures(Money(amount, currency), status_seconds, {named(StepName, name): taken for name, taken in steps.items()})


def _approval_to_json(approval: Approval) -> dict[str, Any]:
    return {
        "status": approval.status.value,
        "expires_at": timestamp(approval.expires_at),
        "decided_by": approval.decided_by,
        "reason": approval.reason,
        **approval.unknown,
    }


def _approval_from_json(fields: Mapping[str, Any]) -> Approval:
    return Approval(
        named(ApprovalStatus, fields["status"]),
        moment(fields["expires_at"]),
        fields["decided_by"],
        fields["reason"],
        _besides(fields, {"status", "expires_at", "decided_by", "reason"}),
    )


def _texts(fields: Mapping[str, str | None]) -> Item:
    return {name: {"S": value} for name, value in fields.items() if value is not None}


def _numbers(fields: Mapping[str, int]) -> Item:
    return {name: {"N": str(value)} for name, value in fields.items()}


def _text(item: Item, name: str) -> str | None:
    attribute = item.get(name)
    return attribute["S"] if attribute else None


def _when(moment_or_none: datetime | None) -> str | None:
    return timestamp(moment_or_none) if moment_or_none else None


def _times(value: Any) -> str:
    if isinstance(value, datetime):
        return timestamp(value)
    raise TypeError(f"{type(value).__name__} has no place in an item")


# Made once: `json.dumps` makes a new one for every call that is not of its own defaults, which takes longer than the call.
_json = json.JSONEncoder(separators=(",", ":"), default=_times, ensure_ascii=False).encode


def _loads(item: Item, name: str) -> Any:
    attribute = item.get(name)
    return json.loads(attribute["S"]) if attribute else None


# --- calls ---


def _call(operation: Callable[..., Any], **request: Any) -> Any:
    """Calls DynamoDB and gives faults that pass by themselves their own name."""
    aws.check_time()
    try:
        return operation(**request)
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons", [])
        codes = {reason.get("Code") for reason in reasons}
        conflict = "TransactionConflict" in codes or bool(codes & {"ThrottlingError", "ProvisionedThroughputExceeded"})
        if _code(error) in THROTTLED or _code(error) == "TransactionConflictException":
            raise StoreBusy("The table is busy.") from error
        if conflict and CONDITION_FAILED not in codes:
            raise StoreBusy("Another change of the same items is under way.") from error
        raise
    except (NoConnection, ReadTimeoutError) as error:
        raise StoreBusy("The table cannot be reached.") from error


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _pages(**request: Any) -> Iterator[Item]:
    for answer in _answers(**request):
        yield from answer["Items"]


def _answers(**request: Any) -> Iterator[Any]:
    start: Mapping[str, Any] | None = None
    while True:
        more = {"ExclusiveStartKey": start} if start else {}
        answer = _call(client().query, TableName=settings.table_name(), **request, **more)
        yield answer
        start = answer.get("LastEvaluatedKey")
        if not start:
            return


def _batch_get(keys: Sequence[Key]) -> Iterator[Item]:
    for first in range(0, len(keys), 100):
        yield from _get_all(keys[first : first + 100])


def _get_all(keys: Sequence[Key]) -> Iterator[Item]:
    """The items of one batch. What a table at its limit leaves out is asked for again, a few times and ever later.

    Raises:
        StoreBusy: it kept leaving some out.
    """
    table, wanted = settings.table_name(), keys
    for attempt in range(ATTEMPTS):
        answer = _call(client().batch_get_item, RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
        yield from answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not wanted:
            return
        if attempt < ATTEMPTS - 1:
            pause(attempt)
    raise StoreBusy("The table is busy.")
