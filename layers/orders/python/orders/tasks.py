"""What all workflow handlers share: the order's id on each log line, and errors under their own names."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from orders import logs
from orders.domain import outcomes
from orders.domain.errors import OrderError, TransientError
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot
from orders.services import reading

logger = logs.logger()

Event = Mapping[str, Any]
Task = Callable[[Event], Mapping[str, Any]]


class StepFault(Exception):
    """An error that no step foresees; its own words stay in the log, as executions show theirs to many people."""


def task(step: Task) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Makes a Lambda handler of one workflow step: ``{"order_id": …}`` in, the facts the machine chooses by out.

    The product's errors rise as they are: their class names are what the machine's Retry and Catch go by.
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
        except Exception as fault:
            logger.exception("The step failed")
            raise StepFault(f"{type(fault).__name__}: the function's log says more.") from fault

    return handler


def _count_refusal() -> None:
    """Refusals, which Lambda counts as errors: the alarm on errors subtracts these."""
    # Only a refusal pays for loading it: a step that goes through has no metrics.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.STEP_REFUSALS, "Count", 1)


def result(snapshot: Snapshot) -> dict[str, Any]:
    """What a step reports: statuses and ids, nothing personal."""
    return outcomes.of(snapshot)


def takes_outcomes(event: Event) -> bool:
    """Whether the execution's definition chooses by outcomes; those of earlier releases wait for errors."""
    return bool(event.get("outcomes"))


def refused(event: Event, refusal: OrderError) -> dict[str, Any]:
    """A refusal as the execution's definition takes it: an outcome, or the error itself."""
    if not takes_outcomes(event):
        raise refusal
    return outcomes.of(reading.to_show(OrderId(event["order_id"])), refusal)
