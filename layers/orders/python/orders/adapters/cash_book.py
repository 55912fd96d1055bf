"""The book of the cash that our own people collect with a delivery, and give back."""

from orders.adapters.store import keys, ledgers
from orders.domain.money import Money

COLLECTED, GIVEN_BACK = "charged", "refunded"
"""The states of a line. They are called as those of edition one's only provider, in whose ledger it kept cash too."""


class CashBook:
    """One line for each payment in cash, in the table."""

    def collect(self, key: str, amount: Money) -> None:
        """Records what was collected, once for each key."""
        facts = {"amount": amount.amount, "currency": amount.currency, "cash": True}
        ledgers.open_entry(keys.charge_key(key), COLLECTED, facts)

    def give_back(self, key: str) -> None:
        """Records that it was given back, once."""
        ledgers.move_entry(keys.charge_key(key), COLLECTED, GIVEN_BACK)


CASH_BOOK = CashBook()
