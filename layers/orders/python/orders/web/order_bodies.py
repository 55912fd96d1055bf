"""The body of ``POST /orders``, with the prices that a shop may name."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from orders.domain.address import NO_ADDRESS
from orders.domain.identifiers import CustomerId
from orders.domain.lines import Line, RequestedLine
from orders.domain.order import OrderRequest
from orders.domain.pricing import Discount, ShippingCharge, totals
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import PaymentMethod
from orders.web.details import MOST_LINES, MOST_PIECES, MOST_PRODUCTS, AddressBody, ContactBody, Metadata, MoneyBody, money_of
from orders.web.texts import BadMember, Body, CustomerIdText, ForeignId, Note, OrderIdText, Text100

MOST_DISCOUNTS = 100


class ItemBody(Body):
    """One product and how many of it."""

    product_id: ForeignId
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]


ReturnUrl = Annotated[
    str,
    StringConstraints(
        max_length=1000, pattern=r"^(https://[^\s/?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?)([/?#][^\s]*)?$"
    ),
]
"""A page of the shop's: https, or one on the machine itself."""


class PaymentBody(Body):
    """How the order is paid; ``token`` is what the payment provider gave the shop for the customer's card.

    ``return_url`` is where the customer comes back to from their bank's page; without it, to the order's tracking page.
    """

    method: Annotated[PaymentMethod, Field(strict=False)]
    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")] | None = None
    return_url: ReturnUrl | None = None


class LinePriceBody(Body):
    """What a line costs; ``discount`` and ``tax`` are the whole line's."""

    unit_price: MoneyBody
    discount: MoneyBody | None = None
    tax: MoneyBody | None = None

    def line(self, item: ItemBody) -> Line:
        """The domain's value; a product's name is the catalog's to say."""
        return Line(item.product_id, "", item.quantity, self.unit_price.money(), money_of(self.discount), money_of(self.tax))


class ShippingBody(Body):
    """What the delivery costs, and the tax on it."""

    amount: MoneyBody
    tax: MoneyBody | None = None

    def charge(self) -> ShippingCharge:
        """The domain's value."""
        return ShippingCharge(self.amount.money(), money_of(self.tax))


class DiscountBody(Body):
    """What is taken off the order as a whole."""

    code: Text100 | None = None
    amount: MoneyBody

    def discount(self) -> Discount:
        """The domain's value."""
        return Discount(self.amount.money(), self.code)


class PricingBody(Body):
    """What a shop charges: an entry for each line, in the order of ``items``, all in one currency; ``total`` is checked."""

    items: Annotated[tuple[LinePriceBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
    shipping: ShippingBody | None = None
    discounts: Annotated[tuple[DiscountBody, ...], Field(max_length=MOST_DISCOUNTS, strict=False)] = ()
    total: MoneyBody | None = None

    def charge(self) -> ShippingCharge | None:
        """What the delivery costs, if that was said."""
        return self.shipping.charge() if self.shipping else None

    def amounts(self) -> Iterator[tuple[str, MoneyBody]]:
        """Each amount, by where it stands in the request."""
        places: list[tuple[str, MoneyBody | None]] = [("pricing.total", self.total)]
        for place, item in enumerate(self.items):
            line = f"pricing.items.{place}"
            places += [(f"{line}.unit_price", item.unit_price), (f"{line}.discount", item.discount), (f"{line}.tax", item.tax)]
        if self.shipping:
            places += [("pricing.shipping.amount", self.shipping.amount), ("pricing.shipping.tax", self.shipping.tax)]
        places += [(f"pricing.discounts.{place}.amount", one.amount) for place, one in enumerate(self.discounts)]
        return ((place, money) for place, money in places if money is not None)


class PlaceOrder(Body):
    """``POST /orders``. Prices come from the catalog; only a shop may send ``pricing``."""

    order_id: OrderIdText | None = None
    customer_id: CustomerIdText | None = None
    items: Annotated[tuple[ItemBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
    payment: PaymentBody
    shipping_address: AddressBody | None = None
    billing_address: AddressBody | None = None
    contact: ContactBody | None = None
    external_id: ForeignId | None = None
    metadata: Metadata = Field(default_factory=dict)
    note: Note | None = None
    require_approval: bool = False
    shortage: Annotated[ShortagePolicy, Field(strict=False)] = ShortagePolicy.CANCEL
    pricing: PricingBody | None = None

    def order_request(self, customer_id: CustomerId) -> OrderRequest:
        """The domain's value: what this customer asks to order."""
        return OrderRequest(
            customer_id=customer_id,
            lines=_lines(self.items, self.pricing),
            shipping_address=self.shipping_address.address() if self.shipping_address else NO_ADDRESS,
            method=self.payment.method,
            payment_token=self.payment.token,
            return_url=self.payment.return_url,
            order_id=self.order_id,
            require_approval=self.require_approval,
            on_shortage=self.shortage,
            billing_address=self.billing_address.address() if self.billing_address else None,
            contact=self.contact.contact() if self.contact else None,
            external_id=self.external_id,
            metadata=self.metadata,
            note=self.note,
            shipping_charge=self.pricing.charge() if self.pricing else None,
            discounts=tuple(one.discount() for one in self.pricing.discounts) if self.pricing else (),
        )

    @model_validator(mode="after")
    def _fits_one_transaction(self) -> "PlaceOrder":
        if len({item.product_id for item in self.items}) > MOST_PRODUCTS:
            raise BadMember("items", f"may hold {MOST_PRODUCTS} products at most")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> "PlaceOrder":
        if self.pricing:
            _check_entries(self.pricing, self.items)
            _check_sums(self.pricing, self.items)
        return self


def _lines(items: Sequence[ItemBody], pricing: PricingBody | None) -> tuple[RequestedLine, ...]:
    if pricing is None:
        return tuple(RequestedLine(item.product_id, item.quantity) for item in items)
    lines = (price.line(item) for price, item in zip(pricing.items, items, strict=True))
    return tuple(RequestedLine(one.product_id, one.quantity, one.unit_price, one.discount, one.tax) for one in lines)


def _check_entries(pricing: PricingBody, items: Sequence[ItemBody]) -> None:
    """An entry for each line, and one currency."""
    if len(pricing.items) != len(items):
        raise BadMember("pricing.items", f"must have one entry for each of the {len(items)} items, in their order")
    currency = pricing.items[0].unit_price.currency
    for place, money in pricing.amounts():
        if money.currency != currency:
            raise BadMember(f"{place}.currency", f"must be {currency}, as in the first entry of pricing.items")


def _check_sums(pricing: PricingBody, items: Sequence[ItemBody]) -> None:
    """Nothing is taken off that is not there, and a total that was sent is the sum."""
    lines = [price.line(item) for price, item in zip(pricing.items, items, strict=True)]
    for place, line in enumerate(lines):
        worth = line.unit_price.times(line.quantity)
        if line.discount and line.discount.amount > worth.amount:
            raise BadMember(f"pricing.items.{place}.discount", f"is more than the line's {worth.amount}")
    total = totals(lines, pricing.charge(), [one.discount() for one in pricing.discounts]).total
    if total.amount < 0:
        raise BadMember("pricing.discounts", "are more than the order comes to")
    if pricing.total and pricing.total.amount != total.amount:
        raise BadMember("pricing.total", f"is not the sum, which is {total.amount} ({total})")
