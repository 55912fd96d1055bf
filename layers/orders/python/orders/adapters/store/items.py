"""Item mapping: orders, payments and shipments. What a later release has added to an item is kept."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orders.adapters.store import keys
from orders.adapters.store.attributes import Item, as_numbers, as_texts, json_of, text_of, time_from, to_json, when
from orders.adapters.store.codec import Codec
from orders.adapters.store.figure_items import counted_from_item
from orders.adapters.store.newer import named
from orders.adapters.store.refund_items import refund_from_item
from orders.adapters.store.return_items import return_from_item
from orders.domain import goods, legacy
from orders.domain.identifiers import OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Order, Snapshot, Step, moment, timestamp
from orders.domain.parcels import Shipment, TrackingDetail
from orders.domain.payment import Capture, Payment
from orders.domain.pricing import Discount
from orders.domain.refund import with_changed
from orders.domain.shortage import Shortage
from orders.domain.statuses import (
    CaptureStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import STEPS, StepName

_ORDER = Codec(
    Order,
    own=frozenset(
        {
            "lines",
            "total",
            "discounts",
            "metadata",
            "steps",
            "unknown_steps",
            "further_parcels",
            "restock",
            "shortage",
            "counted",
        }
    ),
    always=frozenset({"overall", "run", "unwind_run"}),
    with_nulls=frozenset({"cancellation", "approval"}),
    names={"shipping_address": "address"},
)
_PAYMENT = Codec(Payment, own=frozenset({"amount", "status", "provider", "captures"}))
_SHIPMENT = Codec(Shipment, own=frozenset({"status", "scans", "items"}))


def order_to_item(order: Order) -> Item:
    """An order as its item; ``order_from_item`` is the inverse."""
    text = {
        "kind": "order",
        "currency": order.total.currency,
        **_lines_to_texts(order),
        QUANTITIES: _quantities_to_text(order),
        DIGITAL: to_json(digital) if (digital := _digital(order)) else None,
        "further_parcels": to_json(order.further_parcels) if order.further_parcels else None,
        "restock": to_json(order.restock) if order.restock is not None else None,
        "shortage": to_json([order.shortage.missing, when(order.shortage.expires_at)]) if order.shortage else None,
        "discounts": to_json([[one.amount.amount, one.code] for one in order.discounts]) if order.discounts else None,
        "metadata": to_json(order.metadata) if order.metadata else None,
        **_steps_to_texts(order),
        **_order_in_indexes(order),
    }
    own = {**as_texts(text), **as_numbers({"total": order.total.amount})}
    return {**keys.order_key(order.order_id), **_ORDER.write(order), **own}


def _order_in_indexes(order: Order) -> dict[str, str | None]:
    """The order's places by customer, by status and, while it is open, by when the sweep is due."""
    by_creation = f"{timestamp(order.created_at)}#{order.order_id}"
    return {
        "GSI1PK": f"CUSTOMER#{order.customer_id}",
        "GSI1SK": by_creation,
        "GSI2PK": f"STATUS#{order.status.value}",
        "GSI2SK": by_creation,
        "GSI3PK": "DUE" if order.due_at else None,
        "GSI3SK": keys.due_sort(order.order_id, order.due_at) if order.due_at else None,
    }


def order_from_item(item: Item) -> Order:
    """The order an item holds."""
    currency = item["currency"]["S"]
    found = _ORDER.read(item)
    shortage = _shortage_from_json(json_of(item, "shortage"))
    steps, unknown_steps = _steps_from_item(item, found["overall"])
    if shortage and shortage.expires_at and found["status"] is OrderStatus.PENDING:
        steps = tuple(map(_as_asked, steps))
    return Order(
        **found,
        lines=_lines_from_item(item, currency, found["status"], steps),
        further_parcels=tuple(json_of(item, "further_parcels") or ()),
        restock=json_of(item, "restock"),
        shortage=shortage,
        discounts=tuple(Discount(Money(amount, currency), code) for amount, code, *_ in json_of(item, "discounts") or ()),
        total=Money(int(item["total"]["N"]), currency),
        metadata=json_of(item, "metadata") or {},
        steps=steps,
        unknown_steps=unknown_steps,
    )


