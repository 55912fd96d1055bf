"""The queue of payment events: orders follow what is reported of their payments."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders.metrics import Metric, measuring
from orders.services.fulfillment_queue import QueueMessage
from orders.services.payment_queue import Consumer
from orders.web import payment_schema


def message_of(record: SQSRecord) -> QueueMessage:
    """A record of the queue as a message; one from ``orders redrive`` has no receipt and no count."""
    attributes: dict[str, str] = record["attributes"]
    sent, tries = int(attributes["SentTimestamp"]) / 1000, int(attributes.get("ApproximateReceiveCount", "1"))
    return QueueMessage(record.body, sent, tries, record.get("receiptHandle"))


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Takes a batch of events; those that fail are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with measuring() as measured:
        consumer = Consumer(payment_schema.read_message, measured)
        answer = process_partial_response(
            event, record_handler=lambda record: consumer.take(message_of(record)), processor=processor, context=context
        )
        measured.add_metric(Metric.PAYMENT_EVENTS_FAILED, MetricUnit.Count, len(answer["batchItemFailures"]))
    return answer
