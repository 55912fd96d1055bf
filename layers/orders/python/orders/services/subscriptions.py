"""Webhook subscriptions, for admins: create, end, rotate the secret, list the deliveries and send one again."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from orders.adapters import queues, webhook_sender
from orders.adapters.store import deliveries, webhooks
from orders.domain.errors import ConstraintViolated
from orders.domain.identifiers import uuid7
from orders.domain.webhooks import Delivery, DeliveryStatus, Secret, Webhook, WebhookStatus, new_secret, rotated
from orders.services.changes import Clock, utc_now


def add(url: str, events: Sequence[str], clock: Clock = utc_now) -> tuple[Webhook, str]:
    """Subscribes an endpoint; returns the subscription and its secret.

    Raises:
        InvalidArgument: the URL is not allowed.
    """
    webhook_sender.check_url(url)
    now = clock()
    secret = new_secret(os.urandom(24))
    webhook = Webhook(f"wh-{uuid7(now, os.urandom(10))}", url, tuple(events), (Secret(secret),), now)
    webhooks.add(webhook)
    return webhook, secret


def subscriptions() -> Sequence[Webhook]:
    """All of them, the oldest first."""
    return webhooks.load_all()


def subscription(webhook_id: str) -> Webhook:
    """One of them; raises ``NotFound``."""
    return webhooks.load(webhook_id)


def remove(webhook_id: str, clock: Clock = utc_now) -> None:
    """Ends a subscription; raises ``NotFound``."""
    webhooks.remove(webhook_id, clock())


def rotate_secret(webhook_id: str, clock: Clock = utc_now) -> tuple[Webhook, str]:
    """Gives a new secret, and returns it too; the old one also signs for a day. A disabled endpoint becomes active."""
    secret, now = new_secret(os.urandom(24)), clock()

    def renewed(found: Webhook) -> Webhook:
        active = replace(found, status=WebhookStatus.ACTIVE, failing_since=None, disabled_reason=None)
        return rotated(active, secret, now)

    return webhooks.change(webhook_id, renewed), secret


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


def redeliver(webhook: Webhook, delivery_id: str) -> Delivery:
    """Sends one delivery again, now; raises ``NotFound``."""
    before = deliveries.load(webhook.webhook_id, delivery_id)
    after = replace(before, status=DeliveryStatus.PENDING, next_attempt_at=None)
    deliveries.save(before, after)
    queues.send_delivery(webhook.webhook_id, before.delivery_id, 0)
    return after
