"""Amounts as Stripe writes them: it follows ISO 4217 but for a few currencies, and takes some in steps only.

Stripe's own page is https://docs.stripe.com/currencies.
"""

from collections.abc import Mapping
from types import MappingProxyType

from orders.domain.money import MINOR_UNITS, USUAL_MINOR_UNITS, Money

_OWN_MINOR_UNITS: Mapping[str, int] = MappingProxyType({"ISK": 2, "UGX": 2, "MGA": 0})
"""How many digits the minor unit has at Stripe, where that is not what ISO 4217 says."""

_STEPS: Mapping[str, int] = MappingProxyType(
    {"ISK": 100, "UGX": 100} | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 10)
)
"""What an amount must be a multiple of, in Stripe's minor units: whole krónur and shillings; thousandths end in a zero."""

MINIMUM: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "EUR", "INR", "JPY", "NZD", "SGD", "USD"), 50)
    | {"AED": 200, "BGN": 100, "CZK": 1500, "DKK": 250, "GBP": 30, "HKD": 400, "HUF": 17500, "MXN": 1000}
    | {"MYR": 200, "NOK": 300, "PLN": 200, "RON": 200, "SEK": 300, "THB": 1000}
)
"""The least that Stripe takes, in ISO 4217's minor units."""


class NotAtStripe(ValueError):
    """The amount is one that Stripe does not take in its currency."""


def to_stripe(money: Money) -> int:
    """The amount in Stripe's minor units.

    Raises:
        NotAtStripe: a fraction that Stripe does not know in this currency.
    """
    more, fewer = _factors(money.currency)
    whole, rest = divmod(money.amount * more, fewer)
    if rest or whole % _STEPS.get(money.currency, 1):
        raise NotAtStripe(f"{money} has a fraction that cannot be charged in {money.currency}.")
    return whole


def from_stripe(amount: int, currency: str) -> Money:
    """An amount that Stripe names, as ours; ``to_stripe`` is the inverse. The letter case of the currency does not matter."""
    named = currency.upper()
    more, fewer = _factors(named)
    return Money(amount * fewer // more, named)


def _factors(currency: str) -> tuple[int, int]:
    """By what an amount of ours is multiplied, and then divided, to be Stripe's."""
    ours = MINOR_UNITS.get(currency, USUAL_MINOR_UNITS)
    digits: int = _OWN_MINOR_UNITS.get(currency, ours)
    return int(10 ** max(digits - ours, 0)), int(10 ** max(ours - digits, 0))
