"""Webhook subscriptions, for admins: create, end, rotate the secret, list the deliveries and send one again."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from orders.adapters import queues, webhook_sender
from orders.adapters.store import deliveries, webhooks
from orders.domain.digests import CallRecord, KeyedCall
from orders.domain.errors import ConstraintViolated, StoreBusy
from orders.domain.identifiers import fingerprint, uuid7
from orders.domain.webhooks import Delivery, DeliveryStatus, Secret, Webhook, WebhookStatus, new_secret, rotated
from orders.services.changes import Clock, utc_now
from orders.services.once import once

WithSecret = tuple[Webhook, str | None]
"""A subscription, and the secret that its caller is shown."""


def add(url: str, events: Sequence[str], call: KeyedCall | None = None, clock: Clock = utc_now) -> WithSecret:
    """Subscribes an endpoint; returns the subscription and its secret.

    Raises:
        InvalidArgument: the URL is not allowed.
        IdempotencyMismatch: the key of the call was used with another body.
    """
    webhook_sender.check_url(url)
    now = clock()
    secret = new_secret(os.urandom(24))
    webhook = Webhook(f"wh-{uuid7(now, os.urandom(10))}", url, tuple(events), (Secret(secret),), now)

    def added() -> WithSecret:
        webhooks.add(webhook, CallRecord(call, webhook.webhook_id, fingerprint(secret)) if call else None)
        return webhook, secret

    return once(call, added, lambda found: _as_shown(found, now))[0]


def _as_shown(record: CallRecord, now: datetime) -> WithSecret:
    """The subscription that a call led to, and the secret that it showed, for as long as that one signs."""
    webhook = webhooks.load(record.result)
    signing = (secret.text for secret in webhook.secrets if secret.until is None or secret.until > now)
    return webhook, next((text for text in signing if fingerprint(text) == record.shown), None)


def subscriptions() -> Sequence[Webhook]:
    """All of them, the oldest first."""
    return webhooks.load_all()


def subscription(webhook_id: str) -> Webhook:
    """One of them; raises ``NotFound``."""
    return webhooks.load(webhook_id)


def remove(webhook_id: str, clock: Clock = utc_now) -> None:
    """Ends a subscription; raises ``NotFound``."""
    webhooks.remove(webhook_id, clock())


def rotate_secret(webhook_id: str, call: KeyedCall | None = None, clock: Clock = utc_now) -> WithSecret:
    """Gives a new secret, and returns it too; the old one also signs for a day. A disabled endpoint becomes active."""
    secret, now = new_secret(os.urandom(24)), clock()

    def renewed(found: Webhook) -> Webhook:
        active = replace(found, status=WebhookStatus.ACTIVE, failing_since=None, disabled_reason=None)
        return rotated(active, secret, now)

    record = CallRecord(call, webhook_id, fingerprint(secret)) if call else None
    return once(call, lambda: (webhooks.change(webhook_id, renewed, record), secret), lambda first: _as_shown(first, now))[0]


def page_of_deliveries(webhook: Webhook, before: str | None, limit: int) -> tuple[Sequence[Delivery], str | None]:
    """An endpoint's deliveries, newest first, after the id ``before``, and the id after which the next page begins."""
    found = list(islice(deliveries.newest_first(webhook.webhook_id, before, limit + 1), limit + 1))
    page = found[:limit]
    return page, page[-1].delivery_id if len(found) > limit else None


def active(webhook_id: str) -> Webhook:
    """One that deliveries are made to; raises ``NotFound``, and ``ConstraintViolated`` for one that is disabled."""
    webhook = webhooks.load(webhook_id)
    if webhook.status is WebhookStatus.DISABLED:
        raise ConstraintViolated("This webhook is disabled; a new secret enables it again.")
    return webhook


def redeliver(webhook: Webhook, delivery_id: str, call: KeyedCall | None = None) -> Delivery:
    """Sends one delivery again, now; raises ``NotFound``."""

    def sent() -> Delivery:
        before = deliveries.load(webhook.webhook_id, delivery_id)
        after = replace(before, status=DeliveryStatus.PENDING, next_attempt_at=None)
        record = CallRecord(call, delivery_id) if call else None
        if not deliveries.save(before, after, record) and call:
            raise StoreBusy("An attempt is being made; try again.")
        queues.send_delivery(webhook.webhook_id, before.delivery_id, 0)
        return after

    def unchanged(record: CallRecord) -> Delivery:
        delivery = deliveries.load(webhook.webhook_id, record.result)
        if delivery.status is DeliveryStatus.PENDING:
            # It may not have been queued: what is queued twice is sent once.
            queues.send_delivery(webhook.webhook_id, delivery.delivery_id, 0)
        return delivery

    return once(call, sent, unchanged)[0]
