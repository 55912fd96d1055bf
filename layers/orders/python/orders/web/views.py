"""What callers see of an order (``docs/behavior.md#shapes``). No token or credential is part of a view."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from orders.domain import facts
from orders.domain.decisions import ending, reviewing
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT, SHOP_PREFIX, SYSTEM
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.order import Event, Order, Payment, Shipment, Snapshot, Step, timestamp
from orders.domain.products import Product
from orders.domain.progress import History, estimate, running_step
from orders.domain.statuses import OrderStatus
from orders.domain.steps import StepName
from orders.domain.waits import Waits

View = dict[str, Any]


class Audience(StrEnum):
    """Who looks: staff see everything; an owner, and a shop for them, nothing that staff noted; a carrier or warehouse not
    even the owner's words.
    """

    STAFF = "staff"
    OWNER = "owner"
    CARRIER = "carrier"


def money_view(money: Money) -> View:
    """An amount of minor units beside its currency."""
    return {"amount": money.amount, "currency": money.currency}


def order_view(order: Order, audience: Audience) -> View:
    """The order by itself, as in lists."""
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status,
        "version": order.version,
        "items": [
            {
                "product_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": money_view(line.unit_price),
            }
            for line in order.lines
        ],
        "total": money_view(order.total),
        "shipping_address": _present(
            name=order.shipping_address.name,
            line1=order.shipping_address.line1,
            line2=order.shipping_address.line2,
            city=order.shipping_address.city,
            postal_code=order.shipping_address.postal_code,
            country=order.shipping_address.country,
        ),
        "created_at": timestamp(order.created_at),
        "updated_at": timestamp(order.updated_at),
        "cancellation": _cancellation_view(order, audience),
        "approval": _approval_view(order, audience),
    }


def snapshot_view(snapshot: Snapshot, audience: Audience) -> View:
    """The order with its payment and shipment: what each change of an order returns."""
    return {
        "order": order_view(snapshot.order, audience),
        "payment": payment_view(snapshot.payment) if snapshot.payment else None,
        "shipment": shipment_view(snapshot.shipment, audience) if snapshot.shipment else None,
    }


def listed_view(snapshot: Snapshot, audience: Audience, *, payment: bool, shipments: bool) -> View:
    """The order as an entry of a list, with the requested parts."""
    view = order_view(snapshot.order, audience)
    if payment:
        view["payment"] = payment_view(snapshot.payment) if snapshot.payment else None
    if shipments:
        view["shipments"] = [shipment_view(snapshot.shipment, audience)] if snapshot.shipment else []
    return view


def payment_view(payment: Payment) -> View:
    """The payment intent."""
    return {
        "payment_id": payment.payment_id,
        "status": payment.status,
        "amount": money_view(payment.amount),
        "method": payment.method,
        **_present(
            failure_reason=payment.failure_reason,
            refunded_at=payment.refunded_at and timestamp(payment.refunded_at),
        ),
    }


def shipment_view(shipment: Shipment, audience: Audience) -> View:
    """The parcel, with every scan of it, the oldest first; what staff have to find out about it is shown to staff only."""
    delivered, unconfirmed = shipment.delivered_at, shipment.unconfirmed_delivery_at
    estimated = shipment.estimated_delivery
    return {
        "shipment_id": shipment.shipment_id,
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
        "status": shipment.status,
        "current_location": shipment.current_location,
        "estimated_delivery": estimated and timestamp(estimated),
        **_present(delivered_at=delivered and timestamp(delivered)),
        **(_present(unconfirmed_delivery_at=unconfirmed and timestamp(unconfirmed)) if audience is Audience.STAFF else {}),
        "scans": [
            {
                "at": timestamp(detail.at),
                "status": detail.status,
                "location": detail.location,
                "message": detail.message,
            }
            for detail in shipment.scans
        ],
    }


def progress_view(snapshot: Snapshot, history: History, waits: Waits, now: datetime, *, timed: bool = True) -> View:
    """The saga's progress. ``timed`` is whether a timer delivers, or only the carrier knows."""
    order = snapshot.order
    current = running_step(order)
    estimated = estimate(order, snapshot.shipment, history, waits, now, timed=timed)
    return {
        "order_id": order.order_id,
        "status": order.status,
        "overall_status": order.overall,
        "current_step": current and current.name,
        "last_updated": timestamp(order.updated_at),
        "estimated_completion": estimated and timestamp(estimated),
        "steps": [
            {
                "name": step.name,
                "order": position,
                "status": step.status,
                **_present(
                    started_at=step.started_at and timestamp(step.started_at),
                    completed_at=step.completed_at and timestamp(step.completed_at),
                    error_message=_for_customers(step),
                ),
            }
            for position, step in enumerate(order.steps, start=1)
        ],
    }


