"""What callers see of an order: the shapes of the contract's sections 2 and 3. Tokens and credentials have no place here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from orders.ids import OrderId
from orders.lifecycle import Waits
from orders.money import Money
from orders.order import Event, Order, Payment, Shipment, Snapshot, timestamp
from orders.progress import History, estimate, running_step
from orders.statuses import OrderStatus
from orders.store import Product

View = dict[str, Any]


def money_view(money: Money) -> View:
    """An amount of minor units beside its currency."""
    return {"amount": money.amount, "currency": money.currency}


def order_view(order: Order) -> View:
    """The order by itself, as it stands in lists too."""
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
        "cancellation": _cancellation_view(order),
        "approval": _approval_view(order),
    }


def snapshot_view(snapshot: Snapshot) -> View:
    """The order with its payment and shipment: what each change of an order answers with."""
    return {
        "order": order_view(snapshot.order),
        "payment": payment_view(snapshot.payment) if snapshot.payment else None,
        "shipment": shipment_view(snapshot.shipment) if snapshot.shipment else None,
    }


def listed_view(snapshot: Snapshot, *, payment: bool, shipments: bool) -> View:
    """The order as it stands in a list, with the parts of it that were asked for."""
    view = order_view(snapshot.order)
    if payment:
        view["payment"] = payment_view(snapshot.payment) if snapshot.payment else None
    if shipments:
        view["shipments"] = [shipment_view(snapshot.shipment)] if snapshot.shipment else []
    return view


def payment_view(payment: Payment) -> View:
    """The payment intent."""
    return {
        "payment_id": payment.payment_id,
        "status": payment.status,
        "amount": money_view(payment.amount),
        "method": payment.method,
        **_present(failure_reason=payment.failure_reason),
    }


def shipment_view(shipment: Shipment) -> View:
    """The parcel."""
    estimated = shipment.estimated_delivery
    return {
        "shipment_id": shipment.shipment_id,
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
        "status": shipment.status,
        "current_location": shipment.current_location,
        "estimated_delivery": estimated and timestamp(estimated),
    }


def progress_view(order: Order, history: History, waits: Waits, now: datetime) -> View:
    """The saga's progress."""
    current = running_step(order)
    estimated = estimate(order, history, waits, now)
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
                    error_message=step.error_message,
                ),
            }
            for position, step in enumerate(order.steps, start=1)
        ],
    }


def event_view(event: Event) -> View:
    """One entry of the audit trail."""
    return {
        "version": event.version,
        "event_type": event.type,
        "status": event.status,
        "timestamp": timestamp(event.at),
        "triggered_by": event.by,
        **_present(reason=event.reason),
        "metadata": dict(event.metadata),
    }


def history_view(order_id: OrderId, events: Iterable[Event]) -> View:
    """The audit trail, oldest first."""
    return {"order_id": order_id, "history": [event_view(event) for event in events]}


def product_view(product: Product) -> View:
    """A product of the catalogue."""
    return {
        "product_id": product.product_id,
        "name": product.name,
        "unit_price": money_view(product.unit_price),
        "stock": product.stock,
    }


def _cancellation_view(order: Order) -> View | None:
    cause = order.cancellation
    if cause is None or order.status is not OrderStatus.CANCELLED:
        return None
    return {
        "reason": cause.reason,
        "cancelled_at": timestamp(cause.at),
        "cancelled_by": cause.by,
        **_present(note=cause.note),
    }


def _approval_view(order: Order) -> View | None:
    approval = order.approval
    if approval is None:
        return None
    return {
        "status": approval.status,
        "expires_at": timestamp(approval.expires_at),
        **_present(decided_by=approval.decided_by, reason=approval.reason),
    }


def _present(**fields: Any) -> View:
    return {name: value for name, value in fields.items() if value is not None}
