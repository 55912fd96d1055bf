"""How long a watcher of the status stream is told to wait."""

from datetime import timedelta

import pytest

from orders.web import sse
from tests.harness.orders import an_order

HOUR = 3600


def pause(quiet_seconds: float) -> int:
    """Of an order to which nothing has happened for so long."""
    order = an_order().order
    return sse.pause_after(order, order.updated_at + timedelta(seconds=quiet_seconds))


def test_it_grows_while_nothing_happens_and_starts_anew_with_a_change() -> None:
    grown = [pause(seconds) for seconds in (0, 5, 10, 20, 29)]
    assert grown == sorted(set(grown))
    assert grown[0] == sse.SOONEST
    assert pause(30) == pause(300 * HOUR) == sse.LONGEST


@pytest.mark.parametrize("quiet", [0, 5, 29, 31, 600, HOUR, 300 * HOUR])
def test_a_change_is_seen_within_two_seconds_however_long_it_was_quiet(quiet: float) -> None:
    assert pause(quiet) < 2000


def test_a_clock_that_is_behind_shortens_nothing() -> None:
    assert pause(-5) == sse.SOONEST
