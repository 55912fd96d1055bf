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
    reserved: int = 0
    """What orders have reserved, and is not handed over yet."""
    sold: int = 0
    """What orders have been handed over of it, and has not come back."""

    @property
    def on_hand(self) -> int:
        """What is in the warehouse, reserved or not."""
        return self.stock + self.reserved
