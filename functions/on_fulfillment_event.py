"""The fulfilment queue: orders follow what the warehouse and the carriers report."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from orders import logs
from orders.adapters import queues as messaging
from orders.domain import strict_json
from orders.domain.errors import OrderError, TransientError
from orders.domain.events import CARRIERS_SOURCE
from orders.domain.order import moment
from orders.metrics import Metric, measuring
from orders.services import inbound as fulfilment_events
from orders.services.inbound import FulfilmentEvent, Outcome
from orders.web import requests
from orders.web.news import FulfilmentNews

logger = logs.logger()

PATIENCE = (1, 4, 10, 20)
"""Seconds until an event that cannot be applied is tried again; a fault of ours is given the queue's own time."""


class Consumer:
    """One batch: each event is applied by itself, and those that fail are delivered again."""

    def __init__(self, measured: EphemeralMetrics) -> None:
        self.measured = measured

    def take(self, record: SQSRecord) -> Outcome:
        """Applies one event; one that cannot be applied rises, and ends in the dead-letter queue if it never can."""
        try:
            return self._apply(record)
        except (OrderError, ValueError, TypeError, LookupError, RecursionError) as refusal:
            # `orders redrive` hands a dead letter over without a receipt: it stays where it is.
            if record.receipt_handle and not isinstance(refusal, TransientError):
                # Its order may be placed in a moment. If not, it should not take a quarter of an hour to be found out.
                tries = int(record.attributes.approximate_receive_count)
                messaging.hold_back(record.receipt_handle, PATIENCE[min(tries, len(PATIENCE)) - 1])
            raise

    def _apply(self, record: SQSRecord) -> Outcome:
        started = time.monotonic()
        event = read(record.body, int(record.attributes.sent_timestamp) / 1000)
        logger.set_correlation_id(event.order_id)
        self._count(Metric.FULFILMENT_CONSUMED)
        outcome = fulfilment_events.take(event)
        if outcome is Outcome.APPLIED:
            self._count(Metric.FULFILMENT_UPDATES)
        if outcome is Outcome.REFUSED:
            logger.warning("Refused a fulfilment event", fulfillment_status=event.new_status)
            self._count(Metric.INVALID_TRANSITIONS)
        # Since it has come to us: a carrier's scan may be days old before we are told.
        age = time.time() - int(record.attributes.sent_timestamp) / 1000
        self.measured.add_metric(Metric.FULFILMENT_AGE_SECONDS, MetricUnit.Seconds, max(0.0, age))
        self.measured.add_metric(Metric.FULFILMENT_SECONDS, MetricUnit.Seconds, time.monotonic() - started)
        return outcome

    def _count(self, metric: Metric) -> None:
        self.measured.add_metric(metric, MetricUnit.Count, 1)


def read(body: str, sent: float) -> FulfilmentEvent:
    """The event in a queue message: what stands on the bus, or its bare detail.

    It was received when it came to the bus, or, sent past the bus, to the queue (``sent``, seconds since 1970): both stay
    the same however often it is delivered. The bus lets nobody but the pipeline's receiver name that receiver as the source.
    """
    message = strict_json.loads(body.encode("utf-8", "surrogatepass"))
    on_bus = "detail-type" in message
    detail = message["detail"] if on_bus else message
    received = moment(message["time"]) if on_bus and "time" in message else datetime.fromtimestamp(sent, UTC)
    by_pipeline = on_bus and message.get("source") == CARRIERS_SOURCE
    return requests.parse(FulfilmentNews, json.dumps(detail).encode()).event(received, by_pipeline=by_pipeline)


def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Takes a batch of events."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with measuring() as measured:
        take = Consumer(measured).take
        answer = process_partial_response(event, record_handler=take, processor=processor, context=context)
        measured.add_metric(Metric.FULFILMENT_FAILED, MetricUnit.Count, len(answer["batchItemFailures"]))
    return answer
