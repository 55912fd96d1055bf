"""The queues of what is reported from outside: each event is applied by itself, counted, and timed where that is asked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from orders import logs
from orders.adapters import queues
from orders.domain.errors import OrderError, TransientError
from orders.domain.identifiers import OrderId
from orders.metrics import Metric
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


class OutsideEvent(Protocol):
    """What every event says: which order it is about."""

    @property
    def order_id(self) -> OrderId:
        """The order's id."""


Event = TypeVar("Event", bound=OutsideEvent)


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a queue's events; ``age`` is how long they waited for us, ``seconds`` how long each took."""

    consumed: Metric
    applied: Metric
    refused: Metric
    failed: Metric
    age: Metric | None = None
    seconds: Metric | None = None


@dataclass(frozen=True, slots=True)
class EventQueue(Generic[Event]):
    """One kind of event: the queue that it waits in, how a message is read, who applies it, and what is counted."""

    url: Callable[[], str]
    read: Callable[[QueueMessage], Event]
    apply: Callable[[Event], Outcome]
    counts: Counts

    def take(self, message: QueueMessage, measured: EphemeralMetrics) -> Outcome:
        """Applies one event; one that cannot be applied rises, and ends in the dead-letter queue if it never can."""
        try:
            return self._applied(message, measured)
        except (OrderError, ValueError, TypeError, LookupError, RecursionError) as refusal:
            # A dead letter that is handed over stays where it is.
            if message.receipt and not isinstance(refusal, TransientError):
                # Its order may be placed soon. If not, the event should reach the dead-letter queue within a minute.
                queues.hold_back(self.url(), message.receipt, PATIENCE[min(message.tries, len(PATIENCE)) - 1])
            raise

    def _applied(self, message: QueueMessage, measured: EphemeralMetrics) -> Outcome:
        started, counts = time.monotonic(), self.counts
        event = self.read(message)
        logger.set_correlation_id(event.order_id)
        measured.add_metric(counts.consumed, MetricUnit.Count, 1)
        outcome = self.apply(event)
        counted = {Outcome.APPLIED: counts.applied, Outcome.REFUSED: counts.refused}.get(outcome)
        if counted:
            measured.add_metric(counted, MetricUnit.Count, 1)
        if counts.age:
            # Since it has come to us: a carrier's scan may be days old when it arrives.
            measured.add_metric(counts.age, MetricUnit.Seconds, max(0.0, time.time() - message.sent))
        if counts.seconds:
            measured.add_metric(counts.seconds, MetricUnit.Seconds, time.monotonic() - started)
        return outcome
