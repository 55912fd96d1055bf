"""What staff see of the mails to an order's customer."""

from typing import NotRequired, TypedDict

from orders.domain.identifiers import OrderId
from orders.domain.mails import Mail, MailKind, MailStatus
from orders.domain.order import timestamp
from orders.web.shapes import Time, present


class MailView(TypedDict):
    """A mail about an order: what was sent to whom, or why it was not."""

    mail_id: str
    about: MailKind
    status: MailStatus
    at: Time
    language: str
    to: NotRequired[str | None]
    subject: NotRequired[str | None]
    text: NotRequired[str | None]
    reason: NotRequired[str | None]


class MailListView(TypedDict):
    """The mails about an order, oldest first."""

    order_id: OrderId
    mails: list[MailView]


def mail_view(mail: Mail) -> MailView:
    """A mail as staff see it."""
    return present(
        MailView,
        mail_id=mail.mail_id,
        about=mail.kind,
        status=mail.status,
        at=timestamp(mail.at),
        language=mail.language,
        to=mail.to,
        subject=mail.subject,
        text=mail.text,
        reason=mail.reason,
    )
