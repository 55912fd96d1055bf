"""The sweep: finds and repairs overdue orders, and measures its work."""

from collections.abc import Callable

from aws_lambda_powertools.metrics import MetricUnit

from orders import logs
from orders.domain.errors import NotFound, StoreBusy
from orders.metrics import Metric, measuring
from orders.services import recovery, stuck
from orders.services.recovery import Swept

logger = logs.logger()


def sweep(seconds_left: Callable[[], float], *, everything: bool, cursor: str | None) -> Swept:
    """Sweeps what is due, or every open order from the cursor on.

    Raises:
        ExceptionGroup: at the end, with the errors of single orders, unless ``everything`` was swept.
    """
    swept = recovery.sweep(everything=everything, cursor=cursor, seconds_left=seconds_left)
    _measure(swept)
    for order_id, failure in swept.failures.items():
        logger.error("An order could not be repaired", order_id=order_id, exc_info=failure)
    if swept.failures and not everything:
        raise ExceptionGroup(f"Not repaired: {', '.join(list(swept.failures)[:20])}", list(swept.failures.values()))
    return swept


def look_after(execution_arn: str, status: str, error: str | None) -> str:
    """Repairs the order whose execution failed or was stopped too early, and counts that; returns the execution's name.

    Not counted are the executions of orders that are over, or being unwound, by their rows.
    """
    name = execution_arn.rpartition(":")[2]
    try:
        machine = recovery.execution_ended(execution_arn, status, error)
    except NotFound:
        logger.warning("An execution of no known order ended", execution=name)
        return name
    if machine is not None:
        logger.warning("An execution ended before its order did", execution=name, status=status, error=error)
        with measuring() as measured:
            measured.add_dimension(name="machine", value=machine)
            measured.add_dimension(name="status", value=status)
            measured.add_metric(Metric.EXECUTIONS_ENDED_EARLY, MetricUnit.Count, 1)
    return name


def _measure(swept: Swept) -> None:
    throttled = swept.throttled
    try:
        found = stuck.count()
    except StoreBusy:
        found = {}
        throttled += 1
    logger.info("Swept", looked_at=swept.looked_at, restarted=len(swept.restarted), throttled=throttled, cursor=swept.cursor)
    with measuring() as measured:
        measured.add_metric(Metric.SWEEPS, MetricUnit.Count, 1)
        measured.add_metric(Metric.ORDERS_RESTARTED, MetricUnit.Count, len(swept.restarted))
        measured.add_metric(Metric.SWEEP_THROTTLES, MetricUnit.Count, throttled)
        measured.add_metric(Metric.PARCELS_OVERDUE, MetricUnit.Count, swept.overdue)
    for status, count in found.items():
        with measuring() as measured:
            measured.add_dimension(name="status", value=status)
            measured.add_metric(Metric.ORDERS_STUCK, MetricUnit.Count, count)
