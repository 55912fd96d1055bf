"""Products of the catalog."""

from dataclasses import dataclass

from orders.domain.money import Money


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalog; ``stock`` is what is neither sold nor reserved."""

    product_id: str
    name: str
    unit_price: Money
    stock: int
    requires_shipping: bool = True
    """Whether it is sent; what is not is handed over when it is paid."""
