"""The catalog: products, their prices and their stock.

A product that is removed keeps its item, so that orders of it can still take and return their pieces.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from orders.adapters.store import calls, keys, table
from orders.adapters.store.attributes import Item
from orders.domain import legacy
from orders.domain.digests import CallRecord
from orders.domain.errors import ConstraintViolated, NotFound
from orders.domain.money import Money
from orders.domain.order import timestamp
from orders.domain.products import Product

RESERVED, SOLD = "reserved", "sold"
"""The attributes that a product does not have before the first piece of it is reserved, or handed over."""
REMOVED = "removed_at"
IS_KEPT = f"{table.EXISTS} AND attribute_not_exists({REMOVED})"


def products(product_ids: Iterable[str]) -> dict[str, Product]:
    """Those of the asked products that exist and are not removed."""
    found = table.batch_get([keys.product_key(product_id) for product_id in product_ids])
    return {product.product_id: product for product in map(_product_from_item, (item for item in found if REMOVED not in item))}


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


def save_product(product: Product, record: CallRecord | None = None) -> None:
    """Creates the product, or sets its name, price and stock as given; ``record`` is of the call behind it.

    Without a condition, on purpose: the catalog's keeper has counted, and the last count is the one that holds.

    Raises:
        KeyUsed: the key of the call was used before.
    """
    digital, shipped = ("", ", digital") if product.requires_shipping else (", digital = :digital", "")
    update: dict[str, Any] = {
        "Key": keys.product_key(product.product_id),
        "UpdateExpression": "SET #kind = :kind, product_id = :id, #name = :name, amount = :amount, currency = :currency, "
        f"stock = :stock, GSI1PK = :catalog, GSI1SK = :id{digital} REMOVE {REMOVED}{shipped}",
        "ExpressionAttributeNames": {"#kind": "kind", "#name": "name"},
        "ExpressionAttributeValues": {
            ":kind": {"S": "product"},
            ":id": {"S": product.product_id},
            ":name": {"S": product.name},
            ":amount": {"N": str(product.unit_price.amount)},
            ":currency": {"S": product.unit_price.currency},
            ":stock": {"N": str(product.stock)},
            ":catalog": {"S": legacy.CATALOG_PARTITION},
            **({":digital": {"BOOL": True}} if digital else {}),
        },
    }
    if record:
        calls.write(table.update_action(**update), record)
    else:
        table.upsert(**update)


def change_stock(product_id: str, change: int, record: CallRecord | None = None) -> None:
    """Adds pieces to what is there of a product, or takes some away.

    Raises:
        NotFound: there is no such product.
        ConstraintViolated: there are not so many pieces.
        KeyUsed: the key of the call was used before.
    """
    update = {
        "Key": keys.product_key(product_id),
        "UpdateExpression": "ADD stock :change",
        "ConditionExpression": f"{IS_KEPT} AND stock >= :least",
        "ExpressionAttributeValues": {":change": {"N": str(change)}, ":least": {"N": str(max(0, -change))}},
    }
    outcome = calls.write(table.update_action(**update), record) if record else table.update(**update)
    if not outcome.is_written:
        left = product(product_id).stock
        raise ConstraintViolated(f"There are {left} pieces in stock: {-change} cannot be taken.", stock=left) from outcome.error


def remove_product(product_id: str, now: datetime) -> None:
    """Takes a product off the catalog; raises ``NotFound``. Its stock is kept for the orders that have it."""
    outcome = table.update(
        Key=keys.product_key(product_id),
        UpdateExpression=f"SET {REMOVED} = :now REMOVE GSI1PK, GSI1SK",
        ConditionExpression=IS_KEPT,
        ExpressionAttributeValues={":now": {"S": timestamp(now)}},
    )
    if not outcome.is_written:
        raise NotFound(f"There is no product {product_id}.") from outcome.error


def _product_from_item(item: Item) -> Product:
    price = Money(int(item["amount"]["N"]), item["currency"]["S"])
    reserved, sold = (int(item[name]["N"]) if name in item else 0 for name in (RESERVED, SOLD))
    return Product(
        product_id=item["product_id"]["S"],
        name=item["name"]["S"],
        unit_price=price,
        stock=int(item["stock"]["N"]),
        requires_shipping="digital" not in item,
        reserved=reserved,
        sold=sold,
    )
