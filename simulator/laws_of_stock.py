"""The law of what products count: on hand is what can be ordered and what is reserved; what was handed over is sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from orders.domain.statuses import StepStatus
from orders.domain.steps import StepName
from simulator.books import Account, Books
from simulator.two_releases import was_moved_by_edition_one


def figures(books: Books) -> Iterator[str]:
    """Each product counts as reserved, and as sold, what its orders hold of it; each order has told it so."""
    reserved, sold = Counter[str](), Counter[str]()
    for name, account in books.accounts.items():
        for line, counted in zip(account.order.lines, account.order.counted, strict=False):
            reserved[line.product_id] += counted[0]
            sold[line.product_id] += counted[1]
        if account.order.counted != (wanted := _held(account)) and not was_moved_by_edition_one(books, account):
            yield f"{name}: {account.order.counted} is counted, and it holds {wanted}: {account.story()}"
    for product, (waiting, gone) in books.figures.items():
        if (waiting, gone) != (reserved[product], sold[product]):
            yield f"{product}: {waiting} reserved, {gone} sold; by its orders {reserved[product]} and {sold[product]}"


def _held(account: Account) -> tuple[tuple[int, int], ...]:
    """What an order that is at rest holds of each of its lines: what waits to be handed over, and what has been."""
    order = account.order
    waits = order.step(StepName.INVENTORY).status is StepStatus.COMPLETED
    found = tuple(
        (line.wanted - line.quantity_shipped if waits else 0, line.quantity_shipped - line.quantity_returned)
        for line in order.lines
    )
    return found if any(map(any, found)) else ()