def _shortage_from_json(found: list[Any] | None) -> Shortage | None:
    return Shortage(found[0], time_from(found[1])) if found else None


def _as_asked(step: Step) -> Step:
    """The reservation of which a part is asked about: for releases that know no shortage it is written as completed."""
    is_written_so = step.name is StepName.INVENTORY and step.status is StepStatus.COMPLETED
    return replace(step, status=StepStatus.IN_PROGRESS, completed_at=None) if is_written_so else step


def _as_reserved(step: Step) -> Step:
    """As a release reads it that knows no shortage: what is there is reserved, and it has to release no more and no less."""
    is_asked = step.name is StepName.INVENTORY and step.status is StepStatus.IN_PROGRESS
    return replace(step, status=StepStatus.COMPLETED, completed_at=step.started_at) if is_asked else step


ALL_OF_LINES = "all_of_lines"
"""The attribute of lines that edition one cannot tell: several of one product, discounts and taxes."""


def _lines_to_texts(order: Order) -> dict[str, str]:
    """The lines as edition one reads them, one for each product, and all of them where that is not all there is to say.

    A release that reads the first only reserves and returns the right pieces, and charges the total that stands beside them.
    What is cancelled, or given back already, is no piece of those: its stock was released with it.
    """
    rows = [[line.product_id, line.name, line.quantity, line.unit_price.amount] for line in order.lines]
    further = [[line.discount and line.discount.amount, line.tax and line.tax.amount] for line in order.lines]
    pieces = _pieces_out(order)
    by_product = {row[0]: [*row[:2], pieces[line.product_id], row[3]] for line, row in zip(order.lines, rows, strict=True)}
    lines = {"lines": to_json(list(by_product.values()))}
    if pieces == order.pieces and len(pieces) == len(rows) and not any(amount is not None for row in further for amount in row):
        return lines
    return lines | {ALL_OF_LINES: to_json([[*row, *more] for row, more in zip(rows, further, strict=True)])}


def _pieces_out(order: Order) -> Mapping[str, int]:
    """The pieces of each product that an unwinding has to put back."""
    if order.restock is not None:
        return {**dict.fromkeys(order.pieces, 0), **order.restock}
    is_settled = order.status in (OrderStatus.CANCELLED, OrderStatus.RETURNED)
    return order.pieces if is_settled else {**dict.fromkeys(order.pieces, 0), **goods.by_product(order, goods.out(order))}


def _line_from_json(row: list[Any], currency: str) -> Line:
    product_id, name, quantity, *amounts = row
    price, discount, tax = (None if amount is None else Money(amount, currency) for amount in [*amounts, None, None][:3])
    return Line(product_id, name, quantity, price or Money(0, currency), discount, tax)


DIGITAL = "digital"
"""The attribute of the lines that are not sent, by their ids."""


def _digital(order: Order) -> list[str]:
    return [line_id for line_id, line in order.lines_by_id.items() if not line.requires_shipping]


QUANTITIES = "quantities"
"""The attribute of the pieces of each line that are cancelled, handed over, delivered and given back, with the status of the
order at which that was written. It is there only where the status does not say it."""


def _quantities_to_text(order: Order) -> str | None:
    was_delivered = _was_delivered(order.steps)
    by_status = [goods.implied(order.status, line, was_delivered=was_delivered) for line in order.lines]
    found = [goods.quantities(line) for line in order.lines]
    return None if found == by_status else to_json([order.status.value, found])


def _lines_from_item(item: Item, currency: str, status: OrderStatus, steps: tuple[Step, ...]) -> tuple[Line, ...]:
    """The lines with their pieces: as they are written, or by the status, where a release that counts none has moved it."""
    digital = json_of(item, DIGITAL) or ()
    rows = [_line_from_json(row, currency) for row in json_of(item, ALL_OF_LINES) or json_of(item, "lines")]
    lines = [replace(line, requires_shipping=str(place) not in digital) for place, line in enumerate(rows, start=1)]
    written_at, found = json_of(item, QUANTITIES) or (None, [])
    was_delivered = _was_delivered(steps)
    if written_at is None:
        every = (goods.implied(status, line, was_delivered=was_delivered) for line in lines)
        return tuple(goods.with_quantities(line, pieces) for line, pieces in zip(lines, every, strict=True))
    if written_at == status:
        return tuple(goods.with_quantities(line, pieces) for line, pieces in zip(lines, found, strict=True))
    pairs = zip(lines, found, strict=True)
    return tuple(goods.overtaken(status, line, pieces, was_delivered=was_delivered) for line, pieces in pairs)


