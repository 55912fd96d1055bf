"""Every minute, and whenever an execution ends badly: find orders nothing has happened to in time and carry them on."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from orders import desk, logs, workflow
from orders.errors import NotFound
from orders.events import SYSTEM
from orders.metrics import Metric, measuring

logger = logs.logger()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Sweeps what is due, every open order (``{"everything": true}``), or the one order whose execution ended."""
    ended = event.get("detail", {}).get("name")
    if ended:
        try:
            desk.sync(workflow.order_of_execution(ended), SYSTEM)
        except NotFound:
            logger.warning("An execution of no known order ended", execution=ended)
        return {"restarted": [], "checked": ended}
    restarted = list(desk.sweep(everything=bool(event.get("everything"))))
    logger.info("Swept", restarted=len(restarted))
    with measuring() as measured:
        measured.add_metric(Metric.SWEEPS, MetricUnit.Count, 1)
        measured.add_metric(Metric.ORDERS_RESTARTED, MetricUnit.Count, len(restarted))
    for status, stuck in desk.stuck().items():
        with measuring() as measured:
            measured.add_dimension(name="status", value=status)
            measured.add_metric(Metric.ORDERS_STUCK, MetricUnit.Count, stuck)
    return {"restarted": restarted}
