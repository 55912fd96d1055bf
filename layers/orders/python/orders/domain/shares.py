"""What pieces of an order are worth, to the minor unit: the parts of an order, however it is divided, add up to its total.

A line is worth what its pieces cost without its discount, with its tax, and without its share of what is taken off the order
as a whole. Of a line of q pieces the first n are worth n times the q-th part of it, rounded down: the last piece has the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orders.domain.money import Money
from orders.domain.pricing import Discount, PricedLine, ShippingCharge

Pieces = Mapping[str, int]
"""So many pieces of each line, by the line's id."""
NONE: Pieces = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LineShare:
    """What the customer pays for a line, in minor units, and how many pieces that is for."""

    quantity: int
    total: int

    def of_first(self, pieces: int) -> int:
        """What so many of its pieces come to; more than there are come to no more than all."""
        return min(pieces, self.quantity) * self.total // self.quantity


@dataclass(frozen=True, slots=True)
class Shares:
    """What the customer pays for each line, by its id, and for the delivery; all of it is the order's total."""

    currency: str
    lines: Mapping[str, LineShare]
    shipping: int

    @property
    def total(self) -> int:
        """What the customer pays for all."""
        return sum(line.total for line in self.lines.values()) + self.shipping

    def is_everything(self, pieces: Pieces) -> bool:
        """Whether these are all pieces of the order."""
        return all(pieces.get(line_id, 0) >= line.quantity for line_id, line in self.lines.items())

    def of_goods(self, pieces: Pieces, before: Pieces = NONE) -> int:
        """What these pieces come to, without the delivery, where those of ``before`` have been counted already.

        Raises:
            KeyError: the order has no such line.
        """
        counted = ((self.lines[line_id], before.get(line_id, 0), count) for line_id, count in pieces.items())
        return sum(line.of_first(first + count) - line.of_first(first) for line, first, count in counted)

    def to_take(self, pieces: Pieces, before: Pieces = NONE) -> int:
        """What is taken for these pieces: the delivery is paid with the first ones."""
        is_first = not any(before.values())
        return self.of_goods(pieces, before) + (self.shipping if is_first else 0)

    def to_give_back(self, pieces: Pieces, before: Pieces = NONE) -> int:
        """What is given back for these pieces: what the delivery cost only when nothing of the order is kept."""
        together = {line_id: before.get(line_id, 0) + pieces.get(line_id, 0) for line_id in self.lines}
        had_all, has_all = self.is_everything(before), self.is_everything(together)
        return self.of_goods(pieces, before) + (self.shipping if has_all and not had_all else 0)


def shares(lines: Mapping[str, PricedLine], shipping: ShippingCharge | None, discounts: Iterable[Discount]) -> Shares:
    """The shares of an order's lines and of its delivery: what the discounts exceed the goods by comes off the delivery."""
    worth = {line_id: _worth(line) for line_id, line in lines.items()}
    goods, taken_off = sum(worth.values()), sum(discount.amount.amount for discount in discounts)
    off_lines = spread(min(taken_off, goods), list(worth.values()))
    shared = {
        line_id: LineShare(line.quantity, worth[line_id] - off)
        for (line_id, line), off in zip(lines.items(), off_lines, strict=True)
    }
    delivery = _sum(shipping.amount, shipping.tax) if shipping else 0
    currency = next(iter(lines.values())).unit_price.currency
    return Shares(currency, shared, delivery - max(0, taken_off - goods))


def spread(amount: int, weights: list[int]) -> list[int]:
    """An amount in whole parts by weight, the units that are left over to the largest remainders, the earlier ones first.

    An amount that is not above the sum of the weights has no part above its weight.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(amount * weights[place] % whole))
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def _worth(line: PricedLine) -> int:
    discount = line.discount.amount if line.discount else 0
    return _sum(line.unit_price.times(line.quantity), line.tax) - discount


def _sum(amount: Money, tax: Money | None) -> int:
    return amount.amount + (tax.amount if tax else 0)
