"""What can happen to an order, and what each happening is called: audit events, notifications, follow-ups.

The audit trail holds one event for each version of an order. The published events (``docs/behavior.md#published-events``) are
derived from it, never written beside it.
"""

from enum import StrEnum

from orders.domain import legacy


class EventType(StrEnum):
    """Audit events; one is written with every change of an order."""

    ORDER_PLACED = "ORDER_PLACED"
    STOCK_RESERVED = "STOCK_RESERVED"
    STOCK_SHORT = "STOCK_SHORT"
    CUSTOMER_ASKED = "CUSTOMER_ASKED"
    ORDER_AMENDED = "ORDER_AMENDED"
    APPROVAL_REQUESTED = "APPROVAL_REQUESTED"
    ORDER_APPROVED = "ORDER_APPROVED"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_CONFIRMED = "ORDER_CONFIRMED"
    PAYMENT_STARTED = "PAYMENT_STARTED"
    PAYMENT_ACTION_REQUIRED = "PAYMENT_ACTION_REQUIRED"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    PAYMENT_AWAITED = "PAYMENT_AWAITED"
    PAYMENT_REPORTED = "PAYMENT_REPORTED"
    PAYMENT_COMPLETED = "PAYMENT_COMPLETED"
    PAYMENT_AUTHORIZED = "PAYMENT_AUTHORIZED"
    PAYMENT_DELAYED = "PAYMENT_DELAYED"
    PAYMENT_CAPTURED = "PAYMENT_CAPTURED"
    CAPTURE_STARTED = "CAPTURE_STARTED"
    CAPTURE_REFUSED = "CAPTURE_REFUSED"
    AUTHORIZATION_RENEWED = "AUTHORIZATION_RENEWED"
    AUTHORIZATION_RELEASED = "AUTHORIZATION_RELEASED"
    DISPUTE_OPENED = "DISPUTE_OPENED"
    DISPUTE_CLOSED = "DISPUTE_CLOSED"
    PAYMENT_SKIPPED = "PAYMENT_SKIPPED"
    PREPARATION_STARTED = "PREPARATION_STARTED"
    HANDOVER_STARTED = "HANDOVER_STARTED"
    ORDER_SHIPPED = "ORDER_SHIPPED"
    PARCEL_SHIPPED = "PARCEL_SHIPPED"
    PARCEL_DELIVERED = "PARCEL_DELIVERED"
    PARCEL_RETURNED = "PARCEL_RETURNED"
    PARCEL_LOST = "PARCEL_LOST"
    WAREHOUSE_AWAITED = "WAREHOUSE_AWAITED"
    WAREHOUSE_OVERDUE = "WAREHOUSE_OVERDUE"
    PACKAGE_PREPARED = "PACKAGE_PREPARED"
    ITEMS_CANCELLED = "ITEMS_CANCELLED"
    DELIVERY_AWAITED = "DELIVERY_AWAITED"
    LOCATION_UPDATED = "LOCATION_UPDATED"
    DELIVERY_OVERDUE = "DELIVERY_OVERDUE"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    ORDER_HELD = "ORDER_HELD"
    RELEASE_AWAITED = "RELEASE_AWAITED"
    ORDER_RELEASED = "ORDER_RELEASED"
    ADDRESS_CHANGED = "ADDRESS_CHANGED"
    DETAILS_CHANGED = "DETAILS_CHANGED"
    FULFILLMENT_RECORDED = "FULFILLMENT_RECORDED"
    FULFILLMENT_REFUSED = "FULFILLMENT_REFUSED"
    STEP_FAILED = "STEP_FAILED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_RETURNED = "ORDER_RETURNED"
    RETURN_REQUESTED = "RETURN_REQUESTED"
    RETURN_APPROVED = "RETURN_APPROVED"
    RETURN_DECLINED = "RETURN_DECLINED"
    RETURN_CANCELED = "RETURN_CANCELED"
    RETURN_RECEIVED = "RETURN_RECEIVED"
    SHIPMENT_RECALLED = "SHIPMENT_RECALLED"
    PAYMENT_REFUNDED = "PAYMENT_REFUNDED"
    REFUND_STARTED = "REFUND_STARTED"
    REFUND_FAILED = "REFUND_FAILED"
    REFUND_RETRIED = "REFUND_RETRIED"
    PAYMENT_VOIDED = "PAYMENT_VOIDED"
    STOCK_RELEASED = "STOCK_RELEASED"
    UNWINDING_COMPLETED = "UNWINDING_COMPLETED"
    WORKFLOW_RESTARTED = "WORKFLOW_RESTARTED"
    PERSONAL_DATA_ERASED = "PERSONAL_DATA_ERASED"


