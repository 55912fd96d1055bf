"""Item mapping: what products count for an order. It stands apart from the order, as edition one writes whole orders.

By it an order is found, in its place by time, whose customer is asked about a shortage.
"""

from orders.adapters.store import keys
from orders.adapters.store.attributes import Item, as_texts, json_of, to_json
from orders.domain.order import Order, timestamp
from orders.domain.shortage import ShortageStatus
from orders.domain.stock_figures import Counted


def counted_to_item(order: Order) -> Item:
    """What is counted as its item; ``counted_from_item`` is the inverse."""
    text = {
        "kind": "counted",
        "order_id": order.order_id,
        "pieces": to_json(order.counted),
        "GSI1PK": keys.shortages_partition(ShortageStatus.ASKED) if order.is_asked else None,
        "GSI1SK": f"{timestamp(order.created_at)}#{order.order_id}" if order.is_asked else None,
    }
    return {**keys.counted_key(order.order_id), **as_texts(text)}


def counted_from_item(item: Item | None) -> Counted:
    """What products count for an order; nothing where there is no such item."""
    return tuple((reserved, sold) for reserved, sold, *_ in json_of(item, "pieces")) if item else ()
