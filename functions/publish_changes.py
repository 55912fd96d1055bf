"""The table's stream, second consumer: publish each committed change on the bus, at least once."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders.services import publishing


def handler(event: dict[str, Any], _context: Any) -> PartialItemFailureResponse:
    """Publishes a batch; when the bus is busy all of it is retried, with the same ids."""
    if publishing.publish(event["Records"]):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]}
