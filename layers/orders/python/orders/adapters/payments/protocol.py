"""The payment gateway as the order pipeline needs it.

A provider is a module of this package, named like the provider, in which ``GATEWAY`` has these five methods. Stripe's payment
intents fit: the key is the idempotency key, ``cancel`` is the intent's cancellation.
"""

from typing import Protocol

from orders.domain.money import Money


class PaymentGateway(Protocol):
    """Takes and gives back money; every call may be repeated with the same key and has its effect once.

    What a call may raise is the whole of what a provider may raise: the machines' Retry blocks are checked against it.
    """

    def charge(self, key: str, amount: Money, token: str | None) -> None:
        """Takes the money.

        Raises:
            PaymentDeclined: declined permanently.
            GatewayUnavailable: not taken; try again.
            OutcomeUnknown: the response was lost; look it up with ``was_charged``.
        """

    def was_charged(self, key: str) -> bool | None:
        """Whether the charge of that key went through; ``None`` when the gateway never decided on it.

        Raises:
            GatewayUnavailable, OutcomeUnknown: to be tried again.
        """

    def cancel(self, key: str) -> bool:
        """Makes sure no charge of that key can succeed any more; ``True`` when one had already, to be refunded.

        Raises:
            GatewayUnavailable, OutcomeUnknown: to be tried again.
        """

    def refund(self, key: str) -> None:
        """Gives the whole charge back.

        Raises:
            GatewayUnavailable, OutcomeUnknown: to be tried again.
        """

    def collected(self, key: str, amount: Money) -> None:
        """Notes cash that was taken at the door, so that it can be given back the same way.

        Raises:
            GatewayUnavailable, OutcomeUnknown: to be tried again.
        """
