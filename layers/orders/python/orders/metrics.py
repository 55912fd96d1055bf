"""Metric names, each in one place; the values leave as embedded metric format lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from aws_lambda_powertools.metrics import EphemeralMetrics

NAMESPACE = "Orders"
NEVER_FILTERED = "FATAL"
"""The level that Lambda's filter lets through whatever ``LogLevel`` is; a line without a level counts as INFO to it."""


class Metric(StrEnum):
    """What is counted or measured."""

    FULFILLMENT_CONSUMED = "fulfillment_status_events_consumed_total"
    FULFILLMENT_UPDATES = "order_status_updates_from_fulfillment_total"
    FULFILLMENT_SECONDS = "fulfillment_event_processing_duration_seconds"
    FULFILLMENT_AGE_SECONDS = "fulfillment_event_age_seconds"
    FULFILLMENT_FAILED = "fulfillment_status_events_failed_total"
    PAYMENT_EVENTS_CONSUMED = "payment_events_consumed_total"
    PAYMENT_UPDATES = "order_status_updates_from_payments_total"
    PAYMENT_EVENTS_FAILED = "payment_events_failed_total"
    DISPUTES_OPENED = "payment_disputes_opened_total"
    PAYMENTS_AFTER_THE_END = "payments_after_the_end_total"
    REFUNDS_FAILED = "refunds_failed_total"
    CAPTURES_REFUSED = "captures_refused_total"
    HOLDS_ENDED = "authorizations_ended_total"
    ORDERS_STUCK = "orders_stuck"
    PARCELS_OVERDUE = "parcels_overdue_total"
    ORDERS_RESTARTED = "orders_restarted_total"
    EXECUTIONS_ENDED_EARLY = "executions_ended_early_total"
    SWEEPS = "sweeps_total"
    SWEEP_THROTTLES = "sweep_throttles_total"
    ORDERS_PLACED = "orders_placed_total"
    ORDERS_CANCELLED = "orders_cancelled_total"
    TRANSITIONS = "order_transitions_total"
    STATUS_SECONDS = "order_status_duration_seconds"
    FOREIGN_REPORTS = "carrier_reports_of_foreign_parcels_total"
    INVALID_TRANSITIONS = "invalid_transitions_total"
    STEP_REFUSALS = "step_refusals_total"
    WEBHOOK_DELIVERED = "webhook_deliveries_succeeded_total"
    WEBHOOK_FAILED = "webhook_deliveries_failed_total"


@contextmanager
def measuring() -> Iterator[EphemeralMetrics]:
    """Metrics of one invocation: written out at its end, where there are any."""
    measured = EphemeralMetrics(namespace=NAMESPACE, service="orders")
    # At once: a hundred values of a metric are written out by themselves, before the end.
    measured.add_metadata("level", NEVER_FILTERED)
    measured.add_metadata("timestamp", datetime.now(UTC).isoformat())
    try:
        yield measured
    finally:
        if measured.metric_set:
            measured.flush_metrics()
