"""The requests that a webhook gets: verified by the library of Standard Webhooks, and parsed."""

from collections.abc import Mapping

from standardwebhooks import Webhook
from standardwebhooks import WebhookVerificationError as NotVerified

from orders_client.models.order_status_changed import OrderStatusChanged
from orders_client.models.step_changed import StepChanged

__all__ = ["Event", "NotVerified", "verified"]

Event = OrderStatusChanged | StepChanged


def verified(secret: str, body: bytes | str, headers: Mapping[str, str]) -> Event:
    """The event in a request: ``body`` as it came, not parsed.

    Raises :class:`NotVerified` where the signature, or its time, is not right: respond with 401.
    """
    try:
        document = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    except ValueError as malformed:
        raise NotVerified("not a signature of Standard Webhooks") from malformed
    if document["type"] == "OrderStatusChanged":
        return OrderStatusChanged.from_dict(document)
    return StepChanged.from_dict(document)
