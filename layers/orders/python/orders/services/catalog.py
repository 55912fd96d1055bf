"""The catalog: the products, their prices and their stock."""

from itertools import islice

from orders.adapters.store import catalog
from orders.domain.digests import CallRecord, KeyedCall
from orders.domain.products import Product
from orders.services.changes import Clock, utc_now, with_retries
from orders.services.once import once


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


def save(saved: Product, call: KeyedCall | None = None) -> tuple[Product, bool]:
    """Creates a product or sets it as given; a repetition of the call changes nothing. Returns with it whether it is written.

    Raises:
        IdempotencyMismatch: the key of the call was used with another body.
    """

    def written() -> Product:
        catalog.save_product(saved, CallRecord(call, saved.product_id) if call else None)
        return catalog.product(saved.product_id)

    return once(call, written, _as_it_is)


def change_stock(product_id: str, change: int, call: KeyedCall | None = None) -> tuple[Product, bool]:
    """Adds pieces to a product's stock or takes some away, whatever is sold meanwhile; returns as ``save``.

    Raises:
        NotFound: there is no such product.
        ConstraintViolated: there are not so many pieces.
        IdempotencyMismatch: the key of the call was used with another body.
    """

    def written() -> Product:
        with_retries(lambda: catalog.change_stock(product_id, change, CallRecord(call, product_id) if call else None))
        return catalog.product(product_id)

    return once(call, written, _as_it_is)


def remove(product_id: str, clock: Clock = utc_now) -> None:
    """Takes a product off the catalog: it can no longer be ordered. Raises ``NotFound``."""
    now = clock()
    with_retries(lambda: catalog.remove_product(product_id, now))


def _as_it_is(record: CallRecord) -> Product:
    return catalog.product(record.result)
