"""The bus: tell customers, in words, what has become of their order."""

from typing import Any

from orders import logs
from orders.adapters import queues as messaging
from orders.domain import notifications

logger = logs.logger()


def handler(event: dict[str, Any], _context: Any) -> None:
    """Publishes one notice; subscribers choose by customer, order and status."""
    detail = event["detail"]
    logger.set_correlation_id(detail["order_id"])
    told = notifications.notice(detail)
    if told is None:
        logger.warning("No sentence for this status", status=detail["new_status"])
        return
    subject, text = told
    attributes = {
        "event_id": detail["event_id"],
        "order_id": detail["order_id"],
        "customer_id": detail["customer_id"],
        "status": detail["new_status"],
        "version": str(detail["version"]),
    }
    messaging.notify(subject, text, attributes)
