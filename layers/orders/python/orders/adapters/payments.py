"""The payment gateway as the order pipeline needs it, and the simulated one that is built in.

To put a real provider in, write a class with these five methods and return it from ``payment_gateway``. Stripe's payment
intents fit: the key is the idempotency key, ``cancel`` is the intent's cancellation.
"""

import random
import re
import time
from typing import ClassVar, Protocol

from orders import settings
from orders.adapters.store import keys, ledgers
from orders.domain.errors import GatewayUnavailable, OutcomeUnknown, PaymentDeclined
from orders.domain.money import Money

CHARGED, DECLINED, REFUNDED, VOIDED = "charged", "declined", "refunded", "voided"


class PaymentGateway(Protocol):
    """Takes and gives back money; every call may be repeated with the same key and has its effect once.

    What a call may raise is the whole of what a provider may raise: the machines' Retry blocks are checked against it.
    """

    def charge(self, key: str, amount: Money, token: str | None) -> None:
        """Takes the money.

        Raises:
            PaymentDeclined: refused for good.
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


class SimulatedGateway:
    """Deterministic by token, with its ledger in the table: ``tok_ok``, ``tok_declined``, ``tok_insufficient_funds``,
    ``tok_flaky_N`` (refuses N calls, then works) and ``tok_timeout_N`` (charges, but loses its first N responses).
    """

    _FAULT = re.compile(r"tok_(?P<kind>flaky|timeout)_(?P<times>\d+)")
    _REFUSALS: ClassVar = {"tok_declined": "The card was declined.", "tok_insufficient_funds": "Insufficient funds."}

    def charge(self, key: str, amount: Money, token: str | None) -> None:
        """See ``PaymentGateway.charge``."""
        time.sleep(settings.simulated_gateway_seconds())
        flaky_call(GatewayUnavailable("The payment gateway did not answer."))
        token = token or "tok_ok"
        fault = self._FAULT.fullmatch(token)
        faults_left = fault is not None and ledgers.count_attempt(keys.charge_key(key)) <= int(fault["times"])
        if fault and faults_left and fault["kind"] == "flaky":
            raise GatewayUnavailable("The payment gateway is not available.")
        wanted = DECLINED if token in self._REFUSALS else CHARGED
        facts = {"amount": amount.amount, "currency": amount.currency}
        entry = ledgers.open_entry(keys.charge_key(key), wanted, facts)
        if fault and faults_left:
            raise OutcomeUnknown("The payment gateway's response was lost.")
        if entry.state != CHARGED:
            raise PaymentDeclined(self._REFUSALS.get(token, "The payment was cancelled."))

    def was_charged(self, key: str) -> bool | None:
        """See ``PaymentGateway.was_charged``."""
        entry = ledgers.entry(keys.charge_key(key))
        return None if entry is None else entry.state == CHARGED

    def cancel(self, key: str) -> bool:
        """See ``PaymentGateway.cancel``."""
        flaky_call(GatewayUnavailable("The payment gateway did not answer."))
        return ledgers.open_entry(keys.charge_key(key), VOIDED, {}).state in (CHARGED, REFUNDED)

    def refund(self, key: str) -> None:
        """See ``PaymentGateway.refund``."""
        flaky_call(GatewayUnavailable("The payment gateway did not answer."))
        ledgers.move_entry(keys.charge_key(key), CHARGED, REFUNDED)

    def collected(self, key: str, amount: Money) -> None:
        """See ``PaymentGateway.collected``."""
        facts = {"amount": amount.amount, "currency": amount.currency, "cash": True}
        ledgers.open_entry(keys.charge_key(key), CHARGED, facts)


def payment_gateway() -> PaymentGateway:
    """The gateway this deployment pays with."""
    return SimulatedGateway()


def flaky_call(fault: Exception) -> None:
    """Raises the fault at the rate a chaos run has set; never, unless one was set."""
    rate = settings.simulated_failure_rate()
    if rate and random.random() < rate:  # noqa: S311 - chance, not a secret
        raise fault
