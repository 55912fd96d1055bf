"""Notices to customers about the changes of their orders."""

from collections.abc import Mapping
from typing import Any

from orders import logs
from orders.adapters import queues
from orders.domain import notifications

logger = logs.logger()


def send(detail: Mapping[str, Any]) -> None:
    """Sends the notice of one published change; subscribers choose by customer, order and status."""
    notice = notifications.notice(detail)
    if notice is None:
        logger.warning("No sentence for this status", status=detail["new_status"])
        return
    subject, text = notice
    attributes = {
        "event_id": detail["event_id"],
        "order_id": detail["order_id"],
        "customer_id": detail["customer_id"],
        "status": detail["new_status"],
        "version": str(detail["version"]),
    }
    queues.notify(subject, text, attributes)
