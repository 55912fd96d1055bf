"""What the model sees of its order, and what was ordered."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any
Pieces = Mapping[str, int]
"""How many pieces of which line, by the lines' ids."""


class Refused(Exception):
    """What was asked is not allowed now."""


@dataclass(frozen=True)
class Ordered:
    """A line of the order, of one of the model's two products; amounts in minor units, discount and tax of the whole line."""

    product: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax: int = 0

    @property
    def total(self) -> int:
        return self.quantity * self.unit_price - self.discount + self.tax

    def worth(self, pieces: int) -> int:
        """What the first pieces of the line come to."""
        return min(pieces, self.quantity) * self.total // self.quantity


LINES = {"1": Ordered("teapot", 3, 999, tax=7), "2": Ordered("cup", 2, 250), "3": Ordered("teapot", 1, 999, discount=100)}
PRODUCTS = tuple(dict.fromkeys(line.product for line in LINES.values()))
PLENTY = 1000
TOTAL = sum(line.total for line in LINES.values())


@dataclass(frozen=True)
class Stock:
    """What a product counts: the pieces that can be ordered, those that are reserved, and those that are sold."""

    stock: int
    reserved: int
    sold: int


@dataclass(frozen=True)
class Found:
    """The order as its API shows it to staff, and what its products count.

    It is settled when nothing is being undone.
    """

    body: Json
    products: Mapping[str, Stock]
    is_settled: bool

    @property
    def status(self) -> str:
        return str(self.body["order"]["status"])

    @property
    def lines(self) -> dict[str, Json]:
        return {line["line_id"]: line for line in self.body["order"]["items"]}

    def wanted(self, line_id: str) -> int:
        line = self.lines[line_id]
        return int(line["quantity"] - line["quantity_cancelled"])

    @property
    def left(self) -> dict[str, int]:
        """What is still to be handed over."""
        found = {name: self.wanted(name) - int(line["quantity_shipped"]) for name, line in self.lines.items()}
        return {name: pieces for name, pieces in found.items() if pieces}

    @property
    def under_way(self) -> list[Json]:
        """The parcels that have left, and neither arrived nor come back, as their carriers say."""
        ended = ("DELIVERED", "RETURNED_TO_SENDER")
        return [one for one in self.body["shipments"] if one["shipped_at"] and one["status"] not in ended]

    def gone(self, line_id: str) -> int:
        """The pieces that are not paid for in the end: cancelled, or given back."""
        line = self.lines[line_id]
        return int(line["quantity_cancelled"] + line["quantity_returned"])

    def refunded(self, status: str) -> int:
        return sum(one["amount"]["amount"] for one in self.body["refunds"] if one["status"] == status)

    @property
    def missing(self) -> dict[str, int]:
        """What the customer is asked about; nothing where nobody is asked."""
        shortage = self.body["order"]["shortage"] or {"missing": []}
        return {one["line_id"]: one["quantity"] for one in shortage["missing"]}

    def pieces(self, kind: str) -> list[int]:
        """How many pieces of each line were shipped, delivered or returned."""
        return [line[f"quantity_{kind}"] for line in self.lines.values()]

    def came_back(self, line_id: str, *conditions: str) -> int:
        """The pieces of a line that came back with returns, in these conditions or in any."""
        items = (item for one in self.body["returns"] for item in one["items"] if item["line_id"] == line_id)
        received = (part for item in items for part in item["received"])
        return sum(part["quantity"] for part in received if not conditions or part["condition"] in conditions)

    def claimed(self, line_id: str) -> int:
        """The pieces of a line that came back with returns, or that a return names of which nothing has come back yet."""
        open_ = (item for one in self.returns("REQUESTED", "APPROVED") for item in one["items"])
        return self.came_back(line_id) + sum(int(item["quantity"]) for item in open_ if item["line_id"] == line_id)

    @property
    def returnable(self) -> dict[str, int]:
        """What was delivered, and is in no return but those that were withdrawn.

        One that is closed claims what came back with it; of one that is final and not closed the rest may be claimed too.
        """
        claimed: Counter[str] = Counter()
        for one in self.body["returns"]:
            if one["status"] not in ("DECLINED", "CANCELED"):
                for item in one["items"]:
                    received = sum(part["quantity"] for part in item["received"])
                    claimed[item["line_id"]] += received if one["status"] == "CLOSED" else item["quantity"]
        found = {name: line["quantity_delivered"] - claimed[name] for name, line in self.lines.items()}
        return {name: pieces for name, pieces in found.items() if pieces > 0}

    def returns(self, *statuses: str) -> list[Json]:
        return [one for one in self.body["returns"] if one["status"] in statuses]

    @property
    def to_come_back(self) -> list[Json]:
        """The returns that something may still come back with."""
        return [one for one in self.returns("APPROVED", "RECEIVED") if any(map(still_to_come, one["items"]))]


def still_to_come(item: Json) -> int:
    """How many pieces of an item of a return have not come back."""
    return int(item["quantity"] - sum(part["quantity"] for part in item["received"]))


def missing_of(there: Mapping[str, int]) -> dict[str, int]:
    """The pieces of each line that are not in stock; earlier lines get theirs first."""
    left, found = dict(there), {}
    for name, line in LINES.items():
        had = min(line.quantity, left[line.product])
        left[line.product] -= had
        if had < line.quantity:
            found[name] = line.quantity - had
    return found
