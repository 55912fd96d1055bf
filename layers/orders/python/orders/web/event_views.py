"""What a webhook gets: the body of a request, for each type of event (``docs/behavior.md#published-events``).

``orders.domain.notifications`` makes them; a test compares the two.
"""

from typing import Annotated, NotRequired, TypedDict

from orders.domain.events import (
    ITEMS_CANCELLED,
    ORDER_STATUS_CHANGED,
    REFUND_STATUS_CHANGED,
    RETURN_STATUS_CHANGED,
    SHIPMENT_STATUS_CHANGED,
    Signal,
)
from orders.domain.facts import NOT_ASKED
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.statuses import (
    Condition,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    ReturnStatus,
    ShipmentStatus,
)
from orders.domain.steps import CancelReason, StepName
from orders.domain.tracking_pages import KNOWN
from orders.web.payment_views import MoneyView
from orders.web.shapes import Count, ForeignId, Keywords, Time, Version


class _AnyEventView(TypedDict):
    event_id: str
    event_type: str
    order_id: OrderId
    customer_id: CustomerId
    timestamp: Time
    triggered_by: str
    version: Version
    reason: NotRequired[str | None]


SettledPayment = Annotated[str, Keywords(enum=[*map(str, PaymentStatus), NOT_ASKED])]
KnownCarrier = Annotated[str, Keywords(enum=[*KNOWN])]
Seconds = Annotated[float, Keywords(minimum=0)]


class StatusChangeView(_AnyEventView):
    """An order has another status. The event of its end says what became of the money."""

    old_status: OrderStatus | None
    new_status: OrderStatus
    total: NotRequired[MoneyView]
    seconds_in_old_status: NotRequired[Annotated[Seconds | None, "null"]]
    step_seconds: NotRequired[Annotated[dict[str, float], Keywords(examples=[{str(StepName.SHIPPING): 5.1}])]]
    carrier: NotRequired[KnownCarrier]
    cancellation_reason: NotRequired[CancelReason]
    method: NotRequired[PaymentMethod]
    payment_status: NotRequired[SettledPayment]


class StepChangeView(_AnyEventView):
    """A step of the workflow, or the workflow as a whole, began or ended."""

    step: NotRequired[StepName]


class ReturnedPiecesView(TypedDict):
    """Pieces of a line that are sent back."""

    line_id: str
    product_id: ForeignId
    quantity: Count


class ReceivedPiecesView(ReturnedPiecesView):
    """Pieces that have come back, and how they were found."""

    condition: Condition


class ReturnChangeView(_AnyEventView):
    """A return has come further: it is asked for, decided, received in part or in whole, or closed."""

    return_id: str
    return_status: ReturnStatus
    items: NotRequired[list[ReturnedPiecesView]]
    received: NotRequired[list[ReceivedPiecesView]]


class RefundedPiecesView(TypedDict):
    """Pieces of a line that money is given back for."""

    line_id: str
    quantity: Count


class RefundChangeView(_AnyEventView):
    """A refund is begun, made, or has failed."""

    refund_id: str
    refund_status: RefundStatus
    amount: MoneyView
    items: NotRequired[list[RefundedPiecesView]]
    return_id: NotRequired[str]


class PackedPiecesView(TypedDict):
    """Pieces of a line."""

    line_id: str
    quantity: Count


class ShipmentChangeView(_AnyEventView):
    """One of several parcels is handed over, has arrived or come back, or is given back as lost."""

    shipment_id: str
    shipment_status: ShipmentStatus
    items: list[PackedPiecesView]
    tracking_number: NotRequired[str]
    carrier: NotRequired[KnownCarrier]


class CancelledItemsView(_AnyEventView):
    """A part of an order is cancelled, and the rest goes on."""

    items: list[PackedPiecesView]


class OrderStatusChangedView(TypedDict):
    """The body of a webhook's request about a status."""

    type: Annotated[str, Keywords(enum=[ORDER_STATUS_CHANGED])]
    timestamp: Time
    data: StatusChangeView


class StepChangedView(TypedDict):
    """The body of a webhook's request about a step."""

    type: Annotated[str, Keywords(enum=[signal.value for signal in Signal])]
    timestamp: Time
    data: StepChangeView


class ReturnStatusChangedView(TypedDict):
    """The body of a webhook's request about a return."""

    type: Annotated[str, Keywords(enum=[RETURN_STATUS_CHANGED])]
    timestamp: Time
    data: ReturnChangeView


class RefundStatusChangedView(TypedDict):
    """The body of a webhook's request about a refund."""

    type: Annotated[str, Keywords(enum=[REFUND_STATUS_CHANGED])]
    timestamp: Time
    data: RefundChangeView


class ShipmentStatusChangedView(TypedDict):
    """The body of a webhook's request about a parcel."""

    type: Annotated[str, Keywords(enum=[SHIPMENT_STATUS_CHANGED])]
    timestamp: Time
    data: ShipmentChangeView


class ItemsCancelledView(TypedDict):
    """The body of a webhook's request about a part that is cancelled."""

    type: Annotated[str, Keywords(enum=[ITEMS_CANCELLED])]
    timestamp: Time
    data: CancelledItemsView


HEADERS = {
    "webhook-id": "The event's id: the same in every attempt.",
    "webhook-timestamp": "When this attempt was signed, in seconds since 1970.",
    "webhook-signature": "Of id, time and raw body (Standard Webhooks): `v1,…`, two of them while a secret is replaced.",
}
WORDS = {
    ORDER_STATUS_CHANGED: "An order has another status",
    Signal.SAGA_STARTED.value: "An order's workflow has begun",
    Signal.STEP_STARTED.value: "A step has begun",
    Signal.STEP_COMPLETED.value: "A step is done",
    Signal.STEP_FAILED.value: "A step has failed",
    Signal.COMPENSATION_STARTED.value: "What was done begins to be undone",
    Signal.STEP_COMPENSATED.value: "A step is undone",
    Signal.SAGA_COMPLETED.value: "An order is delivered",
    Signal.SAGA_FAILED.value: "An order has ended without that",
    RETURN_STATUS_CHANGED: "A return has come further",
    REFUND_STATUS_CHANGED: "A refund has come further",
    SHIPMENT_STATUS_CHANGED: "A parcel has come further",
    ITEMS_CANCELLED: "A part of an order is cancelled",
}

EVENTS = (
    ORDER_STATUS_CHANGED,
    "StepChanged",
    RETURN_STATUS_CHANGED,
    REFUND_STATUS_CHANGED,
    SHIPMENT_STATUS_CHANGED,
    ITEMS_CANCELLED,
)
"""The schemas of the bodies, named as their types of events are; one is for all that are about steps."""


def schema_name(event_type: str) -> str:
    """The schema of the body for a type of event."""
    return event_type if event_type in EVENTS else EVENTS[1]
