"""The queue of what the warehouse and the carriers report: each event is applied by itself, counted and timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from orders import logs, settings
from orders.adapters import queues
from orders.domain.errors import OrderError, TransientError
from orders.domain.fulfillment import FulfillmentEvent
from orders.metrics import Metric
from orders.services import inbound
from orders.services.inbound import Outcome

logger = logs.logger()

PATIENCE = (1, 4, 10, 20)
"""Seconds until an event that cannot be applied is tried again; a fault of ours is given the queue's own time."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as it is delivered: ``sent`` is in seconds since 1970, ``tries`` counts this delivery too.

    `orders redrive` hands a dead letter over without a ``receipt``.
    """

    body: str
    sent: float
    tries: int
    receipt: str | None


Read = Callable[[str, float], FulfillmentEvent]
"""Reads an event from a message's body and the time it was sent at."""


class Consumer:
    """Takes the messages of one batch."""

    def __init__(self, read: Read, measured: EphemeralMetrics) -> None:
        self._read = read
        self._measured = measured

    def take(self, message: QueueMessage) -> Outcome:
        """Applies one event; one that cannot be applied rises, and ends in the dead-letter queue if it never can."""
        try:
            return self._apply(message)
        except (OrderError, ValueError, TypeError, LookupError, RecursionError) as refusal:
            # A dead letter that is handed over stays where it is.
            if message.receipt and not isinstance(refusal, TransientError):
                # Its order may be placed soon. If not, the event should reach the dead-letter queue within a minute.
                seconds = PATIENCE[min(message.tries, len(PATIENCE)) - 1]
                queues.hold_back(settings.fulfillment_events_url(), message.receipt, seconds)
            raise

    def _apply(self, message: QueueMessage) -> Outcome:
        started = time.monotonic()
        event = self._read(message.body, message.sent)
        logger.set_correlation_id(event.order_id)
        self._count(Metric.FULFILLMENT_CONSUMED)
        outcome = inbound.take(event)
        if outcome is Outcome.APPLIED:
            self._count(Metric.FULFILLMENT_UPDATES)
        if outcome is Outcome.REFUSED:
            logger.warning("Refused a fulfillment event", fulfillment_status=event.new_status)
            self._count(Metric.INVALID_TRANSITIONS)
        # Since it has come to us: a carrier's scan may be days old when it arrives.
        self._measured.add_metric(Metric.FULFILLMENT_AGE_SECONDS, MetricUnit.Seconds, max(0.0, time.time() - message.sent))
        self._measured.add_metric(Metric.FULFILLMENT_SECONDS, MetricUnit.Seconds, time.monotonic() - started)
        return outcome

    def _count(self, metric: Metric) -> None:
        self._measured.add_metric(metric, MetricUnit.Count, 1)
