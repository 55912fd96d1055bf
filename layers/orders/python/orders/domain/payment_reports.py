"""What is reported of a payment from outside, as a value."""

from dataclasses import dataclass

from orders.domain.events import PAYMENT_CONFIRMED
from orders.domain.identifiers import OrderId, fingerprint
from orders.domain.money import Money
from orders.domain.payment import Dispute, Payment
from orders.domain.personal import Impersonal, Personal, guarded


@guarded
@dataclass(frozen=True, slots=True)
class PaymentReport:
    """What is reported of a payment: ``reason`` is why it, or its refund, failed, in the sender's words.

    ``sender`` is whose signed webhook said so, ``reference`` the sender's own id of the payment, and ``refund_key`` ours of the
    refund.
    """

    order_id: OrderId
    event_type: Impersonal
    event_id: Impersonal | None = None
    payment_id: Impersonal | None = None
    amount: Money | None = None
    reason: Personal | None = None
    sender: Impersonal | None = None
    reference: Impersonal | None = None
    refund_key: Impersonal | None = None
    dispute: Dispute | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the money is there."""
        return self.event_type == PAYMENT_CONFIRMED

    @property
    def marker(self) -> str:
        """What makes this event itself: its id, or, without one, what it says."""
        amount = f"{self.amount.amount}{self.amount.currency}" if self.amount else ""
        return self.event_id or fingerprint(f"{self.event_type}|{self.payment_id or ''}|{amount}")


OTHERS = "generic"
"""The sender of every provider whose webhooks have no format of their own here: they are Standard Webhooks."""
OWN_FORMAT = frozenset({"stripe"})
"""The providers whose webhooks have one."""


def is_foreign(payment: Payment | None, sender: str | None) -> bool:
    """Whether the payment is another sender's to report."""
    if payment is None or sender is None:
        return False
    return payment.provider in OWN_FORMAT if sender == OTHERS else payment.provider != sender