def _was_delivered(steps: tuple[Step, ...]) -> bool:
    return any(step.name is StepName.DELIVERY and step.status is StepStatus.COMPLETED for step in steps)


def payment_to_item(order_id: OrderId, payment: Payment) -> Item:
    """A payment as its item, found by its dispute too; ``payment_from_item`` is the inverse."""
    nearest = legacy.payment_status(payment.status.value)
    text = {
        "kind": "payment",
        "order_id": order_id,
        "status": nearest,
        "exact_status": payment.status.value if payment.status.value != nearest else None,
        "currency": payment.amount.currency,
        "provider": payment.provider,
        "captures": to_json([_capture_to_json(capture) for capture in payment.captures]) if payment.captures else None,
        "GSI1PK": keys.disputes_partition(payment.dispute.status) if payment.dispute else None,
        "GSI1SK": f"{timestamp(payment.dispute.opened_at)}#{order_id}" if payment.dispute else None,
    }
    own = {**as_texts(text), **as_numbers({"amount": payment.amount.amount})}
    return {**keys.payment_key(order_id), **_PAYMENT.write(payment), **own}


def payment_from_item(item: Item) -> Payment:
    """The payment an item holds."""
    status = named(PaymentStatus, legacy.exact_payment_status(item["status"]["S"], text_of(item, "exact_status")))
    amount = Money(int(item["amount"]["N"]), item["currency"]["S"])
    found = _PAYMENT.read(item)
    unnamed = legacy.AT_THE_DOOR if found["method"] is PaymentMethod.CASH_ON_DELIVERY else legacy.PAYMENT_PROVIDER
    provider = text_of(item, "provider") or unnamed
    captures = tuple(_capture_from_json(row) for row in json_of(item, "captures") or ())
    return _with_sums(Payment(**found, status=status, amount=amount, provider=provider, captures=captures))


def _capture_to_json(capture: Capture) -> list[Any]:
    return [capture.capture_id, capture.amount, capture.status.value, timestamp(capture.at)]


def _capture_from_json(row: list[Any]) -> Capture:
    capture_id, amount, status, at, *_ = row
    return Capture(capture_id, amount, named(CaptureStatus, status), moment(at))


def _with_sums(payment: Payment) -> Payment:
    """The payment with what its status says of the sums, where an earlier release has moved it: all, or nothing."""
    is_taken = payment.status in (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED)
    captured = payment.amount_captured or (payment.amount.amount if is_taken else 0)
    refunded = captured if payment.status is PaymentStatus.REFUNDED else payment.amount_refunded
    return replace(payment, amount_captured=captured, amount_refunded=refunded)


def shipment_to_item(order_id: OrderId, shipment: Shipment) -> Item:
    """A shipment as its item, found by tracking number too; ``shipment_from_item`` is the inverse."""
    nearest = legacy.shipment_status(shipment.status.value)
    text = {
        "kind": "shipment",
        "order_id": order_id,
        "status": nearest,
        "exact_status": shipment.status.value if shipment.status.value != nearest else None,
        "scans": to_json([_detail_to_json(detail) for detail in shipment.scans]) if shipment.scans else None,
        "items": to_json(shipment.items) if shipment.items else None,
        "GSI1PK": shipment.tracking_number and keys.parcel_partition(shipment.tracking_number),
        "GSI1SK": shipment.tracking_number and order_id,
        "GSI3PK": "DUE" if shipment.due_at else None,
        "GSI3SK": keys.due_sort(order_id, shipment.due_at) if shipment.due_at else None,
    }
    key = keys.shipment_key(order_id, None if shipment.number == 1 else shipment.shipment_id)
    return {**key, **_SHIPMENT.write(shipment), **as_texts(text)}


