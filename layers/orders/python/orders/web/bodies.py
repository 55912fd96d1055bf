"""What callers may send: each body and each parameter is checked here, and nowhere else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError, model_validator

from orders.domain.decisions.refunds import WantedRefund
from orders.domain.errors import InvalidArgument
from orders.domain.identifiers import CustomerId
from orders.domain.money import Money
from orders.domain.notifications import EVENT_TYPES
from orders.domain.order import NO_ADDRESS, Address, Line, OrderRequest, RequestedLine
from orders.domain.pricing import Discount, ShippingCharge, totals
from orders.domain.refund import RefundedLine
from orders.domain.returns import ReturnedPieces, ReturnItem
from orders.domain.shortage import ShortagePolicy
from orders.domain.statuses import DEPRECATED_NAMES, Condition, OrderStatus, PaymentMethod
from orders.web import addresses
from orders.web.details import ContactBody, Metadata, MetadataPatch, Phone
from orders.web.texts import (
    BadMember,
    Body,
    CustomerIdText,
    ForeignId,
    LineIdText,
    MissingPart,
    Moment,
    Note,
    OrderIdText,
    Reason,
    Text20,
    Text56,
    Text100,
    Text200,
)

MOST_LINES, MOST_PRODUCTS = 100, 90
"""A transaction that reserves an order's stock has an action for each product, and a hundred at most."""
MOST_DISCOUNTS = 100
MOST_PIECES = 10_000


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


class AddressBody(Body):
    """Where the parcel goes; ``country`` is a code of two letters or an English name, and decides what else is needed."""

    name: Text100
    company: Text100 | None = None
    line1: Text200
    line2: Text200 | None = None
    city: Text100 | None = None
    region: Text100 | None = None
    postal_code: Text20 | None = None
    country: Text56
    phone: Phone | None = None

    def address(self) -> Address:
        """The domain's value."""
        parts = self.model_dump()
        return Address(**parts | {"city": self.city or "", "postal_code": self.postal_code or ""})

    @model_validator(mode="after")
    def _is_whole(self) -> "AddressBody":
        if (part := addresses.missing(self.model_dump())) == "country":
            raise MissingPart(part, f"{self.country!r} is no country that is known: a code of two letters, such as GB")
        if part:
            instead = ", or a postal_code" if part == "region" else ""
            raise MissingPart(part, f"is missing: an address in {self.country} needs it{instead}")
        return self


