"""The law: every status an order, a payment, a shipment or a step can have, and which may follow which.

Everything else derives from the tables here: the domain's checks, the OpenAPI enums, the pages' buttons and the diagram in
the documentation. A status is written as a literal in this module and nowhere else.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

_Status = TypeVar("_Status", bound=StrEnum)


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    PROCESSING = "PROCESSING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    RETURNED = "RETURNED"


class FulfillmentStatus(StrEnum):
    """How much of what is wanted has been handed over, delivered and given back: derived, beside the order's status."""

    UNFULFILLED = "UNFULFILLED"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    PARTIALLY_DELIVERED = "PARTIALLY_DELIVERED"
    DELIVERED = "DELIVERED"
    PARTIALLY_RETURNED = "PARTIALLY_RETURNED"
    RETURNED = "RETURNED"


class PaymentStatus(StrEnum):
    """The status of a payment."""

    PENDING = "PENDING"
    """No provider was asked for anything yet, or it is cash that is collected with the parcel."""
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    """The customer has to do something: confirm it with their bank, or make a transfer."""
    AUTHORIZED = "AUTHORIZED"
    """The money is held for us, and a part of it perhaps captured."""
    COMPLETED = "COMPLETED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    VOIDED = "VOIDED"
    """Closed before any money was taken."""


class DisputeStatus(StrEnum):
    """How far a dispute has come: the customer's bank asks for the money back, and decides."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"
    CLOSED = "CLOSED"
    """Withdrawn, or an inquiry that ended without one."""


class CaptureStatus(StrEnum):
    """What became of one capture of money that is held."""

    PENDING = "PENDING"
    """It is written down, and the provider is asked."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class PaymentMethod(StrEnum):
    """How a customer pays."""

    CREDIT_CARD = "CREDIT_CARD"
    BANK_TRANSFER = "BANK_TRANSFER"
    DIGITAL_WALLET = "DIGITAL_WALLET"
    CASH_ON_DELIVERY = "CASH_ON_DELIVERY"


class ShipmentStatus(StrEnum):
    """Where the parcel is, as the carrier's latest scan has it."""

    CREATED = "CREATED"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    ATTEMPTED = "ATTEMPTED"
    FAILED = "FAILED"
    LOST = "LOST"
    RETURNING = "RETURNING"
    """It has turned round and is on its way back; nothing is given back before it has arrived."""
    DELIVERED = "DELIVERED"
    RETURNED_TO_SENDER = "RETURNED_TO_SENDER"


class RefundStatus(StrEnum):
    """The status of a refund."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class ParcelEnd(StrEnum):
    """What became of a parcel that is part of an order, as the order counts it."""

    DELIVERED = "DELIVERED"
    RETURNED = "RETURNED"
    LOST = "LOST"
    """Lost by the carrier, and given back to the customer."""


class ApprovalStatus(StrEnum):
    """How the manual review went."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"


class StepStatus(StrEnum):
    """How far one step has come."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    COMPENSATING = "COMPENSATING"
    COMPENSATED = "COMPENSATED"
    SKIPPED = "SKIPPED"


class OverallStatus(StrEnum):
    """How far the whole saga has come."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ROLLING_BACK = "ROLLING_BACK"
    ROLLED_BACK = "ROLLED_BACK"


ENDED = frozenset({OverallStatus.COMPLETED, OverallStatus.FAILED, OverallStatus.ROLLED_BACK})
"""Where nothing more happens to the saga."""


def _table(rows: dict[_Status, set[_Status]]) -> Mapping[_Status, frozenset[_Status]]:
    return MappingProxyType({status: frozenset(allowed) for status, allowed in rows.items()})


