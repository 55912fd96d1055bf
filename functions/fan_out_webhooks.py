"""The webhooks' queue of events: write one delivery for each event and endpoint, and queue it."""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders.services import webhook_fan_out


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Fans a batch out, as far as its time allows."""
    messages = [(record["messageId"], record["body"]) for record in event["Records"]]
    failed = webhook_fan_out.fan_out(messages, lambda: context.get_remaining_time_in_millis() / 1000)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