class MoneyBody(Body):
    """Minor units beside an ISO 4217 currency."""

    amount: Annotated[int, Field(ge=0, le=10**12)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """The domain's value."""
        return Money(self.amount, self.currency)


def _money(body: MoneyBody | None) -> Money | None:
    return body.money() if body else None


class LinePriceBody(Body):
    """What a line costs; ``discount`` and ``tax`` are the whole line's."""

    unit_price: MoneyBody
    discount: MoneyBody | None = None
    tax: MoneyBody | None = None

    def line(self, item: ItemBody) -> Line:
        """The domain's value; a product's name is the catalog's to say."""
        return Line(item.product_id, "", item.quantity, self.unit_price.money(), _money(self.discount), _money(self.tax))


class ShippingBody(Body):
    """What the delivery costs, and the tax on it."""

    amount: MoneyBody
    tax: MoneyBody | None = None

    def charge(self) -> ShippingCharge:
        """The domain's value."""
        return ShippingCharge(self.amount.money(), _money(self.tax))


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


class Empty(Body):
    """A request that says all by its route."""


class WithReason(Body):
    """A change that may be explained."""

    reason: Reason | None = None


class LineItemBody(Body):
    """So many pieces of one line of the order."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]


LineItems = Annotated[tuple[LineItemBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
"""Pieces of lines, each of which is named once."""


def _pieces(items: LineItems | None) -> dict[str, int] | None:
    """The pieces by line; ``None`` for all. Raises ``BadMember`` for a line that is named twice."""
    if items is None:
        return None
    found: dict[str, int] = {}
    for place, item in enumerate(items):
        if item.line_id in found:
            raise BadMember(f"items.{place}.line_id", "is named before")
        found[item.line_id] = item.quantity
    return found


class OfItems(Body):
    """A request about some pieces of an order, or about all that it can be about."""

    items: LineItems | None = None

    @model_validator(mode="after")
    def _names_lines_once(self) -> "OfItems":
        _pieces(self.items)
        return self

    @property
    def pieces(self) -> dict[str, int] | None:
        """The pieces by line; ``None`` for all."""
        return _pieces(self.items)


class CancelOrder(OfItems):
    """``POST /orders/{id}/cancel``: these pieces, or all that is not handed over yet."""

    reason: Reason | None = None


class HandOver(OfItems):
    """``POST /orders/{id}/shipments``: a parcel of these pieces, or of all that is left.

    Without a ``tracking_number`` it is booked at the configured carrier.
    """

    carrier: Text100 | None = None
    tracking_number: Text100 | None = None


class RefundBody(OfItems):
    """``POST /orders/{id}/refunds``: an amount, or what pieces are worth; with neither, all that is left."""

    amount: MoneyBody | None = None
    reason: Reason

    def wanted(self) -> WantedRefund:
        """The domain's value."""
        lines = tuple(RefundedLine(line_id, quantity) for line_id, quantity in (self.pieces or {}).items())
        return WantedRefund(self.reason, _money(self.amount), lines)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "RefundBody":
        if self.amount and self.items:
            raise BadMember("items", "must be left out where there is an amount")
        return self


class HoldOrder(Body):
    """``POST /orders/{id}/hold``: the reason is for staff."""

    reason: Reason


class SetStatus(Body):
    """``PATCH /orders/{id}/status``; names in any letter case, and ``PAID`` and ``COMPLETED``, which are deprecated, too."""

    status: Annotated[str, Field(json_schema_extra={"enum": [*OrderStatus, *sorted(DEPRECATED_NAMES)]})]
    reason: Reason | None = None


class PatchOrder(Body):
    """``PATCH /orders/{id}``: what is sent replaces what was there, ``null`` takes it away, what is left out stays."""

    metadata: MetadataPatch | None = None
    external_id: ForeignId | None = None
    contact: ContactBody | None = None
    note: Note | None = None

    def patch(self) -> Mapping[str, Any]:
        """What was sent, ``null`` where that was."""
        return self.model_dump(exclude_unset=True)


class ReturnItemBody(Body):
    """So many pieces of one line of the order, and why they are sent back."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]
    reason: Reason | None = None


class RequestReturn(Body):
    """``POST /orders/{id}/returns``; each line once."""

    items: Annotated[tuple[ReturnItemBody, ...], Field(min_length=1, max_length=MOST_LINES, strict=False)]
    note: Note | None = None

    @model_validator(mode="after")
    def _names_each_line_once(self) -> "RequestReturn":
        named = [item.line_id for item in self.items]
        for place, line_id in enumerate(named):
            if line_id in named[:place]:
                raise BadMember(f"items.{place}.line_id", "is named before")
        return self

    def wanted(self) -> tuple[ReturnItem, ...]:
        """The domain's values."""
        return tuple(ReturnItem(item.line_id, item.quantity, item.reason) for item in self.items)


class ReceivedBody(Body):
    """So many pieces of one line of a return, in one condition."""

    line_id: LineIdText
    quantity: Annotated[int, Field(ge=1, le=MOST_PIECES)]
    condition: Annotated[Condition, Field(strict=False)]


class ReceiveReturn(Body):
    """``POST /orders/{id}/returns/{return_id}/receive``; after what is ``final`` nothing more of the return comes."""

    items: Annotated[tuple[ReceivedBody, ...], Field(max_length=2 * MOST_LINES, strict=False)]
    final: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> "ReceiveReturn":
        if not self.items and not self.final:
            raise BadMember("items", "must have at least one entry, unless it is final")
        return self

    def pieces(self) -> tuple[ReturnedPieces, ...]:
        """The domain's values."""
        return tuple(ReturnedPieces(item.line_id, item.quantity, item.condition) for item in self.items)


class SetLocation(Body):
    """``PUT /orders/{id}/shipment/location``."""

    location: Text200
    estimated_delivery: Moment | None = None


class SetProduct(Body):
    """``PUT /products/{id}``; what does not ``requires_shipping`` is handed over when it is paid."""

    name: Text200
    unit_price: MoneyBody
    stock: Annotated[int, Field(ge=0, le=10**12)]
    requires_shipping: bool = True


class ChangeStock(Body):
    """``POST /products/{id}/stock``: so many pieces more, or fewer."""

    change: Annotated[int, Field(ge=-(10**12), le=10**12)]


class AddWebhook(Body):
    """``POST /webhooks``; no ``events`` means all of them."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    events: Annotated[tuple[Literal[EVENT_TYPES], ...], Field(strict=False, max_length=len(EVENT_TYPES))] = ()  # type: ignore[valid-type]


Model = TypeVar("Model", bound=Body)


def parse(model: type[Model], body: bytes) -> Model:
    """The body as the model has it.

    Raises:
        InvalidArgument: with each bad field's path, and what is wrong with it.
    """
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        found = [_problem(details) for details in error.errors(include_url=False, include_input=False)]
        # A list all of whose entries are bad is called too short as well: correcting the entry corrects the list.
        problems = [one for one in found if not any(other["field"].startswith(f"{one['field']}.") for other in found)]
        summary = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems[:3])
        raise InvalidArgument(summary, errors=problems[:20]) from None


def _problem(details: Any) -> dict[str, str]:
    cause = details.get("ctx", {}).get("error")
    path = ".".join(str(part) for part in details["loc"])
    if isinstance(cause, MissingPart):
        path = ".".join(filter(None, [path, cause.part]))
    field = cause.field if isinstance(cause, BadMember) else path
    return {"field": field or "body", "message": details["msg"].removeprefix("Value error, ")}
