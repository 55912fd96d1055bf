"""The books of a world at rest: every order with its trail, what the provider and the carrier have, what was sent to whom."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from local.fastpath import fast_json
from orders.adapters.store import event_items, figure_items, items, keys, refund_items, return_items
from orders.domain import notifications
from orders.domain.order import Event, Order
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.refund import Refund
from orders.domain.returns import Return
from simulator.world import World

Json = Any


@dataclass
class Account:
    """All there is of one order."""

    order: Order
    payment: Payment | None = None
    shipments: list[Shipment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    trail: list[Event] = field(default_factory=list)

    def times(self, kind: str) -> int:
        """How often something has happened to it."""
        return sum(event.type.value == kind for event in self.trail)

    @property
    def is_divided(self) -> bool:
        """Whether some of its pieces went another way than others."""
        return bool(self.times("ITEMS_CANCELLED") or any(one.items for one in self.shipments))

    def story(self) -> str:
        """Its trail in one line."""
        return " > ".join(event.type.value for event in self.trail)


@dataclass(frozen=True)
class Entry:
    """One line of the provider's or the carrier's own book."""

    state: str
    facts: Json

    @property
    def given_back(self) -> int:
        """What the provider has given back of a payment; edition one's line of one that is given back names no refunds."""
        if self.state == "refunded":
            return sum(self.facts.get("captures", {}).values()) or int(self.facts["amount"])
        return sum(self.facts.get("refunds", {}).values())


class Books:
    """The books, read from the table as it stands."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts: dict[str, Account] = {}
        self.ledger: dict[str, Entry] = {}
        self.bookings: dict[str, Entry] = {}
        self.stock: dict[str, int] = {}
        self.figures: dict[str, tuple[int, ...]] = {}
        """What each product counts as reserved and as sold."""
        self.deliveries: dict[tuple[str, str], Json] = {}
        self.markers: Counter[tuple[str, str]] = Counter()
        """The outside events that were applied: order and event."""
        self.counters: Counter[str] = Counter()
        self.days: Counter[str] = Counter()
        rows = list(world.table.rows())
        for item in rows:
            if item["SK"]["S"] == "#ORDER":
                order = items.order_from_item(item)
                self.accounts[order.order_id] = Account(order)
        for item in rows:
            self._enter(item)

    def _enter(self, item: Json) -> None:
        partition, sort = item["PK"]["S"], item["SK"]["S"]
        kind, _, name = partition.partition("#")
        if kind in ("GATEWAY", "CARRIER") and "state" in item:
            book = self.ledger if kind == "GATEWAY" else self.bookings
            book[name] = _entry(item["state"]["S"], json.loads(item["facts"]["S"]))
        elif kind == "PRODUCT":
            self.stock[name] = int(item["stock"]["N"])
            self.figures[name] = tuple(int(item.get(figure, {"N": "0"})["N"]) for figure in ("reserved", "sold"))
        elif kind == "ORDER" and name in self.accounts:
            self._enter_part(self.accounts[name], sort, item)
        elif kind == "WEBHOOK" and sort.startswith("DELIVERY#"):
            self.deliveries[name, sort.removeprefix("DELIVERY#")] = item
        elif kind in ("STATISTICS", "DAYS"):
            counters = self.counters if kind == "STATISTICS" else self.days
            counters.update({named: int(value["N"]) for named, value in item.items() if "N" in value})

    def _enter_part(self, account: Account, sort: str, item: Json) -> None:
        if sort == "#PAYMENT":
            account.payment = items.payment_from_item(item)
        elif sort.partition("#SHIPMENT")[:2] == ("", "#SHIPMENT"):
            account.shipments.append(items.shipment_from_item(item))
        elif sort == keys.COUNTED:
            account.order = replace(account.order, counted=figure_items.counted_from_item(item))
        elif sort.startswith(keys.REFUND_PREFIX):
            account.refunds.append(refund_items.refund_from_item(item))
        elif sort.startswith(keys.RETURN_PREFIX):
            account.returns.append(return_items.return_from_item(item))
        elif sort.startswith(keys.MARKER_PREFIX):
            self.markers[account.order.order_id, item["event_id"]["S"]] += 1
        elif sort.startswith(keys.EVENT_PREFIX):
            account.trail.append(event_items.event_from_item(item))

    def charged(self, account: Account) -> Entry | None:
        """What the provider has of an order's payment."""
        if account.payment is None:
            return None
        by_parcel = [self.ledger[key] for key in keys_of(account.payment) if key in self.ledger]
        return by_parcel[0] if len(by_parcel) == 1 else _together(by_parcel) if by_parcel else None

    @cached_property
    def messages(self) -> dict[str, Json]:
        """Every notification that follows from the trails, by its id."""
        return {detail["event_id"]: detail for account in self.accounts.values() for detail in _messages_of(account)}


def _entry(state: str, facts: Json) -> Entry:
    """A line; one whose money was given back before the rest of its hold was released is one of money that is given back."""
    captured = sum(facts.get("captures", {}).values())
    is_back = state == "charged" and captured and captured == sum(facts.get("refunds", {}).values())
    return Entry("refunded" if is_back else state, facts)


def keys_of(payment: Payment) -> list[str]:
    """Under which keys a payment is in a book: cash has a line for each parcel that it was collected with."""
    return [payment.payment_id, *(f"{payment.payment_id}-{one.capture_id}" for one in payment.captures)]


def _together(lines: list[Entry]) -> Entry:
    """Several lines of one payment in cash as one."""
    state = "charged" if any(line.state == "charged" for line in lines) else lines[0].state
    # One refund may be given back from several lines.
    refunds = {
        f"{number}-{name}": amount
        for number, line in enumerate(lines)
        for name, amount in line.facts.get("refunds", {}).items()
    }
    facts = {**lines[0].facts, "amount": sum(line.facts["amount"] for line in lines), "refunds": refunds}
    return Entry(state, facts)


def _messages_of(account: Account) -> Iterator[Json]:
    for event in account.trail:
        for _, detail, _ in notifications.messages(event):
            yield fast_json.copied(detail)
