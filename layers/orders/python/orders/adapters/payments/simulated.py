"""The simulated payment provider that is built in (``docs/simulation.md``)."""

import re
import time
from typing import ClassVar

from orders import settings
from orders.adapters.payments.protocol import PaymentGateway
from orders.adapters.random_faults import maybe_fail
from orders.adapters.store import keys, ledgers
from orders.domain.errors import GatewayUnavailable, OutcomeUnknown
from orders.domain.money import Money
from orders.domain.steps import PaymentDeclined

CHARGED, DECLINED, REFUNDED, VOIDED = "charged", "declined", "refunded", "voided"


class SimulatedGateway:
    """Deterministic by token, with its ledger in the table: ``tok_ok``, ``tok_declined``, ``tok_insufficient_funds``,
    ``tok_flaky_N`` (refuses N calls, then works) and ``tok_timeout_N`` (charges, but loses its first N responses).
    """

    _FAULT = re.compile(r"tok_(?P<kind>flaky|timeout)_(?P<times>\d+)")
    _REFUSALS: ClassVar = {"tok_declined": "The card was declined.", "tok_insufficient_funds": "Insufficient funds."}

    def charge(self, key: str, amount: Money, token: str | None) -> None:
        """See ``PaymentGateway.charge``."""
        time.sleep(settings.simulated_gateway_seconds())
        maybe_fail(GatewayUnavailable("The payment gateway did not answer."))
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
        maybe_fail(GatewayUnavailable("The payment gateway did not answer."))
        return ledgers.open_entry(keys.charge_key(key), VOIDED, {}).state in (CHARGED, REFUNDED)

    def refund(self, key: str) -> None:
        """See ``PaymentGateway.refund``."""
        maybe_fail(GatewayUnavailable("The payment gateway did not answer."))
        ledgers.move_entry(keys.charge_key(key), CHARGED, REFUNDED)

    def collected(self, key: str, amount: Money) -> None:
        """See ``PaymentGateway.collected``."""
        facts = {"amount": amount.amount, "currency": amount.currency, "cash": True}
        ledgers.open_entry(keys.charge_key(key), CHARGED, facts)


GATEWAY: PaymentGateway = SimulatedGateway()
