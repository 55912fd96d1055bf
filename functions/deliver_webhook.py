"""The webhooks' queue of deliveries: make the attempts that are due, and hold back what is not."""

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders import logs
from orders.adapters import queues as messaging
from orders.adapters import webhook_sender as outbound
from orders.adapters.store import deliveries, newer, webhooks
from orders.domain.errors import NotFound
from orders.domain.webhooks import Delivery, DeliveryStatus, Webhook, WebhookStatus, attempted, hold, judged
from orders.metrics import Metric, measuring

logger = logs.logger()


def deliver(record: SQSRecord) -> None:
    """One delivery: dropped if nobody wants it any more, held back if it is not due, attempted otherwise."""
    message = json.loads(record.body)
    try:
        webhook = webhooks.load(message["webhook_id"])
        delivery = deliveries.load(message["webhook_id"], message["delivery_id"])
    except NotFound:
        logger.info("Nobody waits for this delivery any more")
        return
    newer.refuse([webhook.status, delivery.status])
    if webhook.status is WebhookStatus.DISABLED or delivery.status is not DeliveryStatus.PENDING:
        return
    wait = hold(delivery, datetime.now(UTC))
    if wait:
        messaging.owe(delivery.webhook_id, delivery.delivery_id, wait)
        return
    _attempt(webhook, delivery)


def _attempt(webhook: Webhook, delivery: Delivery) -> None:
    attempt = outbound.send(delivery, webhook.url, webhook.signing(datetime.now(UTC)))
    after = attempted(delivery, attempt)
    with measuring() as measured:
        measured.add_metric(Metric.WEBHOOK_DELIVERED if attempt.succeeded else Metric.WEBHOOK_FAILED, MetricUnit.Count, 1)
    logger.info("Attempted", delivery_id=delivery.delivery_id, status_code=attempt.status_code, error=attempt.error)
    if not deliveries.save(delivery, after):
        # A second copy of the message made its attempt meanwhile and has queued what follows.
        return
    webhooks.change(webhook.webhook_id, lambda found: judged(found, attempt))
    if after.next_attempt_at:
        messaging.owe(after.webhook_id, after.delivery_id, hold(after, datetime.now(UTC)))


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Works a batch of deliveries off."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, record_handler=deliver, processor=processor, context=context)
