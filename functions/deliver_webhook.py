"""The webhooks' queue of deliveries: make the attempts that are due, and delay the others."""

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders.services import webhook_delivery


def deliver(record: SQSRecord) -> None:
    """One delivery."""
    message = json.loads(record.body)
    webhook_delivery.deliver(message["webhook_id"], message["delivery_id"])


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Handles a batch of deliveries."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, record_handler=deliver, processor=processor, context=context)
