"""Item mapping: orders, payments and shipments. What a later release has added to an item is kept."""

import json
from collections.abc import Mapping
from typing import Any

from orders.adapters.store import keys
from orders.adapters.store.attributes import (
    Item,
    as_numbers,
    as_texts,
    besides,
    json_of,
    text_of,
    time_from,
    time_of,
    to_json,
    when,
)
from orders.adapters.store.newer import named
from orders.domain import legacy
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber
from orders.domain.money import Money
from orders.domain.order import (
    Address,
    Approval,
    Cancellation,
    Line,
    Order,
    Payment,
    Shipment,
    Snapshot,
    Step,
    TrackingDetail,
    moment,
    timestamp,
)
from orders.domain.statuses import (
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import STEPS, CancelReason, StepName


def order_to_item(order: Order) -> Item:
    """An order as its item; ``order_from_item`` is the inverse."""
    text = {
        "kind": "order",
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status.value,
        "overall": order.overall.value,
        "method": order.method.value,
        "currency": order.total.currency,
        "created_at": timestamp(order.created_at),
        "updated_at": timestamp(order.updated_at),
        "status_since": timestamp(order.status_since),
        "lines": to_json([[line.product_id, line.name, line.quantity, line.unit_price.amount] for line in order.lines]),
        "address": to_json(_address_to_json(order.shipping_address)),
        **_steps_to_texts(order),
        "payment_token": order.payment_token,
        "approval_token": order.approval_token,
        "delivery_token": order.delivery_token,
        "cancellation": to_json(_cancellation_to_json(order.cancellation)) if order.cancellation else None,
        "approval": to_json(_approval_to_json(order.approval)) if order.approval else None,
        "due_at": when(order.due_at),
        "erased_at": when(order.erased_at),
        **_order_in_indexes(order),
    }
    numbers = {
        "version": order.version,
        "total": order.total.amount,
        "run": order.run,
        "unwind_run": order.unwind_run,
        **({"failed_runs": order.failed_runs} if order.failed_runs else {}),
    }
    return {**keys.order_key(order.order_id), **as_texts(text), **as_numbers(numbers)}


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
    cancellation, approval = json_of(item, "cancellation"), json_of(item, "approval")
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
        payment_token=text_of(item, "payment_token"),
        steps=steps,
        unknown_steps=unknown_steps,
        overall=overall,
        cancellation=_cancellation_from_json(cancellation) if cancellation else None,
        approval=_approval_from_json(approval) if approval else None,
        run=int(item["run"]["N"]),
        unwind_run=int(item["unwind_run"]["N"]),
        failed_runs=int(item.get("failed_runs", {}).get("N", 0)),
        due_at=time_of(item, "due_at"),
        erased_at=time_of(item, "erased_at"),
        approval_token=text_of(item, "approval_token"),
        delivery_token=text_of(item, "delivery_token"),
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
        "refunded_at": when(payment.refunded_at),
    }
    return {**keys.payment_key(order_id), **as_texts(text), **as_numbers({"amount": payment.amount.amount})}


def payment_from_item(item: Item) -> Payment:
    """The payment an item holds."""
    return Payment(
        payment_id=item["payment_id"]["S"],
        status=named(PaymentStatus, item["status"]["S"]),
        amount=Money(int(item["amount"]["N"]), item["currency"]["S"]),
        method=named(PaymentMethod, item["method"]["S"]),
        failure_reason=text_of(item, "failure_reason"),
        refunded_at=time_of(item, "refunded_at"),
    )


def shipment_to_item(order_id: OrderId, shipment: Shipment) -> Item:
    """A shipment as its item, found by tracking number too; ``shipment_from_item`` is the inverse."""
    nearest = legacy.shipment_status(shipment.status.value)
    text = {
        "kind": "shipment",
        "order_id": order_id,
        "shipment_id": shipment.shipment_id,
        "status": nearest,
        "exact_status": shipment.status.value if shipment.status.value != nearest else None,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "current_location": shipment.current_location,
        "estimated_delivery": when(shipment.estimated_delivery),
        "scanned_at": when(shipment.scanned_at),
        "sender": shipment.sender,
        "scans": to_json([_detail_to_json(detail) for detail in shipment.scans]) if shipment.scans else None,
        "delivered_at": when(shipment.delivered_at),
        "unconfirmed_delivery_at": when(shipment.unconfirmed_delivery_at),
        "GSI1PK": shipment.tracking_number and keys.parcel_partition(shipment.tracking_number),
        "GSI1SK": shipment.tracking_number and order_id,
    }
    recalled = {"recalled": {"BOOL": True}} if shipment.recalled else {}
    return {**keys.shipment_key(order_id), **as_texts(text), **recalled}


