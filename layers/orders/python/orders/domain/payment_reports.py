"""What is reported of a payment from outside, as a value."""

from dataclasses import dataclass

from orders.domain.events import PAYMENT_CONFIRMED
from orders.domain.identifiers import OrderId, fingerprint
from orders.domain.money import Money
from orders.domain.personal import Impersonal, Personal, guarded


@guarded
@dataclass(frozen=True, slots=True)
class PaymentReport:
    """That a payment was confirmed or has failed: ``reason`` is why, in the sender's words."""

    order_id: OrderId
    event_type: Impersonal
    event_id: Impersonal | None = None
    payment_id: Impersonal | None = None
    amount: Money | None = None
    reason: Personal | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the money is there."""
        return self.event_type == PAYMENT_CONFIRMED

    @property
    def marker(self) -> str:
        """What makes this event itself: its id, or, without one, what it says."""
        amount = f"{self.amount.amount}{self.amount.currency}" if self.amount else ""
        return self.event_id or fingerprint(f"{self.event_type}|{self.payment_id or ''}|{amount}")
