"""Webhook deliveries: makes the attempts that are due, and delays the others."""

from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit

from orders import logs
from orders.adapters import queues, webhook_sender
from orders.adapters.store import deliveries, newer, webhooks
from orders.domain.errors import NotFound
from orders.domain.webhooks import Delivery, DeliveryStatus, Webhook, WebhookStatus, after_attempt, attempted, hold
from orders.metrics import Metric, measuring

logger = logs.logger()


def deliver(webhook_id: str, delivery_id: str) -> None:
    """One delivery: dropped if it is no longer pending, delayed if it is not due, attempted otherwise."""
    try:
        webhook, delivery = webhooks.load(webhook_id), deliveries.load(webhook_id, delivery_id)
    except NotFound:
        logger.info("This delivery is no longer pending")
        return
    newer.refuse([webhook.status, delivery.status])
    if webhook.status is WebhookStatus.DISABLED or delivery.status is not DeliveryStatus.PENDING:
        return
    wait = hold(delivery, datetime.now(UTC))
    if wait:
        queues.send_delivery(delivery.webhook_id, delivery.delivery_id, wait)
        return
    _attempt(webhook, delivery)


def _attempt(webhook: Webhook, delivery: Delivery) -> None:
    attempt = webhook_sender.send(delivery, webhook.url, webhook.signing(datetime.now(UTC)))
    after = attempted(delivery, attempt)
    with measuring() as measured:
        measured.add_metric(Metric.WEBHOOK_DELIVERED if attempt.succeeded else Metric.WEBHOOK_FAILED, MetricUnit.Count, 1)
    logger.info("Attempted", delivery_id=delivery.delivery_id, status_code=attempt.status_code, error=attempt.error)
    if not deliveries.save(delivery, after):
        # A duplicate of the message has made the attempt and queued the next one.
        return
    webhooks.change(webhook.webhook_id, lambda found: after_attempt(found, attempt))
    if after.next_attempt_at:
        queues.send_delivery(after.webhook_id, after.delivery_id, hold(after, datetime.now(UTC)))
