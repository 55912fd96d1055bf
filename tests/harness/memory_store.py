"""A store in memory, with the conditions of the real one: for tests that live through a thousand lives of an order.

Whether DynamoDB itself keeps those conditions is shown elsewhere, against the table.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from orders.adapters.store import ledgers, orders
from orders.adapters.store.keys import Key
from orders.adapters.store.ledgers import Entry
from orders.domain.digests import IdempotencyRecord
from orders.domain.errors import AlreadyApplied, AlreadyExists, NotFound, OrderChanged
from orders.domain.order import Change, Event, Order, Snapshot
from orders.domain.steps import OutOfStock
from tests.harness.caches import forget_settings

ENVIRONMENT = {
    "TABLE_NAME": "in-memory",
    "PAYMENT_WAIT_SECONDS": "5",
    "PREPARATION_WAIT_SECONDS": "5",
    "DELIVERY_WAIT_SECONDS": "10",
    "DELIVERY_OVERDUE_SECONDS": "1209600",
    "APPROVAL_TIMEOUT_SECONDS": "300",
    "PAYMENT_CONFIRMATION_SECONDS": "3600",
    "BANK_TRANSFER_CONFIRMATION_SECONDS": "604800",
    "SHORTAGE_TIMEOUT_SECONDS": "86400",
    "REVIEW_THRESHOLD": "50000",
}


class MemoryStore:
    """Orders, ledgers and what has been applied."""

    def __init__(self, stock: int = 1_000_000) -> None:
        self.orders: dict[str, Snapshot] = {}
        self.trails: dict[str, list[Event]] = {}
        self.markers: dict[tuple[str, str], int] = {}
        self.stock = stock
        self.stocked: Mapping[str, int] = {}
        """How many pieces there are of single products; all others share the ``stock``."""
        self.taken: Counter[str] = Counter()
        """What is out of stock, by product."""
        self.figures: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        """What is reserved and sold, by product."""
        self.ledger: dict[str, Entry] = {}
        self.attempts: dict[str, int] = {}

    def left_of(self, product: str) -> int:
        return self.stocked[product] - self.taken[product]

    # --- what the product calls ---

    def load(self, order_id: str, *, to_show: bool = False) -> Snapshot:
        if order_id not in self.orders:
            raise NotFound(f"There is no order {order_id}.")
        return self.orders[order_id]

    def load_order(self, order_id: str, *, to_show: bool = False) -> Order:
        return self.load(order_id).order

    def commit(self, change: Change, record: IdempotencyRecord | None = None) -> None:
        order_id = change.order.order_id
        if change.marker and (order_id, change.marker) in self.markers:
            raise AlreadyApplied("applied before")
        found = self.orders.get(order_id)
        if change.before is None:
            if found:
                raise AlreadyExists("taken")
            found = Snapshot(change.order)
        elif not found or (found.order.version, found.order.status) != (change.before.version, change.before.status):
            raise OrderChanged("somebody else was first")
        # What differs from it is what the table is told.
        assert change.before in (None, found.order)
        self._move_stock(change)
        self.orders[order_id] = change.applied_to(found)
        self.trails.setdefault(order_id, []).append(change.event)
        if change.marker:
            self.markers[order_id, change.marker] = change.order.version

    def _move_stock(self, change: Change) -> None:
        taken = -sum(change.stock.values())
        if taken > self.stock:
            raise OutOfStock("not enough", left=dict.fromkeys(change.stock, self.stock), products=list(change.stock))
        short = {name: self.left_of(name) for name in self.stocked if self.left_of(name) + change.stock.get(name, 0) < 0}
        if short:
            raise OutOfStock("not enough", left=short, products=list(short))
        self.stock -= taken
        self.taken.subtract(change.stock)
        for name, (reserved, sold) in change.figures.items():
            self.figures[name] = self.figures[name][0] + reserved, self.figures[name][1] + sold

    def history(self, order_id: str, after_version: int = 0) -> list[Event]:
        return [event for event in self.trails.get(order_id, []) if event.version > after_version]

    def entry(self, key: Key) -> Entry | None:
        return self.ledger.get(_name(key))

    def open_entry(self, key: Key, state: str, facts: Mapping[str, Any]) -> Entry:
        return self.ledger.setdefault(_name(key), Entry(_name(key), state, facts))

    def move_entry(self, key: Key, state: str, wanted: str) -> bool:
        entry = self.ledger.get(_name(key))
        if entry is None or entry.state != state:
            return False
        self.ledger[_name(key)] = Entry(entry.key, wanted, entry.facts)
        return True

    def replace_entry(self, key: Key, found: Entry, wanted: Entry) -> bool:
        if self.ledger.get(_name(key)) != found:
            return False
        self.ledger[_name(key)] = wanted
        return True

    def count_attempt(self, key: Key) -> int:
        self.attempts[_name(key)] = self.attempts.get(_name(key), 0) + 1
        return self.attempts[_name(key)]


def _name(key: Key) -> str:
    return str(key["PK"]["S"])


@contextmanager
def in_memory() -> Iterator[MemoryStore]:
    """The product on a fresh store in memory."""
    memory = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for name in (name for name in vars(MemoryStore) if not name.startswith("_") and name != "left_of"):
            patch.setattr(orders if hasattr(orders, name) else ledgers, name, getattr(memory, name))
        forget_settings()
        yield memory
    forget_settings()