def event_view(event: Event, audience: Audience) -> View:
    """One entry of the audit trail; to its owner without what staff or a warehouse wrote."""
    reason, metadata = event.reason, dict(event.metadata)
    if audience is not Audience.STAFF:
        reason = _reason_for_owner(event)
        by_carrier = event.by.startswith(CARRIER_PREFIX)
        metadata = {
            name: value
            for name, value in metadata.items()
            if facts.is_owners(name, value) or (name == facts.SCANS and by_carrier)
        }
    return {
        "version": event.version,
        "event_type": event.type,
        "status": event.status,
        "timestamp": timestamp(event.at),
        "triggered_by": event.by,
        **_present(reason=reason),
        "metadata": metadata,
    }


def history_view(order_id: OrderId, events: Iterable[Event], audience: Audience) -> View:
    """The audit trail, oldest first."""
    return {"order_id": order_id, "history": [event_view(event, audience) for event in events]}


def product_view(product: Product) -> View:
    """A product of the catalog."""
    return {
        "product_id": product.product_id,
        "name": product.name,
        "unit_price": money_view(product.unit_price),
        "stock": product.stock,
    }


def _for_customers(step: Step) -> str | None:
    """A step's message as a sentence for customers: earlier releases wrote staff's reason into it."""
    if step.error_message is None:
        return None
    if step.name is StepName.DELIVERY:
        return ending.NOT_DELIVERED
    return reviewing.REJECTED if step.error_message.startswith(reviewing.REJECTED) else step.error_message


def _reason_for_owner(event: Event) -> str | None:
    """A reason that the owner gave, or a shop for them, or that the pipeline wrote; staff's are theirs."""
    by_pipeline = event.by in (SYSTEM, FULFILLMENT) or event.by.startswith(CARRIER_PREFIX)
    if event.reason is None or not (by_pipeline or _is_owners(event.by, event.customer_id)):
        return None
    return reviewing.REJECTED if event.reason.startswith(reviewing.REJECTED) and by_pipeline else event.reason


def _cancellation_view(order: Order, audience: Audience) -> View | None:
    cause = order.cancellation
    if cause is None or order.status is not OrderStatus.CANCELLED:
        return None
    return {
        "reason": cause.reason,
        "cancelled_at": timestamp(cause.at),
        "cancelled_by": cause.by,
        **_present(note=cause.note if _may_read(audience, cause.by, order) else None),
    }


def _may_read(audience: Audience, writer: str, order: Order) -> bool:
    return audience is Audience.STAFF or (audience is Audience.OWNER and _is_owners(writer, order.customer_id))


def _is_owners(writer: str, customer_id: CustomerId) -> bool:
    """Whether the owner wrote it, or a shop for them."""
    return writer == customer_id or writer.startswith(SHOP_PREFIX)


def _approval_view(order: Order, audience: Audience) -> View | None:
    approval = order.approval
    if approval is None:
        return None
    return {
        "status": approval.status,
        "expires_at": timestamp(approval.expires_at),
        **_present(decided_by=approval.decided_by),
        **(_present(reason=approval.reason) if audience is Audience.STAFF else {}),
    }


def _present(**fields: Any) -> View:
    return {name: value for name, value in fields.items() if value is not None}
