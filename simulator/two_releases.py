"""What the laws ask where edition one's functions took part: it published less, and counted less."""

from __future__ import annotations

from collections import Counter
from typing import Any

from orders.domain.events import ITEMS_CANCELLED, REFUND_STATUS_CHANGED, RETURN_STATUS_CHANGED, SHIPMENT_STATUS_CHANGED
from orders.domain.order import moment
from simulator import edition_one
from simulator.books import Account, Books
from simulator.loop import START

Json = Any

NEW_TYPES = {RETURN_STATUS_CHANGED, REFUND_STATUS_CHANGED, SHIPMENT_STATUS_CHANGED, ITEMS_CANCELLED}
"""The types of events that edition one does not have."""

LONGEST_INVOCATION = 60.0
"""How many seconds after the last call that was led to edition one it may still run."""


def is_as_told(books: Books, found: Json, wanted: Json | None) -> bool:
    """Whether a notification is that of its trail. What edition one published says nothing that is not so."""
    if found == wanted or wanted is None:
        return wanted is not None
    is_part: bool = all(name in wanted and wanted[name] == value for name, value in found.items())
    return is_part and found["event_id"] in books.world.bus.by_edition_one


def may_be_untold(books: Books, detail: Json) -> bool:
    """Whether a notification is of a type that edition one does not have, of a change that its consumer may have taken."""
    over = books.world.releases.over
    is_new = detail["event_type"] in NEW_TYPES
    return is_new and over > 0 and moment(detail["timestamp"]).timestamp() <= START + over + LONGEST_INVOCATION


def are_both_counting(books: Books) -> bool:
    """Whether events may have been counted by edition one."""
    return books.world.releases.over > 0


def counted_by_edition_one(books: Books) -> set[str]:
    """The counters that it keeps too: those of no day, and not how often an order went from one status to another."""
    told = edition_one.module("statistics").told
    names: Counter[str] = Counter()
    for detail in books.messages.values():
        if one := told(detail):
            names.update(dict.fromkeys(one.counters, 1))
    return set(names)


def was_ended_by_edition_one(books: Books, account: Account) -> bool:
    """Whether an order's last change may be edition one's: it kept the payment token of an order that was over."""
    over = books.world.releases.over
    return over > 0 and account.order.updated_at.timestamp() <= START + over + LONGEST_INVOCATION


def was_moved_by_edition_one(books: Books, account: Account) -> bool:
    """Whether the last change of an order's status may be edition one's: it told its products nothing of that."""
    over = books.world.releases.over
    moved_at = max(event.at for event in account.trail if event.status is not event.old_status)
    return over > 0 and moved_at.timestamp() <= START + over + LONGEST_INVOCATION


def may_have_charged(books: Books, account: Account) -> bool:
    """Whether an order's payment may be edition one's: it made one of an order that comes to nothing, too."""
    over = books.world.releases.over
    return over > 0 and account.order.created_at.timestamp() <= START + over + LONGEST_INVOCATION
