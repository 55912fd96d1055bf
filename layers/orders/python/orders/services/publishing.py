"""Committed changes are published on the bus, at least once.

Two changes of one order may be published in either order; each carries the order's version.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from orders import logs, settings
from orders.adapters import bus, queues
from orders.adapters.store.event_items import event_from_item
from orders.domain import mails, notifications
from orders.domain.errors import TransientError
from orders.domain.events import MAIL_SOURCE
from orders.domain.notifications import Message
from orders.domain.order import Event
from orders.domain.statuses import OrderStatus
from orders.metrics import Metric, measuring

logger = logs.logger()

CONSUMER = "publish_changes"
"""Under which name a record that cannot be read is set aside."""


def publish(records: Sequence[Mapping[str, Any]]) -> bool:
    """Publishes records of the table's stream; returns whether the bus took them. All may be published again.

    A record that cannot be read is set aside at once: no retry would help, and until then it would hold up its shard.
    """
    pending: list[Message] = []
    changes: list[Event] = []
    with measuring() as measured:
        for record in records:
            try:
                change = event_from_item(record["dynamodb"]["NewImage"])
            except (KeyError, ValueError, TypeError) as error:
                logger.exception("A record of the stream cannot be read")
                queues.set_aside(CONSUMER, record, f"{type(error).__name__}: {error}")
                continue
            pending += notifications.messages(change)
            changes.append(change)
            _measure(change, measured)
        _measure_by_status(changes)
        try:
            bus.publish(pending)
            if settings.mail_sender():
                bus.publish([message for change in changes if (message := mails.due(change))], MAIL_SOURCE)
        except TransientError:
            logger.warning("The bus is busy; the batch will be retried")
            return False
    return True


def _measure(change: Event, measured: Any) -> None:
    if change.old_status is change.status:
        return
    measured.add_metric(Metric.TRANSITIONS, MetricUnit.Count, 1)
    if change.old_status is None:
        measured.add_metric(Metric.ORDERS_PLACED, MetricUnit.Count, 1)
    if change.status is OrderStatus.CANCELLED:
        measured.add_metric(Metric.ORDERS_CANCELLED, MetricUnit.Count, 1)


def _measure_by_status(changes: list[Event]) -> None:
    """Transitions by the status that was reached, times by the one that was left: one line of metrics for each status."""
    moved = [change for change in changes if change.old_status is not change.status]
    for status in OrderStatus:
        reached = [change for change in moved if change.status is status]
        left = [change.measures.status_seconds for change in moved if change.old_status is status and change.measures]
        if not reached and not left:
            continue
        with measuring() as measured:
            measured.add_dimension(name="status", value=status)
            for _ in reached:
                measured.add_metric(Metric.TRANSITIONS, MetricUnit.Count, 1)
            for seconds in left:
                if seconds is not None:
                    measured.add_metric(Metric.STATUS_SECONDS, MetricUnit.Seconds, seconds)
