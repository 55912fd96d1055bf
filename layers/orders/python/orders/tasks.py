"""What all workflow handlers share: the order's id on each log line, and errors under their own names."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from orders import logs
from orders.domain.errors import OrderError, TransientError
from orders.domain.order import Snapshot

logger = logs.logger()

Event = Mapping[str, Any]
Task = Callable[[Event], Mapping[str, Any]]


def task(step: Task) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Makes a Lambda handler of one workflow step: ``{"order_id": …}`` in, the facts the machine chooses by out.

    Errors rise as they are: their class names are what the machine's Retry and Catch go by.
    """

    @functools.wraps(step)
    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        logger.set_correlation_id(event["order_id"])
        try:
            return dict(step(event))
        except TransientError:
            raise
        except OrderError:
            _count_refusal()
            raise

    return handler


def _count_refusal() -> None:
    """Refusals, which Lambda counts as errors: the alarm on errors subtracts these."""
    # Only a refusal pays for loading it: a step that goes through has no metrics.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.STEP_REFUSALS, "Count", 1)


def result(snapshot: Snapshot) -> dict[str, Any]:
    """The order's status after a step; nothing personal, as many people can read an execution's data."""
    return {"status": snapshot.order.status, "version": snapshot.order.version}
