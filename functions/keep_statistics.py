"""The statistics' queue of events: count each change once, however often it is published."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders.services import counting


def handler(event: dict[str, Any], _context: Any) -> PartialItemFailureResponse:
    """Counts a batch; each event that could not be counted or read is delivered again."""
    failed = counting.count([(record["messageId"], record["body"]) for record in event["Records"]])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
