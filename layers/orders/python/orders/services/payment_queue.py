"""The queue of what is reported of payments: each event is applied by itself, and counted."""

from collections.abc import Callable

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from orders import logs, settings
from orders.adapters import queues
from orders.domain.errors import OrderError, TransientError
from orders.domain.payment_reports import PaymentReport
from orders.metrics import Metric
from orders.services import payment_events
from orders.services.fulfillment_queue import PATIENCE, QueueMessage
from orders.services.inbound import Outcome

logger = logs.logger()

Read = Callable[[str], PaymentReport]
"""Reads an event from a message's body."""


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
                queues.hold_back(settings.payment_events_url(), message.receipt, seconds)
            raise

    def _apply(self, message: QueueMessage) -> Outcome:
        report = self._read(message.body)
        logger.set_correlation_id(report.order_id)
        self._count(Metric.PAYMENT_EVENTS_CONSUMED)
        outcome = payment_events.take(report)
        if outcome is Outcome.APPLIED:
            self._count(Metric.PAYMENT_UPDATES)
        if outcome is Outcome.REFUSED:
            logger.warning("Gave back money that came after its payment had ended", payment_event=report.event_type)
            self._count(Metric.PAYMENTS_AFTER_THE_END)
        return outcome

    def _count(self, metric: Metric) -> None:
        self._measured.add_metric(metric, MetricUnit.Count, 1)
