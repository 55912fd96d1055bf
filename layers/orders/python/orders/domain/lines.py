"""The lines of an order, each of one product: what is asked for, what it costs, and what became of its pieces."""

from collections.abc import Sequence
from dataclasses import dataclass

from orders.domain.money import Money
from orders.domain.personal import Impersonal
from orders.domain.statuses import FulfillmentStatus


@dataclass(frozen=True, slots=True)
class Line:
    """One product on the order, at the price that the catalog had, or a shop named, when it was placed.

    ``discount`` and ``tax`` are the whole line's. A product may be on several lines. Of its pieces some may be cancelled,
    handed over, delivered and given back; what is cancelled is never handed over.
    """

    product_id: Impersonal
    name: Impersonal
    quantity: int
    unit_price: Money
    discount: Money | None = None
    tax: Money | None = None
    quantity_cancelled: int = 0
    quantity_shipped: int = 0
    quantity_delivered: int = 0
    quantity_returned: int = 0
    requires_shipping: bool = True
    """Whether it is sent; what is not is handed over and delivered when it is paid."""

    @property
    def wanted(self) -> int:
        """The pieces that are not cancelled."""
        return self.quantity - self.quantity_cancelled


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """So many pieces of one product, at the catalog's price if there is none beside them."""

    product_id: Impersonal
    quantity: int
    unit_price: Money | None = None
    discount: Money | None = None
    tax: Money | None = None


_F = FulfillmentStatus

_PARTS = (
    ("quantity_returned", _F.RETURNED, _F.PARTIALLY_RETURNED),
    ("quantity_delivered", _F.DELIVERED, _F.PARTIALLY_DELIVERED),
    ("quantity_shipped", _F.SHIPPED, _F.PARTIALLY_SHIPPED),
)


def fulfillment_of(lines: Sequence[Line]) -> FulfillmentStatus:
    """The first that holds, of all or of some of the pieces that are not cancelled."""
    wanted = sum(line.wanted for line in lines)
    for name, of_all, of_some in _PARTS:
        pieces = sum(getattr(line, name) for line in lines)
        if pieces:
            return of_all if pieces >= wanted else of_some
    return _F.UNFULFILLED
