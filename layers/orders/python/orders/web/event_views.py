"""What a webhook gets: the body of a request, for each type of event (``docs/behavior.md#published-events``).

``orders.domain.notifications`` makes them; a test compares the two.
"""

from typing import Annotated, NotRequired, TypedDict

from orders.domain.events import ORDER_STATUS_CHANGED, Signal
from orders.domain.facts import NOT_ASKED
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.statuses import OrderStatus, PaymentMethod, PaymentStatus
from orders.domain.steps import CancelReason, StepName
from orders.web.payment_views import MoneyView
from orders.web.shapes import Keywords, Time, Version


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
Seconds = Annotated[float, Keywords(minimum=0)]


class StatusChangeView(_AnyEventView):
    """An order has another status. The event of its end says what became of the money."""

    old_status: OrderStatus | None
    new_status: OrderStatus
    total: NotRequired[MoneyView]
    seconds_in_old_status: NotRequired[Annotated[Seconds | None, "null"]]
    step_seconds: NotRequired[Annotated[dict[str, float], Keywords(examples=[{str(StepName.SHIPPING): 5.1}])]]
    cancellation_reason: NotRequired[CancelReason]
    method: NotRequired[PaymentMethod]
    payment_status: NotRequired[SettledPayment]


class StepChangeView(_AnyEventView):
    """A step of the workflow, or the workflow as a whole, began or ended."""

    step: NotRequired[StepName]


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
}

EVENTS = ("OrderStatusChanged", "StepChanged")
"""The schemas of the bodies: of a change of status, and of every other event."""


def schema_name(event_type: str) -> str:
    """The schema of the body for a type of event."""
    return EVENTS[0] if event_type == ORDER_STATUS_CHANGED else EVENTS[1]
