"""What products count for an order: the pieces that are reserved for it, and those that are sold by it.

Each change of an order moves its products' figures by the difference between what they count for it and what they have to.
An order that a release without these figures has reserved, or moved on, is so put right by the next change of its goods.
"""

from collections.abc import Mapping

from orders.domain.lines import Line
from orders.domain.order import Order
from orders.domain.statuses import StepStatus
from orders.domain.steps import StepName

Counted = tuple[tuple[int, int], ...]
"""The pieces of each line that are counted as reserved and as sold; nothing where none are."""
Moves = Mapping[str, tuple[int, int]]
"""By how much the pieces of each product move that are reserved, and those that are sold."""


def due(before: Order, after: Order) -> Counted:
    """What has to be counted for an order as it is then: reserved until it is handed over, sold unless it has come back.

    A change that is about neither goods nor the saga moves nothing. While the order is unwound, nothing moves before its stock
    is put back.
    """
    status = after.step(StepName.INVENTORY).status
    if status is StepStatus.COMPENSATING or not _is_about_goods(before, after):
        return before.counted
    is_reserved = status is StepStatus.COMPLETED or after.is_asked
    missing = after.shortage.missing if after.shortage and after.is_asked else {}
    found = tuple(
        (line.wanted - line.quantity_shipped - missing.get(line_id, 0) if is_reserved else 0, _sold(line))
        for line_id, line in after.lines_by_id.items()
    )
    return found if any(map(any, found)) else ()


def _is_about_goods(before: Order, after: Order) -> bool:
    stocked = before.step(StepName.INVENTORY).status is not after.step(StepName.INVENTORY).status
    return stocked or before.overall is not after.overall or before.lines != after.lines


def _sold(line: Line) -> int:
    return line.quantity_shipped - line.quantity_returned


def moves(order: Order, before: Counted, after: Counted) -> Moves:
    """The difference, by product; of a product of which nothing moves there is none."""
    found: dict[str, tuple[int, int]] = {}
    nothing = ((0, 0),) * len(order.lines)
    for line, old, new in zip(order.lines, before or nothing, after or nothing, strict=True):
        reserved, sold = found.get(line.product_id, (0, 0))
        found[line.product_id] = reserved + new[0] - old[0], sold + new[1] - old[1]
    return {product_id: moved for product_id, moved in found.items() if any(moved)}
