"""The book of the cash that our own people collect with a delivery, and give back: one line for each payment, in the table."""

from orders.adapters.store import keys, ledgers
from orders.domain.money import Money

COLLECTED, GIVEN_BACK = "charged", "refunded"
"""The states of a line. They are called as those of edition one's only provider, in whose ledger it kept cash too."""


def collect(key: str, amount: Money) -> None:
    """Records what was collected, once for each key."""
    ledgers.open_entry(keys.charge_key(key), COLLECTED, {"amount": amount.amount, "currency": amount.currency, "cash": True})


def give_back(key: str) -> None:
    """Records that it was given back, once."""
    ledgers.move_entry(keys.charge_key(key), COLLECTED, GIVEN_BACK)
