"""The queue of payment events: orders follow what is reported of their payments."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders import settings
from orders.metrics import Metric
from orders.services import payment_events
from orders.services.event_queue import Counts, EventQueue
from orders.web import event_batches, payment_schema

QUEUE = EventQueue(
    settings.payment_events_url,
    lambda message: payment_schema.read_message(message.body),
    payment_events.take,
    Counts(
        consumed=Metric.PAYMENT_EVENTS_CONSUMED,
        applied=Metric.PAYMENT_UPDATES,
        refused=Metric.PAYMENTS_AFTER_THE_END,
        failed=Metric.PAYMENT_EVENTS_FAILED,
    ),
)


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Takes a batch of events; those that fail are delivered again."""
    return event_batches.take(event, context, QUEUE)
