"""Every minute, and whenever an execution ends badly: find orders nothing has happened to in time and carry them on."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from orders import logs
from orders.domain.errors import NotFound, StoreBusy
from orders.metrics import Metric, measuring
from orders.services import recovery
from orders.services.recovery import Swept

logger = logs.logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweeps what is due, every open order (``{"everything": true}``), or the one order whose execution ended.

    What it returns names where it stopped: ``{"everything": true, "cursor": …}`` goes on there. What is due and was not
    reached comes first in the next minute's sweep.

    Raises:
        ExceptionGroup: at the end of a scheduled sweep, with what went wrong with single orders.
    """
    if event.get("detail"):  # the schedule sends an empty one
        return _look_after(event["detail"])
    everything = bool(event.get("everything"))
    swept = recovery.sweep(
        everything=everything,
        cursor=event.get("cursor"),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    _measure(swept)
    for order_id, failure in swept.failures.items():
        logger.error("An order could not be repaired", order_id=order_id, exc_info=failure)
    if swept.failures and not everything:
        raise ExceptionGroup(f"Not repaired: {', '.join(list(swept.failures)[:20])}", list(swept.failures.values()))
    return {
        "looked_at": swept.looked_at,
        "restarted": list(swept.restarted),
        "failed": list(swept.failures),
        "throttled": swept.throttled,
        "cursor": swept.cursor,
    }


def _look_after(ended: Mapping[str, Any]) -> dict[str, Any]:
    """Carries on the one order whose execution has ended badly."""
    name = ended["executionArn"].rpartition(":")[2]
    try:
        recovery.execution_ended(ended["executionArn"], ended["status"], ended.get("error"))
    except NotFound:
        logger.warning("An execution of no known order ended", execution=name)
    return {"checked": name}


def _measure(swept: Swept) -> None:
    throttled = swept.throttled
    try:
        stuck = recovery.stuck()
    except StoreBusy:
        stuck = {}
        throttled += 1
    logger.info("Swept", looked_at=swept.looked_at, restarted=len(swept.restarted), throttled=throttled, cursor=swept.cursor)
    with measuring() as measured:
        measured.add_metric(Metric.SWEEPS, MetricUnit.Count, 1)
        measured.add_metric(Metric.ORDERS_RESTARTED, MetricUnit.Count, len(swept.restarted))
        measured.add_metric(Metric.SWEEP_THROTTLES, MetricUnit.Count, throttled)
    for status, count in stuck.items():
        with measuring() as measured:
            measured.add_dimension(name="status", value=status)
            measured.add_metric(Metric.ORDERS_STUCK, MetricUnit.Count, count)
