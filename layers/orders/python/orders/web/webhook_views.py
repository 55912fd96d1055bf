"""What admins see of webhooks and of what is sent to them."""

import json
from typing import Annotated, NotRequired, TypedDict

from orders.domain.notifications import EVENT_TYPES
from orders.domain.order import timestamp
from orders.domain.webhooks import Attempt, Delivery, DeliveryStatus, Webhook, WebhookStatus
from orders.web.shapes import Count, Id, Keywords, Time, present, when

EventName = Annotated[str, Keywords(enum=[str(kind) for kind in EVENT_TYPES])]


class WebhookView(TypedDict):
    """A subscription; its secret is shown once, when it is made or replaced."""

    webhook_id: Id
    url: str
    events: list[EventName]
    status: WebhookStatus
    created_at: Time
    failing_since: Time | None
    disabled_reason: str | None
    secret: NotRequired[str | None]


class WebhookListView(TypedDict):
    """All subscriptions."""

    webhooks: list[WebhookView]


def webhook_view(webhook: Webhook, secret: str | None = None) -> WebhookView:
    """A subscription as admins see it."""
    return present(
        WebhookView,
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        events=list(webhook.events),
        status=webhook.status,
        created_at=timestamp(webhook.created_at),
        failing_since=when(webhook.failing_since),
        disabled_reason=webhook.disabled_reason,
        secret=secret or None,
    )


class _AttemptView(TypedDict):
    at: Time
    duration_ms: Count
    status_code: Count | None
    error: str | None


class DeliveryView(TypedDict):
    """A delivery with all its attempts, and the order its event is about."""

    delivery_id: Id
    webhook_id: Id
    event_type: EventName
    status: DeliveryStatus
    created_at: Time
    next_attempt_at: Time | None
    attempts: list[_AttemptView]
    order_id: NotRequired[Id | None]


class DeliveryListView(TypedDict):
    """A page of deliveries."""

    deliveries: list[DeliveryView]
    next_cursor: str | None


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery as admins see it."""
    return present(
        DeliveryView,
        delivery_id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event_type=delivery.event_type,
        status=delivery.status,
        created_at=timestamp(delivery.created_at),
        next_attempt_at=when(delivery.next_attempt_at),
        attempts=[_attempt_view(attempt) for attempt in delivery.attempts],
        order_id=json.loads(delivery.payload).get("data", {}).get("order_id") or None,
    )


def _attempt_view(attempt: Attempt) -> _AttemptView:
    return {
        "at": timestamp(attempt.at),
        "duration_ms": attempt.duration_ms,
        "status_code": attempt.status_code,
        "error": attempt.error,
    }
