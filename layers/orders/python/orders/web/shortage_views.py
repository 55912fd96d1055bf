"""A shortage as clients see it, while the customer is asked about it."""

from typing import TypedDict

from orders.domain.order import Order, timestamp
from orders.web.shapes import Count, Time


class MissingView(TypedDict):
    """Pieces of a line that are not in stock."""

    line_id: str
    product_id: str
    quantity: Count


class ShortageView(TypedDict):
    """What is missing, and until when the customer may take the rest or cancel."""

    missing: list[MissingView]
    expires_at: Time


def shortage_view(order: Order) -> ShortageView | None:
    """The shortage that the order waits for an answer about, if it does."""
    shortage, lines = order.shortage, order.lines_by_id
    if shortage is None or shortage.expires_at is None or not order.is_asked:
        return None
    missing: list[MissingView] = [
        {"line_id": line_id, "product_id": lines[line_id].product_id, "quantity": pieces}
        for line_id, pieces in shortage.missing.items()
    ]
    return {"missing": missing, "expires_at": timestamp(shortage.expires_at)}
