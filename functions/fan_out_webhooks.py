"""The webhooks' queue of events: write down what is owed to whom, once, and queue it."""

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders import logs, messaging, store
from orders.order import moment
from orders.webhooks import Delivery, Webhook

logger = logs.logger()


class FanOut:
    """One batch, for the subscriptions there were when it came."""

    def __init__(self, webhooks: list[Webhook]) -> None:
        self.webhooks = webhooks

    def owe(self, record: SQSRecord) -> None:
        """Owes one event to every endpoint that wants it. An event told twice is owed once: its id is the delivery's."""
        detail = json.loads(record.body)["detail"]
        logger.set_correlation_id(detail["order_id"])
        for webhook in self.webhooks:
            if webhook.wants(detail["event_type"]):
                owed = Delivery(
                    webhook_id=webhook.webhook_id,
                    delivery_id=detail["event_id"],
                    event_type=detail["event_type"],
                    payload=json.dumps(
                        {"type": detail["event_type"], "timestamp": detail["timestamp"], "data": detail},
                        separators=(",", ":"),
                    ),
                    created_at=moment(detail["timestamp"]),
                )
                # Queued even if it was written down before: the process may have ended in between.
                store.add_delivery(owed)
                messaging.owe(owed.webhook_id, owed.delivery_id, 0)


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Fans a batch out."""
    fan_out = FanOut(store.webhooks())
    if not fan_out.webhooks:
        return {"batchItemFailures": []}
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, record_handler=fan_out.owe, processor=processor, context=context)