def shipment_from_item(item: Item) -> Shipment:
    """The shipment an item holds."""
    return Shipment(
        **_SHIPMENT.read(item),
        status=named(ShipmentStatus, legacy.exact_shipment_status(item["status"]["S"], text_of(item, "exact_status"))),
        scans=tuple(_detail_from_json(row) for row in json_of(item, "scans") or ()),
        items=json_of(item, "items") or {},
    )


def optional_of_payment() -> tuple[str, ...]:
    """The attributes that the item of a payment may not have."""
    return (*_PAYMENT.optional, "exact_status", "captures", "GSI1PK", "GSI1SK")


def optional_of_shipment() -> tuple[str, ...]:
    """The attributes that the item of a shipment may not have."""
    return (*_SHIPMENT.optional, "exact_status", "scans", "items", "GSI1PK", "GSI1SK", "GSI3PK", "GSI3SK")


def _detail_to_json(detail: TrackingDetail) -> list[Any]:
    return [timestamp(detail.at), detail.status.value, detail.location, detail.message]


def _detail_from_json(row: list[Any]) -> TrackingDetail:
    at, status, location, message, *_ = row
    return TrackingDetail(moment(at), named(ShipmentStatus, status), location, message)


def snapshot_of(order: Order, parts: Mapping[str, Item]) -> Snapshot:
    """An order with the payment, the parcels, the returns and the refunds that these items hold, by their sort keys."""
    payment = parts.get(keys.PAYMENT)
    shipments = map(shipment_from_item, of_kind(parts, keys.SHIPMENT))
    returns = tuple(map(return_from_item, of_kind(parts, keys.RETURN_PREFIX)))
    refunds = with_changed((), tuple(map(refund_from_item, of_kind(parts, keys.REFUND_PREFIX))))
    counted = counted_from_item(parts.get(keys.COUNTED))
    order = replace(order, counted=counted) if counted else order
    found = Snapshot(order, payment_from_item(payment) if payment else None, returns=returns, refunds=refunds)
    return found.with_shipments(*shipments)


def of_kind(parts: Mapping[str, Item], prefix: str) -> list[Item]:
    """The items of one kind, in the order of their sort keys."""
    return [parts[sort] for sort in sorted(parts) if sort.startswith(prefix)]


FURTHER_STEP = "step:"
"""The prefix of the attribute of a step that edition one did not have."""


def _steps_to_texts(order: Order) -> dict[str, str]:
    """Edition one's steps by their places, as it reads them; each further one in an attribute of its own."""
    steps = map(_as_reserved, order.steps) if order.is_asked else order.steps
    rows = {step.name.value: _step_to_json(step) for step in steps}
    further = {f"{FURTHER_STEP}{name}": to_json(row) for name, row in rows.items() if name not in legacy.STEPS}
    return {"steps": to_json([*(rows[name] for name in legacy.STEPS), *order.unknown_steps]), **further}


def _steps_from_item(item: Item, overall: OverallStatus) -> tuple[tuple[Step, ...], tuple[Any, ...]]:
    """The steps that this release knows, by their names, and the rows behind those that it does not know."""
    listed = json.loads(item["steps"]["S"])
    rows = dict(zip(legacy.STEPS, listed, strict=False))
    rows |= {name: row for name in STEPS if (row := json_of(item, f"{FURTHER_STEP}{name}"))}
    steps: deque[Step] = deque()
    # From the last one: a step that the row does not have is pending, unless a later one has begun or the order is over.
    passed = overall not in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS)
    for name in reversed(STEPS):
        if name in rows:
            step = _step_from_json(name, rows[name])
        else:
            step = Step(name, StepStatus.SKIPPED if passed else StepStatus.PENDING)
        passed = passed or step.status is not StepStatus.PENDING
        steps.appendleft(step)
    return tuple(steps), tuple(listed[len(legacy.STEPS) :])


def _step_to_json(step: Step) -> list[Any]:
    return [step.status.value, when(step.started_at), when(step.completed_at), step.error_message, *step.unknown]


def _step_from_json(name: StepName, row: list[Any]) -> Step:
    status, started, completed, message, *unknown = row
    return Step(
        name,
        named(StepStatus, status),
        time_from(started),
        time_from(completed),
        message,
        tuple(unknown),
    )
