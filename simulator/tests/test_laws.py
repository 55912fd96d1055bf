"""What a law lets through, and what it does not, where histories seldom tell the two apart."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orders.domain.decisions import placing
from orders.domain.events import EventType
from orders.domain.statuses import OrderStatus
from simulator import laws
from simulator.books import Books
from tests.harness.orders import START, WAITS, a_wish

RELEASED, DONE, RECALLED = EventType.STOCK_RELEASED, EventType.UNWINDING_COMPLETED, EventType.SHIPMENT_RECALLED


@pytest.mark.parametrize(
    ("status", "trail", "broken"),
    [
        (OrderStatus.RETURNED, (RELEASED, DONE, RECALLED), 0),
        (OrderStatus.CANCELLED, (RELEASED, DONE, RECALLED), 1),
        (OrderStatus.CANCELLED, (RECALLED, RELEASED, DONE), 0),
        (OrderStatus.RETURNED, (RELEASED, RELEASED, DONE), 1),
    ],
)
def test_a_parcel_that_was_given_up_before_is_recalled_at_any_time(
    status: OrderStatus, trail: tuple[EventType, ...], broken: int
) -> None:
    """The unwinding of an order that comes back recalls nothing."""
    event = placing.place(a_wish(), WAITS, START, by="ada").event
    made = [replace(event, type=kind, status=status) for kind in trail]
    account: Any = SimpleNamespace(trail=made, story=lambda: "its story")
    books = cast("Books", SimpleNamespace(accounts={"o1": account}))
    assert len(list(laws.unwinding(books))) == broken
