"""Outbound webhooks after Standard Webhooks: subscriptions, pending deliveries, and when each is tried again.

Pure: times arrive as arguments, and sending is the webhook sender's.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from orders.domain.personal import Hidden, Impersonal, Privacy, guarded

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""How long to wait after each failed attempt, as Standard Webhooks gives it; the first attempt is made at once."""

FAILING_LIMIT = timedelta(days=5)
"""An endpoint that has failed for so long without one success is switched off."""

OVERLAP = timedelta(hours=24)
"""How long the old secret still signs beside the new one after a rotation."""

DELIVERIES_KEPT = timedelta(days=30)
LONGEST_HOLD = timedelta(seconds=900)
"""The longest a queue holds a message back; longer delays are held in several goes."""


class WebhookStatus(StrEnum):
    """Whether an endpoint is sent anything."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class DeliveryStatus(StrEnum):
    """The status of a webhook delivery."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@guarded
@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret, ``whsec_…``; ``until`` is when a replaced one stops signing."""

    text: Hidden
    until: datetime | None = None


@guarded
@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. No ``events`` means all of them; ``failing_since`` is the first failure since the last success."""

    webhook_id: Impersonal
    url: Impersonal
    events: tuple[Impersonal, ...]
    secrets: tuple[Secret, ...]
    created_at: datetime
    status: WebhookStatus = WebhookStatus.ACTIVE
    failing_since: datetime | None = None
    disabled_reason: Impersonal | None = None
    unknown: Annotated[Mapping[str, Any], Privacy.HIDDEN] = field(default_factory=dict)
    """What a later release has written beside it: kept."""

    def wants(self, kind: str) -> bool:
        """Whether the endpoint subscribes to events of this type."""
        return self.status is WebhookStatus.ACTIVE and (not self.events or kind in self.events)

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets to sign with now, the newest first."""
        return tuple(secret.text for secret in self.secrets if secret.until is None or now < secret.until)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: ``status_code`` is what was answered, ``error`` why nothing was."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: Impersonal | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took it."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants nothing more, ever."""
        return self.status_code == 410


@guarded
@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint; ``payload`` is the exact text that is signed and sent, each time."""

    webhook_id: Impersonal
    delivery_id: Impersonal
    event_type: Impersonal
    payload: Annotated[str, Privacy.BY_NAME]
    created_at: datetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: tuple[Attempt, ...] = ()
    next_attempt_at: datetime | None = None


def new_secret(random: bytes) -> str:
    """A fresh signing secret from 24 random bytes."""
    return f"whsec_{base64.b64encode(random).decode()}"


def rotated(webhook: Webhook, secret: str, now: datetime) -> Webhook:
    """The webhook with a new secret; each one before it goes on signing beside it for a day from when it was replaced."""
    still = (old for old in webhook.secrets if old.until is None or now < old.until)
    return replace(webhook, secrets=(Secret(secret), *(replace(old, until=old.until or now + OVERLAP) for old in still)))


def attempted(delivery: Delivery, attempt: Attempt) -> Delivery:
    """The delivery after a try: done, to be tried again later, or given up.

    Only automatic tries count against the schedule's end: a redelivery by hand is one more try at its last delay.
    """
    attempts = (*delivery.attempts, attempt)
    if attempt.succeeded:
        return replace(delivery, attempts=attempts, status=DeliveryStatus.SUCCEEDED, next_attempt_at=None)
    if attempt.gone or len(attempts) > len(RETRY_DELAYS):
        return replace(delivery, attempts=attempts, status=DeliveryStatus.FAILED, next_attempt_at=None)
    later = attempt.at + RETRY_DELAYS[len(attempts) - 1]
    return replace(delivery, attempts=attempts, status=DeliveryStatus.PENDING, next_attempt_at=later)


def after_attempt(webhook: Webhook, attempt: Attempt) -> Webhook:
    """The webhook after a try: healthy, failing, or switched off."""
    if attempt.succeeded:
        return replace(webhook, failing_since=None)
    since = webhook.failing_since or attempt.at
    if attempt.gone:
        return replace(webhook, failing_since=since, status=WebhookStatus.DISABLED, disabled_reason="It answered 410 Gone.")
    if attempt.at - since >= FAILING_LIMIT:
        reason = "It has failed for five days."
        return replace(webhook, failing_since=since, status=WebhookStatus.DISABLED, disabled_reason=reason)
    return replace(webhook, failing_since=since)


def hold(delivery: Delivery, now: datetime) -> int:
    """How many seconds the queue should hold the delivery back before it is looked at again."""
    if delivery.next_attempt_at is None:
        return 0
    left = min(delivery.next_attempt_at - now, LONGEST_HOLD)
    return max(0, -int(-left.total_seconds() // 1))
