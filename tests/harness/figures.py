"""What products have to count for their orders."""

from collections.abc import Iterable

from orders.domain.order import Order
from orders.domain.statuses import StepStatus
from orders.domain.steps import StepName


def reserved_and_sold(orders: Iterable[Order]) -> dict[str, tuple[int, int]]:
    """What has to be counted of each product for orders that are not being unwound: reserved, and sold."""
    found: dict[str, tuple[int, int]] = {}
    for order in orders:
        missing = order.shortage.missing if order.shortage and order.is_asked else {}
        is_taken = order.is_asked or order.step(StepName.INVENTORY).status is StepStatus.COMPLETED
        for line_id, line in order.lines_by_id.items():
            reserved, sold = found.get(line.product_id, (0, 0))
            waiting = line.wanted - line.quantity_shipped - missing.get(line_id, 0) if is_taken else 0
            found[line.product_id] = reserved + waiting, sold + line.quantity_shipped - line.quantity_returned
    return found
