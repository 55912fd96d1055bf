"""The table's stream, second consumer: publish each committed change on the bus, in its order."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders import notifications
from orders.bus import publish
from orders.errors import TransientError
from orders.metrics import Metric, measuring
from orders.notifications import Message
from orders.order import Event
from orders.store import event_from_item

logger = Logger()


def handler(event: dict[str, Any], _context: Any) -> PartialItemFailureResponse:
    """Publishes a batch. A record that cannot be read is reported by itself; the stream goes on around it.

    Records behind a failed one are delivered again with it: their ids are the same then, and their order is kept.
    """
    pending: list[Message] = []
    with measuring() as measured:
        for record in event["Records"]:
            number = record["dynamodb"]["SequenceNumber"]
            try:
                change = event_from_item(record["dynamodb"]["NewImage"])
            except (KeyError, ValueError, TypeError):
                logger.exception("A record of the stream cannot be read", sequence_number=number)
                return _sent_up_to(pending, event, number)
            pending += notifications.messages(change)
            _measure(change, measured)
        return _sent_up_to(pending, event, None)


def _sent_up_to(pending: list[Message], event: dict[str, Any], failed: str | None) -> PartialItemFailureResponse:
    """Publishes what was read, then names the record from which on the batch has to come again."""
    try:
        publish(pending)
    except TransientError:
        logger.warning("The bus is busy; the batch comes again")
        failed = event["Records"][0]["dynamodb"]["SequenceNumber"]
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}


def _measure(change: Event, measured: Any) -> None:
    if change.old_status is change.status:
        return
    measured.add_metric(Metric.TRANSITIONS, MetricUnit.Count, 1)
    if change.measures and change.measures.status_seconds is not None:
        measured.add_metric(Metric.STATUS_SECONDS, MetricUnit.Seconds, change.measures.status_seconds)
