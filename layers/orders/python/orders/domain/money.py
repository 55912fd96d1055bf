"""Money as an integer of minor units beside an ISO 4217 currency; never a float."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orders.domain.personal import Impersonal

_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_TEN_THOUSANDTHS = "CLF UYW"

MINOR_UNITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_WITHOUT.split(), 0) | dict.fromkeys(_THOUSANDTHS.split(), 3) | dict.fromkeys(_TEN_THOUSANDTHS.split(), 4)
)
"""ISO 4217: how many digits the minor unit of a currency has, where they are not two. Pages have it as ``currencies.js``."""

USUAL_MINOR_UNITS = 2


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of one currency."""

    amount: int
    currency: Impersonal

    def __add__(self, other: "Money") -> "Money":
        """The sum; amounts of two currencies have none and raise ``ValueError``."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def times(self, quantity: int) -> "Money":
        """The price of ``quantity`` pieces."""
        return Money(self.amount * quantity, self.currency)

    def __str__(self) -> str:
        """The amount in the currency's major unit, with all its digits: ``30.00 USD``, ``500 JPY``."""
        digits = MINOR_UNITS.get(self.currency, USUAL_MINOR_UNITS)
        sign, text = "-" if self.amount < 0 else "", f"{abs(self.amount):0{digits + 1}d}"
        whole, fraction = (text[:-digits], f".{text[-digits:]}") if digits else (text, "")
        return f"{sign}{whole}{fraction} {self.currency}"
