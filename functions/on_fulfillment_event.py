"""The fulfillment queue: orders follow what the warehouse and the carriers report."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders import settings
from orders.metrics import Metric
from orders.services import inbound
from orders.services.event_queue import Counts, EventQueue
from orders.web import event_batches, fulfillment_schema

QUEUE = EventQueue(
    settings.fulfillment_events_url,
    lambda message: fulfillment_schema.read_message(message.body, message.sent),
    inbound.take,
    Counts(
        consumed=Metric.FULFILLMENT_CONSUMED,
        applied=Metric.FULFILLMENT_UPDATES,
        refused=Metric.INVALID_TRANSITIONS,
        failed=Metric.FULFILLMENT_FAILED,
        age=Metric.FULFILLMENT_AGE_SECONDS,
        seconds=Metric.FULFILLMENT_SECONDS,
    ),
)


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Takes a batch of events; those that fail are delivered again."""
    return event_batches.take(event, context, QUEUE)