class Signal(StrEnum):
    """The saga's notifications (``docs/behavior.md#published-events``); an event lists those that follow from it."""

    SAGA_STARTED = "SAGA_STARTED"
    STEP_STARTED = "STEP_STARTED"
    STEP_COMPLETED = "STEP_COMPLETED"
    STEP_FAILED = "STEP_FAILED"
    COMPENSATION_STARTED = "COMPENSATION_STARTED"
    STEP_COMPENSATED = "STEP_COMPENSATED"
    SAGA_COMPLETED = "SAGA_COMPLETED"
    SAGA_FAILED = "SAGA_FAILED"


class FollowUp(StrEnum):
    """What the workflow service has to do once a change is committed; written with it, read from the stream."""

    START_FULFILLMENT = legacy.START_FULFILLMENT
    ANSWER_AMENDED = "answer_amended"
    ANSWER_APPROVED = "answer_approved"
    ANSWER_REJECTED = "answer_rejected"
    ANSWER_PAID = "answer_paid"
    ANSWER_HANDED_OVER = "answer_handed_over"
    ANSWER_DELIVERED = "answer_delivered"
    ANSWER_RELEASED = "answer_released"
    CAPTURE_PAYMENT = "capture_payment"
    START_UNWINDING = "start_unwinding"
    STOP_AND_UNWIND = "stop_and_unwind"


ORDER_STATUS_CHANGED = "OrderStatusChanged"
RETURN_STATUS_CHANGED, REFUND_STATUS_CHANGED = "ReturnStatusChanged", "RefundStatusChanged"
SHIPMENT_STATUS_CHANGED, ITEMS_CANCELLED = "ShipmentStatusChanged", "ItemsCancelled"
FULFILLMENT_STATUS_CHANGED = "fulfillment.status_changed"
PAYMENT_EVENTS = PAYMENT_CONFIRMED, PAYMENT_FAILED = "payment.confirmed", "payment.failed"
PROVIDERS_EVENTS = PAYMENT_CHANGED, PAYMENT_DISPUTED, REFUND_FAILED = (
    "payment.changed",
    "payment.disputed",
    "payment.refund_failed",
)
"""What only a provider's own webhook says: look it up, a bank asks for the money back, a refund failed."""

SOURCE, CARRIERS_SOURCE, PROVIDERS_SOURCE = "orders", "orders.carriers", "orders.payments"
"""The pipeline's own sources: the bus's policy keeps them for the functions that publish under them."""

MAIL_SOURCE = "orders.mail"
"""The source of what is published for the mails alone: no webhook gets it."""

SYSTEM = "system"
"""Who changed the order when no person and no carrier did: the workflow, the sweep."""

FULFILLMENT = "fulfillment"
"""Who changed the order when the warehouse's event did."""

PAYMENTS = "payments"
"""Who changed the order when an event about its payment did."""

CARRIER_PREFIX = "carrier:"
"""Who changed the order when a carrier's report did: this, and the sender's name."""

SHOP_PREFIX = "shop:"
"""Who changed the order when a shop's system did for its customer: this, and its client id."""