def shipment_from_item(item: Item) -> Shipment:
    """The shipment an item holds."""
    tracked = text_of(item, "tracking_number")
    return Shipment(
        shipment_id=item["shipment_id"]["S"],
        status=named(ShipmentStatus, legacy.exact_shipment_status(item["status"]["S"], text_of(item, "exact_status"))),
        carrier=item["carrier"]["S"],
        tracking_number=TrackingNumber(tracked) if tracked else None,
        current_location=text_of(item, "current_location"),
        estimated_delivery=time_of(item, "estimated_delivery"),
        scanned_at=time_of(item, "scanned_at"),
        recalled=item.get("recalled", {}).get("BOOL", False),
        sender=text_of(item, "sender"),
        scans=tuple(_detail_from_json(row) for row in json_of(item, "scans") or ()),
        delivered_at=time_of(item, "delivered_at"),
        unconfirmed_delivery_at=time_of(item, "unconfirmed_delivery_at"),
    )


def _detail_to_json(detail: TrackingDetail) -> list[Any]:
    return [timestamp(detail.at), detail.status.value, detail.location, detail.message]


def _detail_from_json(row: list[Any]) -> TrackingDetail:
    at, status, location, message, *_ = row
    return TrackingDetail(moment(at), named(ShipmentStatus, status), location, message)


def snapshot_of(order: Order, payment: Item | None, shipment: Item | None) -> Snapshot:
    """An order with the payment and the shipment that these items hold."""
    return Snapshot(
        order,
        payment_from_item(payment) if payment else None,
        shipment_from_item(shipment) if shipment else None,
    )


_ADDRESS = ("name", "line1", "city", "postal_code", "country", "line2")


def _address_to_json(address: Address) -> dict[str, Any]:
    return {name: value for name in _ADDRESS if (value := getattr(address, name)) is not None} | dict(address.unknown)


def _address_from_json(fields: Mapping[str, Any]) -> Address:
    known = {name: fields[name] for name in _ADDRESS if name in fields}
    return Address(**known, unknown=besides(fields, _ADDRESS))


FURTHER_STEP = "step:"
"""The prefix of the attribute of a step that edition one did not have."""


def _steps_to_texts(order: Order) -> dict[str, str]:
    """Edition one's steps by their places, as it reads them; each further one in an attribute of its own."""
    rows = {step.name.value: _step_to_json(step) for step in order.steps}
    further = {f"{FURTHER_STEP}{name}": to_json(row) for name, row in rows.items() if name not in legacy.STEPS}
    return {"steps": to_json([*(rows[name] for name in legacy.STEPS), *order.unknown_steps]), **further}


def _steps_from_item(item: Item, overall: OverallStatus) -> tuple[tuple[Step, ...], tuple[Any, ...]]:
    """The steps that this release knows, by their names, and the rows behind those that it does not know."""
    listed = json.loads(item["steps"]["S"])
    rows = dict(zip(legacy.STEPS, listed, strict=False))
    rows |= {name: row for name in STEPS if (row := json_of(item, f"{FURTHER_STEP}{name}"))}
    steps: list[Step] = []
    # From the last one: a step that the row does not have is pending, unless a later one has begun or the order is over.
    passed = overall not in (OverallStatus.QUEUED, OverallStatus.IN_PROGRESS)
    for name in reversed(STEPS):
        missing = Step(name, StepStatus.SKIPPED if passed else StepStatus.PENDING)
        step = _step_from_json(name, rows[name]) if name in rows else missing
        passed = passed or step.status is not StepStatus.PENDING
        steps.insert(0, step)
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
        besides(fields, {"reason", "at", "by", "note"}),
    )


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
        besides(fields, {"status", "expires_at", "decided_by", "reason"}),
    )
