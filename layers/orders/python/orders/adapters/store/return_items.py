"""Item mapping: returns. The order of one that is open is found by the return's status too, in the order's place by time."""

from orders.adapters.store import keys
from orders.adapters.store.attributes import Item, as_texts, json_of, to_json
from orders.adapters.store.codec import Codec, as_json, from_json
from orders.domain.order import Order, timestamp
from orders.domain.returns import Return, ReturnItem

_RETURN = Codec(Return, own=frozenset({"items"}))


def return_to_item(order: Order, one: Return) -> Item:
    """A return as its item; ``return_from_item`` is the inverse."""
    order_id = order.order_id
    text = {
        "kind": "return",
        "order_id": order_id,
        "items": to_json([as_json(item) for item in one.items]),
        "GSI1PK": keys.returns_partition(one.status) if one.is_open else None,
        "GSI1SK": f"{timestamp(order.created_at)}#{order_id}" if one.is_open else None,
    }
    return {**keys.return_key(order_id, one.return_id), **_RETURN.write(one), **as_texts(text)}


def return_from_item(item: Item) -> Return:
    """The return an item holds."""
    listed = tuple(from_json(ReturnItem, row) for row in json_of(item, "items"))
    return Return(**_RETURN.read(item), items=listed)


def optional() -> tuple[str, ...]:
    """The attributes that the item of a return may not have."""
    return (*_RETURN.optional, "GSI1PK", "GSI1SK")
