"""The table's stream, first consumer: calls the workflow service as each committed change requires.

Two changes of one order may arrive at once, in either order, and twice: the action depends on the order's row alone.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders import logs
from orders.domain.events import FollowUp
from orders.services import recovery

logger = logs.logger()


def follow_up(record: Any) -> None:
    """One audit event with a follow-up."""
    image = record.raw_event["dynamodb"]["NewImage"]
    order_id = image["order_id"]["S"]
    logger.set_correlation_id(order_id)
    recovery.follow_up(order_id, FollowUp(image["follow_up"]["S"]))


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Follows up on each record; those that fail are delivered again."""
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=follow_up, processor=processor, context=context)
