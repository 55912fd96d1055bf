"""The only module that talks to SES."""

from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders import settings
from orders.adapters import aws
from orders.domain.errors import TransientError


class MailBusy(TransientError):
    """SES could not be reached, or takes no more for now; nothing was sent as far as is known."""


class MailRefused(Exception):
    """SES does not take this mail, and never will."""


NEVER = frozenset({"MessageRejected", "BadRequestException", "NotFoundException"})


@cache
def client() -> Any:
    """One client a process."""
    return aws.client("sesv2")


def send(to: str, subject: str, text: str, html: str, unsubscribe_url: str) -> None:
    """Sends one mail; with an address to unsubscribe at, it carries what mail programs need for it (RFC 8058).

    Raises:
        MailRefused: it will never be taken.
        MailBusy: try again.
    """
    one_click = [
        {"Name": "List-Unsubscribe", "Value": f"<{unsubscribe_url}>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ]
    message: Any = {
        "Subject": {"Data": subject, "Charset": "UTF-8"},
        "Body": {"Text": {"Data": text, "Charset": "UTF-8"}, "Html": {"Data": html, "Charset": "UTF-8"}},
        **({"Headers": one_click} if unsubscribe_url else {}),
    }
    try:
        client().send_email(
            FromEmailAddress=settings.mail_sender(),
            Destination={"ToAddresses": [to]},
            Content={"Simple": message},
            ConfigurationSetName=settings.mail_configuration_set(),
        )
    except ClientError as error:
        if str(error.response["Error"]["Code"]) in NEVER:
            raise MailRefused(str(error.response["Error"]["Code"])) from error
        raise MailBusy("SES did not take the mail.") from error
    except BotoCoreError as error:
        raise MailBusy("SES cannot be reached.") from error
