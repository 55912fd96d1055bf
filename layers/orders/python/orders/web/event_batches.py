"""A batch of messages as SQS delivers it, for the queues of what is reported from outside."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders.metrics import measuring
from orders.services.event_queue import EventQueue, QueueMessage


def take(event: dict[str, Any], context: Any, queue: EventQueue[Any]) -> PartialItemFailureResponse:
    """Takes each message by itself; those that fail are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with measuring() as measured:
        answer = process_partial_response(
            event, record_handler=lambda record: queue.take(_message(record), measured), processor=processor, context=context
        )
        measured.add_metric(queue.counts.failed, MetricUnit.Count, len(answer["batchItemFailures"]))
    return answer


def _message(record: SQSRecord) -> QueueMessage:
    """A record of the queue as a message; one from ``orders redrive`` has no receipt and no count."""
    attributes: dict[str, str] = record["attributes"]
    sent, tries = int(attributes["SentTimestamp"]) / 1000, int(attributes.get("ApproximateReceiveCount", "1"))
    return QueueMessage(record.body, sent, tries, record.get("receiptHandle"))
