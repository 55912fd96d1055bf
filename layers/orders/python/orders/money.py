"""Money as an integer of minor units beside an ISO 4217 currency; never a float."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of one currency."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        """The sum; amounts of two currencies have none and raise ``ValueError``."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def times(self, quantity: int) -> "Money":
        """The price of ``quantity`` pieces."""
        return Money(self.amount * quantity, self.currency)
