"""Item mapping: refunds."""

from orders.adapters.store import keys
from orders.adapters.store.attributes import Item, as_numbers, as_texts, json_of, to_json
from orders.adapters.store.codec import Codec
from orders.adapters.store.newer import named
from orders.domain.identifiers import OrderId
from orders.domain.money import Money
from orders.domain.refund import Refund, RefundedLine
from orders.domain.statuses import RefundStatus

_REFUND = Codec(Refund, own=frozenset({"amount", "status", "items"}))


def refund_to_item(order_id: OrderId, refund: Refund) -> Item:
    """A refund as its item, found by when the sweep is due; ``refund_from_item`` is the inverse."""
    lines = [[line.line_id, line.quantity] for line in refund.items]
    text = {
        "kind": "refund",
        "order_id": order_id,
        "status": refund.status.value,
        "currency": refund.amount.currency,
        "items": to_json(lines) if lines else None,
        "GSI3PK": "DUE" if refund.due_at else None,
        "GSI3SK": keys.due_sort(order_id, refund.due_at) if refund.due_at else None,
    }
    own = {**as_texts(text), **as_numbers({"amount": refund.amount.amount})}
    return {**keys.refund_key(order_id, refund.refund_id), **_REFUND.write(refund), **own}


def refund_from_item(item: Item) -> Refund:
    """The refund an item holds."""
    return Refund(
        **_REFUND.read(item),
        status=named(RefundStatus, item["status"]["S"]),
        amount=Money(int(item["amount"]["N"]), item["currency"]["S"]),
        items=tuple(RefundedLine(line_id, quantity) for line_id, quantity, *_ in json_of(item, "items") or ()),
    )


def optional() -> tuple[str, ...]:
    """The attributes that the item of a refund may not have."""
    return (*_REFUND.optional, "GSI3PK", "GSI3SK")
