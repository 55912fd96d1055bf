"""The laws of returns: what came back is counted, paid back and in stock again, once; and what was promised of it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from orders.domain.returns import Return
from orders.domain.statuses import Condition, OrderStatus, ParcelEnd, RefundStatus, ReturnStatus
from simulator.books import Account, Books
from simulator.parties import returning
from simulator.parties.people import Wish

_R = ReturnStatus
ENDED_AS = {"had a return declined": _R.DECLINED, "had a return canceled": _R.CANCELED}
OF_RETURNS = {"asked for a return", *ENDED_AS, returning.RECEIVED}
"""The promises that are about returns."""


def returns(books: Books) -> Iterator[str]:
    """No piece comes back twice, each that came back is paid back, and a return is closed when all is settled."""
    wishes = books.world.people.by_id()
    for name, account in books.accounts.items():
        for error in _errors(account) if account.returns else ():
            yield f"{name}: {error}: {account.story()}"
        for error in _errors_of_receipts(wishes[name], account) if name in wishes else ():
            yield f"{name}: {error}: {account.story()}"


def _errors(account: Account) -> Iterator[str]:
    order = account.order
    back = came_back(account)
    back_with_parcels = Counter[str]()
    for shipment in account.shipments:
        back_with_parcels.update(shipment.items if shipment.ended is ParcelEnd.RETURNED else {})
    for line_id, line in order.lines_by_id.items():
        named = sum(one.claims(line_id) for one in account.returns)
        if named > line.quantity_delivered:
            yield f"of line {line_id} {line.quantity_delivered} were delivered, and {named} are sent back"
        if order.status is not OrderStatus.RETURNED and line.quantity_returned != back[line_id] + back_with_parcels[line_id]:
            yield f"of line {line_id} {back[line_id]} came back, and {line.quantity_returned} are counted"
    for one in account.returns:
        waits = any(refund.return_id == one.return_id and refund.status is RefundStatus.PENDING for refund in account.refunds)
        if one.status is _R.RECEIVED and one.is_complete and not waits:
            yield f"{one.return_id} came back, and is not closed"
        if one.status is _R.CLOSED and (waits or not one.is_complete):
            yield f"{one.return_id} is closed too early"
    yield from _errors_of_refunds(account, back)


def _errors_of_refunds(account: Account, back: Mapping[str, int]) -> Iterator[str]:
    """What was paid back for returns is what their pieces are worth, where all was paid for and nothing else paid back."""
    refunds = [one for one in account.refunds if one.status is not RefundStatus.FAILED]
    by_others = any(one.return_id is None for one in refunds) or account.times("CAPTURE_REFUSED")
    if account.order.status is not OrderStatus.DELIVERED or by_others:
        return
    paid, worth = sum(one.amount.amount for one in refunds), account.order.shares.to_give_back(back)
    if paid != worth:
        yield f"{paid} was paid back for pieces worth {worth}"


def came_back(account: Account, *, damaged: bool | None = None) -> Counter[str]:
    """How many pieces of each line came back with returns, or how many of these are damaged."""
    found: Counter[str] = Counter()
    for one in account.returns:
        for item in one.items:
            found[item.line_id] += item.damaged if damaged else item.received
    return found


def is_kept(account: Account, promise: str, what: Any) -> bool:
    """Whether what was said of a return has come to pass; what was received is counted by the law of returns."""
    if promise == returning.RECEIVED:
        return True
    found = _found(account, what)
    return found is not None and found.status is ENDED_AS.get(promise, found.status)


def _errors_of_receipts(wish: Wish, account: Account) -> Iterator[str]:
    """What the warehouse was told is received is counted, each receipt once."""
    told: Counter[tuple[str, str, str]] = Counter()
    for return_id, _, pieces in (what for promise, what in wish.promises if promise == returning.RECEIVED):
        told.update((return_id, one["line_id"], one["condition"]) for one in pieces)
    counted = {
        (one.return_id, item.line_id, condition.value): getattr(item, condition.value)
        for one in account.returns
        for item in one.items
        for condition in Condition
    }
    for receipt, pieces in told.items():
        if counted.get(receipt, 0) < pieces:
            yield f"{pieces} pieces of {receipt} were received, and {counted.get(receipt, 0)} are counted"


def _found(account: Account, return_id: str) -> Return | None:
    return next((one for one in account.returns if one.return_id == return_id), None)
