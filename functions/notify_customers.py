"""The bus: sends customers a notice about each change of their order's status."""

from typing import Any

from orders import logs
from orders.services import notices

logger = logs.logger()


def handler(event: dict[str, Any], _context: Any) -> None:
    """Sends one notice."""
    logger.set_correlation_id(event["detail"]["order_id"])
    notices.send(event["detail"])
