"""How long a watcher of the status stream is told to wait."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orders import stream
from orders.lifecycle import GRACE
from orders.statuses import OrderStatus
from tests.support import an_order

HOUR = 3600


def pause(quiet_seconds: float, status: OrderStatus = OrderStatus.SHIPPED, *, due_in: float | None = 10 * HOUR) -> int:
    """Of an order to which nothing has happened for so long, and whose present stage should end in so many seconds."""
    order = an_order(status).order
    now = order.updated_at + timedelta(seconds=quiet_seconds)
    due_at = None if due_in is None else now + timedelta(seconds=due_in) + GRACE
    return stream.pause_after(replace(order, due_at=due_at), now)


def test_it_grows_while_nothing_happens_and_starts_anew_with_a_change() -> None:
    grown = [pause(seconds) for seconds in (0, 10, 20, HOUR, 1.05 * HOUR, 1.1 * HOUR)]
    assert grown == sorted(set(grown))
    assert pause(0) == stream.SOONEST


@pytest.mark.parametrize("quiet", [0, 5, 29, 31, 600, HOUR - 1])
def test_while_the_order_moves_a_change_is_seen_within_two_seconds(quiet: float) -> None:
    assert pause(quiet) < 2000


@pytest.mark.parametrize("due_in", [14, 1, 0, -59])
def test_a_timer_that_is_near_is_waited_for_closely_however_long_it_was_quiet(due_in: float) -> None:
    assert pause(30 * HOUR, due_in=due_in) < 2000


@pytest.mark.parametrize("due_in", [None, -61, 20, 10 * HOUR])
def test_an_order_at_rest_is_asked_for_seldom_and_not_too_seldom(due_in: float | None) -> None:
    assert pause(2 * HOUR, due_in=due_in) == stream.LONGEST
    assert pause(300 * HOUR, due_in=due_in) == stream.LONGEST


def test_no_long_pause_reaches_over_the_end_of_a_stage() -> None:
    """Whoever is told to wait long is back before the timer, and then waits shortly."""
    for left in range(-120, 120):
        if pause(9 * HOUR, due_in=left) > 2000:
            assert left < -GRACE.total_seconds() or left * 1000 > stream.LONGEST


def test_a_clock_that_is_behind_shortens_nothing() -> None:
    assert pause(-5) == stream.SOONEST