class ReturnStatus(StrEnum):
    """The status of a return: what a customer sends back of an order."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    RECEIVED = "RECEIVED"
    """Something of it has come back."""
    CLOSED = "CLOSED"
    """Nothing more of it will come back, and what came back is refunded."""
    DECLINED = "DECLINED"
    CANCELED = "CANCELED"


class Condition(StrEnum):
    """The condition of what comes back."""

    RESELLABLE = "resellable"
    DAMAGED = "damaged"


_O = OrderStatus
TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = _table(
    {
        _O.PENDING: {_O.CONFIRMED, _O.PROCESSING, _O.CANCELLED},
        _O.CONFIRMED: {_O.PROCESSING, _O.CANCELLED},
        _O.PROCESSING: {_O.SHIPPED, _O.CANCELLED},
        _O.SHIPPED: {_O.DELIVERED, _O.RETURNED},
        _O.DELIVERED: {_O.RETURNED},
        _O.CANCELLED: set(),
        _O.RETURNED: set(),
    }
)

_P = PaymentStatus


def transitions() -> dict[str, list[str]]:
    """Which status may follow which: what a client needs to offer only the changes that are allowed now."""
    return {status: sorted(allowed) for status, allowed in TRANSITIONS.items()}


PAYMENT_TRANSITIONS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = _table(
    {
        _P.PENDING: {_P.PROCESSING, _P.COMPLETED, _P.VOIDED},
        _P.PROCESSING: {_P.REQUIRES_ACTION, _P.AUTHORIZED, _P.COMPLETED, _P.FAILED, _P.VOIDED},
        _P.REQUIRES_ACTION: {_P.PROCESSING, _P.AUTHORIZED, _P.COMPLETED, _P.FAILED, _P.VOIDED},
        _P.AUTHORIZED: {_P.COMPLETED, _P.FAILED, _P.VOIDED},
        _P.COMPLETED: {_P.PARTIALLY_REFUNDED, _P.REFUNDED},
        _P.PARTIALLY_REFUNDED: {_P.COMPLETED, _P.REFUNDED},
        _P.REFUNDED: {_P.COMPLETED, _P.PARTIALLY_REFUNDED},
        _P.FAILED: set(),
        _P.VOIDED: set(),
    }
)

REFUND_TRANSITIONS: Mapping[RefundStatus, frozenset[RefundStatus]] = _table(
    {
        RefundStatus.PENDING: {RefundStatus.COMPLETED, RefundStatus.FAILED},
        RefundStatus.COMPLETED: {RefundStatus.FAILED},
        RefundStatus.FAILED: {RefundStatus.PENDING},
    }
)
"""A provider may say late that it could not give the money back; what has failed is retried by hand."""

UNSETTLED = frozenset({_P.PROCESSING, _P.REQUIRES_ACTION})
"""A provider was asked, and has not decided, as far as is known here."""
VOIDABLE = UNSETTLED | {_P.AUTHORIZED}
"""The provider may still take money, or more of it, unless the payment is voided."""
TAKEN = frozenset({_P.COMPLETED, _P.PARTIALLY_REFUNDED})
"""Some of the money is ours, so that there is something to give back."""

DEPRECATED_NAMES: Mapping[str, OrderStatus] = MappingProxyType({"PAID": _O.PROCESSING, "COMPLETED": _O.DELIVERED})
"""Old names that requests and filters may use; never stored or returned (``docs/behavior.md#status-names``)."""

TERMINAL = frozenset(status for status, allowed in TRANSITIONS.items() if not allowed)
CANCELLABLE = frozenset(status for status, allowed in TRANSITIONS.items() if _O.CANCELLED in allowed)
RETURNABLE = frozenset(status for status, allowed in TRANSITIONS.items() if _O.RETURNED in allowed)

FORWARD_PATH = (_O.PENDING, _O.CONFIRMED, _O.PROCESSING, _O.SHIPPED, _O.DELIVERED)
"""The way forward; ``CONFIRMED`` is walked by cash-on-delivery orders only."""


def may_become(current: OrderStatus, wanted: OrderStatus) -> bool:
    """Whether the transition table allows the change."""
    return wanted in TRANSITIONS[current]


def has_reached(current: OrderStatus, wanted: OrderStatus) -> bool:
    """Whether an order at ``current`` has been at ``wanted`` already, or past it, on the way forward.

    A cancelled order has reached nothing; a returned one has been everywhere.
    """
    if current is _O.RETURNED:
        return True
    if current is _O.CANCELLED or wanted not in FORWARD_PATH:
        return current is wanted
    return FORWARD_PATH.index(current) >= FORWARD_PATH.index(wanted)


_R = ReturnStatus
RETURN_TRANSITIONS: Mapping[ReturnStatus, frozenset[ReturnStatus]] = _table(
    {
        _R.REQUESTED: {_R.APPROVED, _R.DECLINED, _R.CANCELED},
        _R.APPROVED: {_R.RECEIVED, _R.CANCELED},
        _R.RECEIVED: {_R.CLOSED},
        _R.CLOSED: set(),
        _R.DECLINED: set(),
        _R.CANCELED: set(),
    }
)
OPEN_RETURNS = tuple(status for status, allowed in RETURN_TRANSITIONS.items() if allowed)
"""The statuses of a return with which something is still to be done."""
WITHDRAWN = frozenset({_R.DECLINED, _R.CANCELED})
"""Returns of which nothing comes back: what they name may be returned by another one."""

_S = ShipmentStatus
_ON_THE_WAY = frozenset({_S.IN_TRANSIT, _S.OUT_FOR_DELIVERY, _S.AVAILABLE_FOR_PICKUP, _S.ATTEMPTED, _S.FAILED, _S.LOST})
_ENDS = {_S.DELIVERED, _S.RETURNING, _S.RETURNED_TO_SENDER}
SHIPMENT_TRANSITIONS: Mapping[ShipmentStatus, frozenset[ShipmentStatus]] = _table(
    {
        _S.CREATED: {*_ON_THE_WAY, *_ENDS},
        **{status: {*_ON_THE_WAY, *_ENDS} - {status} for status in _ON_THE_WAY},
        _S.RETURNING: {_S.RETURNED_TO_SENDER},
        _S.DELIVERED: set(),
        _S.RETURNED_TO_SENDER: set(),
    }
)
"""What a later scan makes of a parcel. On its way it may be attempted, held, lost and found; from its way back only people
make it a delivered one, and what has arrived stays where it is."""

SHIPMENT_RANK: Mapping[ShipmentStatus, int] = MappingProxyType({status: rank for rank, status in enumerate(_S)})
"""Which of two scans of the same moment counts: the higher one."""

UNDECIDED_BY_TIME = frozenset({_S.LOST, _S.RETURNING})
"""A parcel in one of these has no estimate, and no timer delivers it."""

_PREPARING = ("planning", "picking", "picked", "packing", "packed", "ready")
FULFILLMENT_MEANS: Mapping[str, OrderStatus] = MappingProxyType(
    dict.fromkeys(_PREPARING, _O.PROCESSING) | {"shipped": _O.SHIPPED, "completed": _O.DELIVERED, "cancelled": _O.CANCELLED}
)
"""What a fulfillment's status means for its order (``docs/behavior.md#fulfillment-events``); any other is only recorded."""

SCAN_MEANS: Mapping[ShipmentStatus, str] = MappingProxyType(
    {
        _S.CREATED: "ready",
        _S.IN_TRANSIT: "shipped",
        _S.OUT_FOR_DELIVERY: "shipped",
        _S.AVAILABLE_FOR_PICKUP: "shipped",
        _S.ATTEMPTED: "shipped",
        _S.DELIVERED: "completed",
        _S.FAILED: "delivery_failed",
        _S.LOST: "lost",
        _S.RETURNING: "returning",
        _S.RETURNED_TO_SENDER: "returned_to_sender",
    }
)
"""The fulfillment status a carrier's scan amounts to."""
