"""The catalog: the products, their prices and their stock."""

from itertools import islice

from orders.adapters.store import catalog
from orders.domain.money import Money
from orders.domain.products import Product


def page(after: str | None, limit: int) -> tuple[list[Product], str | None]:
    """Products sorted by id, after the id ``after``, and the id after which the next page begins, if any."""
    ids = list(islice(catalog.product_ids(after, limit + 1), limit + 1))
    found = catalog.products(ids[:limit])
    following = ids[limit - 1] if len(ids) > limit else None
    return [found[product_id] for product_id in ids[:limit] if product_id in found], following


def find(product_id: str) -> list[Product]:
    """The product of that id, if there is one."""
    return list(catalog.products([product_id]).values())


def product(product_id: str) -> Product:
    """One product; raises ``NotFound``."""
    return catalog.product(product_id)


def save(product_id: str, name: str, unit_price: Money, stock: int) -> Product:
    """Creates a product or sets it as given."""
    saved = Product(product_id, name, unit_price, stock)
    catalog.save_product(saved)
    return saved
