"""The bus: sends customers a notice about each change of their order's status, and mails; SES: whose mails come back."""

from typing import Any

from orders import logs
from orders.domain.events import MAIL_SOURCE
from orders.services import notices

logger = logs.logger()

SES = "aws.ses"


def handler(event: dict[str, Any], _context: Any) -> None:
    """Sends one notice or one mail, or takes what SES reports."""
    source = event.get("source")
    if source not in (MAIL_SOURCE, SES):
        logger.set_correlation_id(event["detail"]["order_id"])
        notices.send(event["detail"])
        return
    # Where no mails are sent, none of it is loaded.
    from orders.services import mails  # noqa: PLC0415

    if source == MAIL_SOURCE:
        logger.set_correlation_id(event["detail"]["order_id"])
        mails.send(event["detail"])
    else:
        mails.take_report(event["detail"])
