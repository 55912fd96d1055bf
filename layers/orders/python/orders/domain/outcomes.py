"""What the workflow's steps report: what the machine's choices go by, and what its viewer shows of each state.

Statuses, ids and reasons, nothing personal: an execution's data is kept for months, and many people can read it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from orders.domain.errors import OrderError, OrderOnHold
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.statuses import ApprovalStatus, OrderStatus, PaymentMethod, PaymentStatus, has_reached
from orders.domain.steps import WHY_CANCELLED, OutOfStock, PaymentDeclined


class StockOutcome(StrEnum):
    """What the reservation leads to."""

    RESERVED = "reserved"
    REVIEW = "review"
    SHORT = "short"
    """Reserved in part: the customer is asked."""
    OUT_OF_STOCK = "out_of_stock"


class PaymentOutcome(StrEnum):
    """What asking for the payment has come to."""

    PAID = "paid"
    CASH = "cash"
    """To be collected at the delivery."""
    NOTHING_TO_SHIP = "nothing_to_ship"
    """Paid, or there is nothing to pay, and nothing of the order is sent."""
    NONE = "none"
    """Nothing is asked for, or no longer."""
    PENDING = "pending"
    """Asked for, and not decided."""
    DECLINED = "declined"
    ON_HOLD = "on_hold"
    """Not asked for: the order is on hold."""


OF_PAYMENT_STATUS: Mapping[PaymentStatus, PaymentOutcome] = MappingProxyType(
    {
        PaymentStatus.PENDING: PaymentOutcome.PENDING,
        PaymentStatus.PROCESSING: PaymentOutcome.PENDING,
        PaymentStatus.REQUIRES_ACTION: PaymentOutcome.PENDING,
        PaymentStatus.AUTHORIZED: PaymentOutcome.PAID,
        PaymentStatus.COMPLETED: PaymentOutcome.PAID,
        PaymentStatus.PARTIALLY_REFUNDED: PaymentOutcome.PAID,
        PaymentStatus.REFUNDED: PaymentOutcome.PAID,
        PaymentStatus.FAILED: PaymentOutcome.DECLINED,
        PaymentStatus.VOIDED: PaymentOutcome.DECLINED,
    }
)

REFUSALS: Mapping[str, tuple[str, StrEnum]] = MappingProxyType(
    {
        OutOfStock.__name__: ("stock", StockOutcome.OUT_OF_STOCK),
        PaymentDeclined.__name__: ("payment", PaymentOutcome.DECLINED),
        OrderOnHold.__name__: ("payment", PaymentOutcome.ON_HOLD),
    }
)
"""The refusals that are outcomes: what each is about, and how it is called there."""


def of(snapshot: Snapshot, refusal: OrderError | None = None) -> dict[str, Any]:
    """An order after a step, or after the step was refused: each state shows the part that it is about."""
    report: dict[str, Any] = {
        "status": snapshot.order.status,
        "version": snapshot.order.version,
        "stock": {"outcome": _of_stock(snapshot.order)},
        "payment": _of_payment(snapshot),
        "shipment": _of_shipment(snapshot.shipment),
    }
    if refusal is not None:
        about, outcome = REFUSALS[type(refusal).__name__]
        report[about] |= {"outcome": outcome, "reason": refusal.detail}
    return report


def _of_stock(order: Order) -> StockOutcome:
    if order.is_asked:
        return StockOutcome.SHORT
    in_review = order.approval is not None and order.approval.status is ApprovalStatus.PENDING
    return StockOutcome.REVIEW if in_review else StockOutcome.RESERVED


def _of_payment(snapshot: Snapshot) -> dict[str, Any]:
    payment, order = snapshot.payment, snapshot.order
    is_handed_over = order.is_digital and has_reached(order.status, OrderStatus.PROCESSING)
    if payment is None:
        return {"outcome": PaymentOutcome.NOTHING_TO_SHIP if is_handed_over else PaymentOutcome.NONE}
    by_status = PaymentOutcome.NOTHING_TO_SHIP if is_handed_over else OF_PAYMENT_STATUS[payment.status]
    if by_status is PaymentOutcome.DECLINED and order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
        # The parcel has left all the same: its delivery is awaited, and people see to the money.
        by_status = PaymentOutcome.NONE
    outcome = PaymentOutcome.CASH if payment.method is PaymentMethod.CASH_ON_DELIVERY else by_status
    return {"payment_id": payment.payment_id, "status": payment.status, "outcome": outcome}


def _of_shipment(shipment: Shipment | None) -> dict[str, Any] | None:
    if shipment is None:
        return None
    return {
        "shipment_id": shipment.shipment_id,
        "status": shipment.status,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
    }


# --- what was not fulfilled ---


def failure_in(so_far: Mapping[str, Any]) -> tuple[str, str] | None:
    """The name and the words of the refusal that an execution's data ends with, where its last step was refused."""
    for error, (about, outcome) in REFUSALS.items():
        for report in so_far.values():
            part = report.get(about) if isinstance(report, Mapping) else None
            if isinstance(part, Mapping) and part.get("outcome") == outcome:
                return error, str(part.get("reason", ""))
    return None


def why_not_fulfilled(order: Order, run: int | None = None) -> dict[str, str]:
    """The error and the cause with which an execution of the order ends that has not fulfilled it."""
    if order.cancellation is not None:
        return {"error": order.cancellation.reason, "cause": WHY_CANCELLED[order.cancellation.reason]}
    if order.status is OrderStatus.RETURNED:
        return {"error": "returned", "cause": "The goods came back."}
    if run is not None and run != order.run:
        return {"error": "replaced", "cause": f"Run {order.run} processes this order now."}
    if order.is_over:
        return {"error": "overtaken", "cause": f"The order became {order.status} without this execution."}
    return {"error": "UnwindingNotBegun", "cause": f"The order is {order.status} and goes on: the sweep restarts it."}
