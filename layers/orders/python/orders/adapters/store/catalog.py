"""The catalog: products, their prices and their stock."""

from collections.abc import Iterable, Iterator

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import Item
from orders.domain import legacy
from orders.domain.errors import NotFound
from orders.domain.money import Money
from orders.domain.products import Product


def products(product_ids: Iterable[str]) -> dict[str, Product]:
    """Those of the asked products that exist."""
    found = table.batch_get([keys.product_key(product_id) for product_id in product_ids])
    return {product.product_id: product for product in map(_product_from_item, found)}


def product(product_id: str) -> Product:
    """One product.

    Raises:
        NotFound: there is none of that id.
    """
    found = products([product_id])
    if product_id not in found:
        raise NotFound(f"There is no product {product_id}.")
    return found[product_id]


def product_ids(after: str | None = None, page: int = 100) -> Iterator[str]:
    """Ids of all products in their order, from behind ``after`` on."""
    values: Item = {":pk": {"S": legacy.CATALOG_PARTITION}} | ({":after": {"S": after}} if after else {})
    entries = table.pages(
        IndexName=keys.BY_KEY,
        KeyConditionExpression="GSI1PK = :pk" + (" AND GSI1SK > :after" if after else ""),
        ExpressionAttributeValues=values,
        Limit=page,
    )
    return (str(item["GSI1SK"]["S"]) for item in entries)


def save_product(product: Product) -> None:
    """Creates the product, or sets its name, price and stock as given.

    Without a condition, on purpose: the catalog's keeper has counted, and the last count is the one that holds.
    """
    table.upsert(
        Key=keys.product_key(product.product_id),
        UpdateExpression="SET #kind = :kind, product_id = :id, #name = :name, amount = :amount, currency = :currency, "
        "stock = :stock, GSI1PK = :catalog, GSI1SK = :id",
        ExpressionAttributeNames={"#kind": "kind", "#name": "name"},
        ExpressionAttributeValues={
            ":kind": {"S": "product"},
            ":id": {"S": product.product_id},
            ":name": {"S": product.name},
            ":amount": {"N": str(product.unit_price.amount)},
            ":currency": {"S": product.unit_price.currency},
            ":stock": {"N": str(product.stock)},
            ":catalog": {"S": legacy.CATALOG_PARTITION},
        },
    )


def _product_from_item(item: Item) -> Product:
    price = Money(int(item["amount"]["N"]), item["currency"]["S"])
    return Product(item["product_id"]["S"], item["name"]["S"], price, int(item["stock"]["N"]))
