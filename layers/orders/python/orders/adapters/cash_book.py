"""The book of the cash that our own people collect with a delivery, and give back: one line for each payment, in the table."""

from dataclasses import replace

from orders.adapters.store import keys, ledgers
from orders.adapters.store.ledgers import Entry
from orders.domain.money import Money

COLLECTED, GIVEN_BACK = "charged", "refunded"
"""The states of a line. They are called as those of edition one's only provider, in whose ledger it kept cash too."""


def collect(key: str, amount: Money) -> None:
    """Records what was collected, once for each key."""
    ledgers.open_entry(keys.charge_key(key), COLLECTED, {"amount": amount.amount, "currency": amount.currency, "cash": True})


def give_back(key: str, refund_id: str, wanted: int) -> int:
    """Records that so much of it was given back, as far as there is so much, once for each refund; returns how much."""

    def given_back(entry: Entry) -> Entry | None:
        refunds = entry.facts.get("refunds", {})
        left = entry.facts["amount"] - sum(refunds.values())
        if entry.state == GIVEN_BACK or refund_id in refunds or not left or not wanted:
            return None
        together = {**refunds, refund_id: min(wanted, left)}
        state = GIVEN_BACK if wanted >= left else entry.state
        return replace(entry, state=state, facts={**entry.facts, "refunds": together})

    entry = ledgers.move(keys.charge_key(key), given_back)
    return entry.facts.get("refunds", {}).get(refund_id, 0) if entry else 0
