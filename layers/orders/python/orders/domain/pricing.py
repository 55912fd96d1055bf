"""What an order comes to, to the minor unit: its lines, what is taken off, shipping and taxes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orders.domain.money import Money
from orders.domain.personal import Impersonal


@dataclass(frozen=True, slots=True)
class ShippingCharge:
    """What the delivery costs, and the tax on it."""

    amount: Money
    tax: Money | None = None


@dataclass(frozen=True, slots=True)
class Discount:
    """What is taken off the order as a whole; ``code`` is what the customer entered for it."""

    amount: Money
    code: Impersonal | None = None


class PricedLine(Protocol):
    """So many pieces at a price; ``discount`` and ``tax`` are the whole line's."""

    @property
    def quantity(self) -> int:
        """How many pieces."""

    @property
    def unit_price(self) -> Money:
        """Of one piece."""

    @property
    def discount(self) -> Money | None:
        """What is taken off the line."""

    @property
    def tax(self) -> Money | None:
        """What is added to it."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of an order, all in one currency: ``discount`` of the lines and the order, ``tax`` of the lines and shipping."""

    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money

    @property
    def total(self) -> Money:
        """What the customer pays."""
        amount = self.subtotal.amount - self.discount.amount + self.shipping.amount + self.tax.amount
        return Money(amount, self.subtotal.currency)

    def without(self, dropped: Sequence[tuple[PricedLine, int]], total: Money) -> "Totals":
        """The sums without so many pieces of these lines, of an order that comes to ``total`` without them."""
        if not dropped:
            return self
        tax = self.tax.amount - sum(line.tax.amount * pieces // line.quantity for line, pieces in dropped if line.tax)
        subtotal = self.subtotal.amount - sum(line.unit_price.amount * pieces for line, pieces in dropped)
        discount, currency = subtotal + tax + self.shipping.amount - total.amount, total.currency
        return Totals(Money(subtotal, currency), Money(discount, currency), self.shipping, Money(tax, currency))


def totals(lines: Sequence[PricedLine], shipping: ShippingCharge | None, discounts: Iterable[Discount]) -> Totals:
    """What the lines come to with what is added and taken off; raises ``ValueError`` for amounts of two currencies."""
    nothing = Money(0, lines[0].unit_price.currency)

    def sum_of(amounts: Iterable[Money | None]) -> Money:
        return sum((amount for amount in amounts if amount is not None), start=nothing)

    return Totals(
        subtotal=sum_of(line.unit_price.times(line.quantity) for line in lines),
        discount=sum_of([*(line.discount for line in lines), *(discount.amount for discount in discounts)]),
        shipping=sum_of([shipping.amount if shipping else None]),
        tax=sum_of([*(line.tax for line in lines), shipping.tax if shipping else None]),
    )
